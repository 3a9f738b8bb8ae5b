import type { Connection } from "mysql2/promise"
import { schema } from "../contender/rawMysql.ts"
import type { Item } from "../lib/Cart.ts"
import { connect, database, type Row } from "../lib/Mysql.ts"
import { batch, type Projector, rounds } from "../lib/Projector.ts"
import * as View from "../lib/View.ts"

interface Event {
  readonly position: number
  readonly stream: string
  readonly data: string
}

const views = `drop table if exists view, checkpoint;
create table view (id varchar(255) character set ascii primary key, count int not null, total bigint not null);
create table checkpoint (id varchar(100) primary key, position bigint not null)`

const item = (row: Event): Item => JSON.parse(row.data)

/** The views and the checkpoint, in one transaction. */
const write = async (connection: Connection, views: ReadonlyMap<string, View.View>, position: number) => {
  const rows = [...views].map(([id, { count, total }]) => [id, count, total])
  await connection.beginTransaction()
  await connection.query(
    `insert into view values ? on duplicate key
      update count = view.count + values(count), total = view.total + values(total)`,
    [rows]
  )
  await connection.execute(
    "insert into checkpoint values ('view', ?) on duplicate key update position = values(position)",
    [position]
  )
  await connection.commit()
}

const project = async (connection: Connection): Promise<number> => {
  let position = 0
  let seen = 0
  for (;;) {
    const [rows] = await connection.execute<Array<Row<Event>>>(
      `select position, stream, type, data from event where position > ? order by position limit ${batch}`,
      [position]
    )
    const last = rows.at(-1)
    if (last === undefined) return seen
    position = last.position
    await write(connection, View.add(rows, ({ stream }) => stream, item), position)
    seen += rows.length
  }
}

const one = async <Columns>(connection: Connection, statement: string): Promise<Columns | undefined> => {
  const [rows] = await connection.query<Array<Row<Columns>>>(statement)
  return rows[0]
}

/** By hand on `mysql2`. */
export const open = async (server: string): Promise<Projector> => {
  const { isNew, url } = await database(server, "bench_project_raw", true)
  const connection = await connect(url)
  if (isNew) await connection.query(schema)
  return {
    count: async () =>
      Number((await one<{ count: number }>(connection, "select count(*) as count from event"))?.count),
    seed: async (carts, each) => {
      for (const [index, data] of rounds(each).entries()) {
        for (let at = 0; at < carts.length; at += 1000) {
          const rows = carts.slice(at, at + 1000).map((cart) => [cart, index + 1, "ItemAdded", data])
          await connection.query("insert into event (stream, revision, type, data) values ?", [rows])
        }
      }
      await connection.query("analyze table event")
    },
    forget: async () => void await connection.query(views),
    project: () => project(connection),
    view: async () =>
      View.totals(
        await one(connection, "select count(*) as carts, sum(count) as count, sum(total) as total from view")
      ),
    close: () => connection.end()
  }
}
