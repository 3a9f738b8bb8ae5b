import { DatabaseSync } from "node:sqlite"
import { decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import type { Inlined } from "../lib/Store.ts"
import * as View from "../lib/View.ts"
import { schema } from "./rawSqlite.ts"

const views =
  "create table view (id text primary key, count integer not null, total integer not null) without rowid"

/** By hand on `node:sqlite`: each command is a transaction that loads, inserts, and changes the view. */
export const open = (filename: string): Promise<Inlined> => {
  const database = new DatabaseSync(filename)
  database.exec(`pragma journal_mode = wal; pragma synchronous = FULL; ${schema}; ${views}`)
  const load = database.prepare("select revision, type, data from event where stream = ? order by revision")
  const insert = database.prepare(
    "insert into event (stream, revision, type, data) values (?, ?, 'ItemAdded', ?)"
  )
  const upsert = database.prepare(
    `insert into view values (?, 1, ?) on conflict (id)
      do update set count = count + 1, total = total + excluded.total`
  )
  const add = (stream: string, revision: number, item: Item) => {
    insert.run(stream, revision, JSON.stringify(item))
    upsert.run(stream, item.quantity * item.price)
  }
  const transaction = (work: () => void) => {
    database.exec("begin immediate")
    work()
    database.exec("commit")
  }
  return Promise.resolve({
    command: async (stream, item) =>
      transaction(() => {
        const rows = load.all(stream) as unknown as ReadonlyArray<{ readonly data: string }>
        const cart = rows.reduce((cart, row) => evolve(cart, JSON.parse(row.data)), empty)
        add(stream, rows.length + 1, decide(cart, item))
      }),
    seed: async (streams, each) =>
      transaction(() => {
        for (const stream of streams) items(each).forEach((item, index) => add(stream, index + 1, item))
      }),
    count: async () => Number(database.prepare("select count(*) as count from event").get()?.["count"]),
    view: async () =>
      View.totals(
        database.prepare("select count(*) as carts, sum(count) as count, sum(total) as total from view").get()
      ),
    close: async () => database.close()
  })
}
