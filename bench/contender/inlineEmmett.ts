import { once } from "../lib/Postgres.ts"
import type { Inlined } from "../lib/Store.ts"
import * as View from "../lib/View.ts"
import { commandOn, core, type Recorded, seed } from "./emmett.ts"
import { commandsOn, connect as connectPostgres } from "./emmettPostgres.ts"
import { connect as connectSqlite } from "./emmettSqlite.ts"

/** Emmett on PostgreSQL with a document of each stream, kept by Pongo in the transaction of the append. */
export const openPostgres = async (url: string): Promise<Inlined> => {
  const store = await connectPostgres(url, (library) => [
    library.pongoSingleStreamProjection<View.View>({
      collectionName: "views",
      canHandle: ["ItemAdded"],
      evolve: (view, { data }) => View.apply(view, data),
      initialState: () => View.empty
    })
  ])
  return {
    ...await commandsOn(url, store),
    view: async () => {
      const rows = await once(
        url,
        `select count(*) carts, sum((data ->> 'count')::int) count, sum((data ->> 'total')::bigint) total from views`
      )
      return View.totals(rows[0])
    }
  }
}

const evolve = (events: ReadonlyArray<Recorded>) => {
  const added = View.add(events, ({ metadata }) => metadata.streamName, ({ data }) => data)
  return [`insert into view values ${View.literals(added)} on conflict (id)
    do update set count = count + excluded.count, total = total + excluded.total`]
}

/** Emmett on SQLite with a row of each stream, kept by SQL in the transaction of the append. */
export const openSqlite = async (filename: string): Promise<Inlined> => {
  const { connection, store } = await connectSqlite({ filename, synchronous: "FULL" }, (library) => [
    library.sqliteRawBatchSQLProjection({ canHandle: ["ItemAdded"], evolve })
  ])
  await connection.command(
    "create table view (id text primary key, count integer not null, total integer not null) without rowid"
  )
  const one = async (statement: string) => (await connection.query<Record<string, unknown>>(statement))[0]
  return {
    command: commandOn(await core(), store),
    seed: (streams, each) => seed(store, streams, each),
    count: async () => Number((await one("select count(*) as count from emt_messages"))?.["count"]),
    view: async () =>
      View.totals(await one("select count(*) as carts, sum(count) as count, sum(total) as total from view")),
    close: async () => connection.close()
  }
}
