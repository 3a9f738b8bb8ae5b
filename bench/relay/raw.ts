import type { Item } from "../lib/Cart.ts"
import { client, once, pool, use } from "../lib/Postgres.ts"
import type { Appender } from "../lib/Relay.ts"

/**
 * Rows know their transaction. Those of transactions older than every one that still runs are complete: reading them in
 * the order of their transactions misses none, however many write at once.
 */
const schema = `create table event (
  transaction xid8 not null default pg_current_xact_id(), position bigint generated always as identity,
  stream text not null, data jsonb not null, primary key (transaction, position))`

/** One statement that inserts and notifies. */
const append = `with event as (insert into event (stream, data) values ($1, $2) returning 1)
  select pg_notify('event', '') from event`

/** By hand on `pg`. */
export const open = async (url: string): Promise<Appender> => {
  await once(url, schema)
  const opened = await pool(url)
  return {
    append: (stream, item) =>
      use(
        opened,
        (client) => client.query({ name: "append", text: append, values: [stream, JSON.stringify(item)] })
      ),
    count: async () => Number((await once<{ count: string }>(url, "select count(*) from event"))[0]?.count),
    close: () => opened.end()
  }
}

const read = `select transaction, position, data from event
  where (transaction, position) > ($1, $2) and transaction < pg_snapshot_xmin(pg_current_snapshot())
  order by transaction, position`

/** LISTEN; each notification makes it select what is new. */
export const listen = async (url: string, handle: (item: Item) => void): Promise<void> => {
  const listener = await client(url)
  const reader = await client(url)
  let last: { readonly transaction: string; readonly position: string } = { transaction: "0", position: "0" }
  let isReading = false
  let isAsked = false

  const readNew = async () => {
    isAsked = true
    if (isReading) return
    isReading = true
    while (isAsked) {
      isAsked = false
      const { rows } = await reader.query<typeof last & { data: Item }>({
        name: "read",
        text: read,
        values: [last.transaction, last.position]
      })
      for (const row of rows) {
        last = row
        handle(row.data)
      }
    }
    isReading = false
  }

  listener.on("notification", () => void readNew())
  await listener.query("listen event")
  await readNew()
}
