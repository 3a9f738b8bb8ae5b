import { connect } from "../contender/actPostgres.ts"
import { client, database } from "../lib/Postgres.ts"
import { type Projector, rounds } from "../lib/Projector.ts"
import * as View from "../lib/View.ts"

const seed = `insert into events (name, data, stream, version, meta)
  select 'ItemAdded', data::jsonb, stream, revision - 1, '{"correlation":"seed","causation":{}}'::jsonb
  from unnest($2::text[]) with ordinality as e(data, revision), unnest($1::text[]) with ordinality as c(stream, cart)
  order by revision, cart`

const views = `delete from events_streams; drop table if exists view;
create table view (id text primary key, count int not null, total bigint not null)`

/** Act's reaction with a statement for each event: it hands them out one by one. It keeps its checkpoint by itself. */
export const open = async (server: string): Promise<Projector> => {
  const { url } = await database(server, "bench_project_act", true)
  const connection = await client(url)
  const progress = { seen: 0, isOver: () => false }
  const { app, store } = await connect(url, {
    drainLimit: 500, // the best of 100, 500 and 5,000
    handle: async ({ data, stream }) => {
      if (progress.isOver()) throw new Error("the time is over")
      await connection.query({
        name: "write",
        text: `insert into view as v values ($1, 1, $2) on conflict (id)
          do update set count = v.count + 1, total = v.total + excluded.total`,
        values: [stream, data.quantity * data.price]
      })
      progress.seen++
    }
  })
  return {
    count: async () => {
      const { rows } = await connection.query<{ count: string }>("select count(*) from events")
      return Number(rows[0]?.count)
    },
    seed: async (carts, each) => {
      await connection.query(seed, [carts, rounds(each)])
      await connection.query("vacuum analyze events")
    },
    forget: async () => void await connection.query(views),
    project: async (total, expired) => {
      progress.seen = 0
      progress.isOver = expired
      while (progress.seen < total && !expired()) await app.drain()
      return progress.seen
    },
    view: async () => {
      const { rows } = await connection.query(
        "select count(*) carts, sum(count) count, sum(total) total from view"
      )
      return View.totals(rows[0])
    },
    close: async () => {
      await connection.end()
      await store.dispose()
    }
  }
}
