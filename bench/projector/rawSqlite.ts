import { DatabaseSync } from "node:sqlite"
import type { Item } from "../lib/Cart.ts"
import { batch, type Projector, rounds } from "../lib/Projector.ts"
import * as View from "../lib/View.ts"
import { schema } from "../contender/rawSqlite.ts"

interface Row {
  readonly position: number
  readonly stream: string
  readonly data: string
}

const views =
  `create table view (id text primary key, count integer not null, total integer not null) without rowid;
create table checkpoint (id text primary key, position integer not null)`

const prepare = (database: DatabaseSync) => ({
  read: database.prepare(
    `select position, stream, type, data from event where position > ? order by position limit ${batch}`
  ),
  upsert: database.prepare(
    `insert into view values (?, ?, ?) on conflict (id)
      do update set count = count + excluded.count, total = total + excluded.total`
  ),
  checkpoint: database.prepare(
    "insert into checkpoint values ('view', ?) on conflict (id) do update set position = excluded.position"
  )
})

const item = (row: Row): Item => JSON.parse(row.data)

/** Batches by prepared statements, each with its checkpoint in one transaction. */
const project = (database: DatabaseSync): number => {
  const { checkpoint, read, upsert } = prepare(database)
  let position = 0
  let seen = 0
  for (;;) {
    const rows = read.all(position) as unknown as ReadonlyArray<Row>
    const last = rows.at(-1)
    if (last === undefined) return seen
    position = last.position
    const added = View.add(rows, ({ stream }) => stream, item)
    database.exec("begin immediate")
    for (const [id, { count, total }] of added) upsert.run(id, count, total)
    checkpoint.run(position)
    database.exec("commit")
    seen += rows.length
  }
}

/** By hand on `node:sqlite`. */
export const open = (filename: string): Promise<Projector> => {
  const database = new DatabaseSync(filename)
  database.exec(`pragma journal_mode = wal; pragma synchronous = NORMAL; ${schema}`)
  return Promise.resolve({
    count: async () => Number(database.prepare("select count(*) as count from event").get()?.["count"]),
    seed: async (carts, each) => {
      const insert = database.prepare(
        "insert into event (stream, revision, type, data) values (?, ?, 'ItemAdded', ?)"
      )
      database.exec("begin immediate")
      for (const [index, data] of rounds(each).entries()) {
        for (const cart of carts) insert.run(cart, index + 1, data)
      }
      database.exec("commit")
    },
    forget: async () => database.exec(`drop table if exists view; drop table if exists checkpoint; ${views}`),
    project: async () => project(database),
    view: async () =>
      View.totals(
        database.prepare("select count(*) as carts, sum(count) as count, sum(total) as total from view").get()
      ),
    close: async () => database.close()
  })
}
