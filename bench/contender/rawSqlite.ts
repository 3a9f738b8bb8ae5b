import { DatabaseSync } from "node:sqlite"
import { type Cart, decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import type { File, Store } from "../lib/Store.ts"

interface Row {
  readonly position: number
  readonly stream: string
  readonly revision: number
  readonly data: string
}

/** The table of events. */
export const schema = `create table if not exists event (
  position integer primary key, stream text not null, revision integer not null, type text not null,
  data text not null, at integer not null default (unixepoch()), unique (stream, revision))`

const page = 1000

const itemOf = (row: Row): Item => JSON.parse(row.data)

const transaction = (database: DatabaseSync, work: () => void): void => {
  database.exec("begin immediate")
  work()
  database.exec("commit")
}

/** Pages of rows, each beginning after the last row of the one before. */
function* pages(
  read: (last: Row | undefined) => ReadonlyArray<Row>
): Generator<ReadonlyArray<Row>> {
  for (let rows = read(undefined); rows.length > 0; rows = read(rows.at(-1))) {
    yield rows
  }
}

const connect = (file: File) => {
  const database = new DatabaseSync(file.filename)
  database.exec(
    `pragma journal_mode = wal; pragma synchronous = ${file.synchronous}; ${schema}`
  )
  const columns = "select revision, type, data from event where stream = ?"
  const load = database.prepare(`${columns} order by revision`)
  const after = database.prepare(
    `${columns} and revision > ? order by revision limit ${page}`
  )
  const log = database.prepare(
    `select position, stream, type, data from event where position > ? order by position limit ${page}`
  )
  const insert = database.prepare(
    "insert into event (stream, revision, type, data) values (?, ?, 'ItemAdded', ?)"
  )
  const count = database.prepare("select count(*) as count from event")

  return {
    database,
    insert: (stream: string, revision: number, item: Item) =>
      void insert.run(stream, revision, JSON.stringify(item)),
    load: (stream: string) => load.all(stream) as unknown as ReadonlyArray<Row>,
    after: (stream: string, revision: number) => after.all(stream, revision) as unknown as ReadonlyArray<Row>,
    log: (position: number) => log.all(position) as unknown as ReadonlyArray<Row>,
    count: () => Number(count.get()?.["count"])
  }
}

type Connection = ReturnType<typeof connect>

const addItem = (connection: Connection, stream: string, item: Item): void => {
  const rows = connection.load(stream)
  let cart = empty
  for (const row of rows) cart = evolve(cart, itemOf(row))
  connection.insert(stream, rows.length + 1, decide(cart, item))
}

const replay = (connection: Connection, stream: string): Cart => {
  let cart = empty
  for (
    const rows of pages((last) => connection.after(stream, last?.revision ?? 0))
  ) {
    for (const row of rows) cart = evolve(cart, itemOf(row))
  }
  return cart
}

const make = (connection: Connection, command: Store["command"]): Store => ({
  command,
  seed: async (streams, each) =>
    transaction(connection.database, () => {
      for (const stream of streams) {
        items(each).forEach((item, index) => connection.insert(stream, index + 1, item))
      }
    }),
  count: async () => connection.count(),
  replay: async (stream) => replay(connection, stream),
  consume: async (_total, handle) => {
    for (const rows of pages((last) => connection.log(last?.position ?? 0))) {
      for (const row of rows) handle(row.stream, itemOf(row))
    }
  },
  close: async () => connection.database.close()
})

/** Prepared statements on `node:sqlite` in WAL mode; each command commits by itself. */
export const open = (file: File): Promise<Store> => {
  const connection = connect(file)
  return Promise.resolve(
    make(connection, async (stream, item) => addItem(connection, stream, item))
  )
}

/** The same, but the commands that wait for the event loop share one transaction. */
export const openGrouped = (file: File): Promise<Store> => {
  const connection = connect(file)
  let waiting: Array<
    { readonly stream: string; readonly item: Item; readonly done: () => void }
  > = []

  const flush = () => {
    const commands = waiting
    waiting = []
    transaction(connection.database, () => {
      for (const { stream, item } of commands) {
        addItem(connection, stream, item)
      }
    })
    for (const { done } of commands) done()
  }

  const command: Store["command"] = (stream, item) =>
    new Promise<void>((done) => {
      if (waiting.push({ stream, item, done }) === 1) setImmediate(flush)
    })

  return Promise.resolve(make(connection, command))
}
