import type { Pool } from "mysql2/promise"
import { decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import { isDuplicate, pool, type Row } from "../lib/Mysql.ts"
import type { Commands } from "../lib/Store.ts"

/** The table of events; JSON text, which MySQL and MariaDB hand out alike. */
export const schema = `create table event (
  position bigint not null auto_increment unique, stream varchar(255) character set ascii not null,
  revision int not null, type varchar(100) not null, data longtext not null,
  at timestamp(3) not null default current_timestamp(3), primary key (stream, revision))`

const fold = (rows: ReadonlyArray<{ readonly data: string }>) =>
  rows.reduce((cart, row) => evolve(cart, JSON.parse(row.data)), empty)

/** Two prepared statements, each committed by itself; repeated after a conflict. */
const addItem = async (pool: Pool, stream: string, item: Item): Promise<void> => {
  const [rows] = await pool.execute<Array<Row<{ data: string }>>>(
    "select revision, type, data from event where stream = ? order by revision",
    [stream]
  )
  const added = decide(fold(rows), item)
  try {
    await pool.execute("insert into event (stream, revision, type, data) values (?, ?, 'ItemAdded', ?)", [
      stream,
      rows.length + 1,
      JSON.stringify(added)
    ])
  } catch (error) {
    if (!isDuplicate(error)) throw error
    await addItem(pool, stream, item)
  }
}

/** Appends the first `each` items to each stream, one stream after another. */
export const seed = async (pool: Pool, streams: ReadonlyArray<string>, each: number): Promise<void> => {
  const events = items(each).map((item) => JSON.stringify(item))
  const together = Math.ceil(1000 / each)
  for (let at = 0; at < streams.length; at += together) {
    const rows = streams.slice(at, at + together).flatMap((stream) =>
      events.map((data, index) => [stream, index + 1, "ItemAdded", data])
    )
    await pool.query("insert into event (stream, revision, type, data) values ?", [rows])
  }
}

/** Statements on `mysql2`, written by hand. */
export const open = async (url: string): Promise<Commands> => {
  const opened = await pool(url)
  await opened.query(schema)
  return {
    command: (stream, item) => addItem(opened, stream, item),
    seed: (streams, each) => seed(opened, streams, each),
    count: async () => {
      const [rows] = await opened.query<Array<Row<{ count: number }>>>("select count(*) as count from event")
      return Number(rows[0]?.count)
    },
    close: () => opened.end()
  }
}
