import { decide, empty, evolve, type Item } from "../lib/Cart.ts"
import type { Inlined } from "../lib/Store.ts"
import { type Client, isDuplicate, once, type Pool, pool, use } from "../lib/Postgres.ts"
import * as View from "../lib/View.ts"
import { schema, seed } from "./rawPostgres.ts"

const views = "create table view (id text primary key, count int not null, total bigint not null)"

/** The event and the change of its cart's view in one statement, and so in one transaction. */
const insert = (client: Client, stream: string, revision: number, item: Item) =>
  client.query({
    name: "insert",
    text: `with event as (
        insert into event (stream, revision, type, data) values ($1, $2, 'ItemAdded', $3)
      ) insert into view as v values ($1, 1, $4) on conflict (id)
        do update set count = v.count + 1, total = v.total + excluded.total`,
    values: [stream, revision, JSON.stringify(item), item.quantity * item.price]
  })

const addItem = async (pool: Pool, stream: string, item: Item): Promise<void> => {
  const { rows } = await use(pool, (client) =>
    client.query<{ data: Item }>({
      name: "load",
      text: "select revision, type, data from event where stream = $1 order by revision",
      values: [stream]
    }))
  const cart = rows.reduce((cart, row) => evolve(cart, row.data), empty)
  try {
    await use(pool, (client) => insert(client, stream, rows.length + 1, decide(cart, item)))
  } catch (error) {
    if (!isDuplicate(error)) throw error
    await addItem(pool, stream, item)
  }
}

/** By hand on `pg`: a statement to load, and one for the event and the view. */
export const open = async (url: string): Promise<Inlined> => {
  await once(url, `${schema}; ${views}`)
  const opened = await pool(url)
  return {
    command: (stream, item) => addItem(opened, stream, item),
    seed: async (streams, each) => {
      await seed(opened, streams, each)
      const text = `insert into view
        select stream, count(*), sum((data ->> 'quantity')::int * (data ->> 'price')::int)
        from event where stream = any($1::text[]) group by stream`
      await use(opened, (client) => client.query(text, [streams]))
    },
    count: async () => Number((await once<{ count: string }>(url, "select count(*) from event"))[0]?.count),
    view: async () =>
      View.totals(
        (await once(url, "select count(*) carts, sum(count) count, sum(total) total from view"))[0]
      ),
    close: () => opened.end()
  }
}
