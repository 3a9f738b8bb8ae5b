import type { Connection, Pool } from "mysql2/promise"
import { decide, empty, evolve, type Item } from "../lib/Cart.ts"
import { isDuplicate, pool, type Row } from "../lib/Mysql.ts"
import type { Inlined } from "../lib/Store.ts"
import * as View from "../lib/View.ts"
import { schema, seed } from "./rawMysql.ts"

const views = `create table view (
  id varchar(255) character set ascii primary key, count int not null, total bigint not null)`

/** The event and the change of its cart's view, in one transaction. */
const insert = async (connection: Connection, stream: string, revision: number, item: Item) => {
  await connection.beginTransaction()
  try {
    await connection.execute(
      "insert into event (stream, revision, type, data) values (?, ?, 'ItemAdded', ?)",
      [
        stream,
        revision,
        JSON.stringify(item)
      ]
    )
    await connection.execute(
      "insert into view values (?, 1, ?) on duplicate key update count = count + 1, total = total + values(total)",
      [stream, item.quantity * item.price]
    )
    await connection.commit()
  } catch (error) {
    await connection.rollback()
    throw error
  }
}

/** Whether the server took a row lock away to let another transaction finish. */
const isDeadlock = (error: unknown): boolean => (error as { readonly errno?: number }).errno === 1213

const addItem = async (pool: Pool, stream: string, item: Item): Promise<void> => {
  const connection = await pool.getConnection()
  try {
    const [rows] = await connection.execute<Array<Row<{ data: string }>>>(
      "select revision, type, data from event where stream = ? order by revision",
      [stream]
    )
    const cart = rows.reduce((cart, row) => evolve(cart, JSON.parse(row.data)), empty)
    await insert(connection, stream, rows.length + 1, decide(cart, item))
    return
  } catch (error) {
    if (!isDuplicate(error) && !isDeadlock(error)) throw error
  } finally {
    connection.release()
  }
  await addItem(pool, stream, item)
}

/** By hand on `mysql2`: load, and a transaction of two statements. */
export const open = async (url: string): Promise<Inlined> => {
  const opened = await pool(url)
  await opened.query(`${schema}; ${views}`)
  const one = async <Columns>(statement: string) => (await opened.query<Array<Row<Columns>>>(statement))[0][0]
  return {
    command: (stream, item) => addItem(opened, stream, item),
    seed: async (streams, each) => {
      await seed(opened, streams, each)
      await opened.query(
        `insert into view
          select stream, count(*), sum(json_value(data, '$.quantity') * json_value(data, '$.price'))
          from event where stream in (?) group by stream`,
        [streams]
      )
    },
    count: async () => Number((await one<{ count: number }>("select count(*) as count from event"))?.count),
    view: async () =>
      View.totals(await one("select count(*) as carts, sum(count) as count, sum(total) as total from view")),
    close: () => opened.end()
  }
}
