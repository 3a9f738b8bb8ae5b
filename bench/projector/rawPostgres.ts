import { schema } from "../contender/rawPostgres.ts"
import type { Item } from "../lib/Cart.ts"
import { type Client, client, database } from "../lib/Postgres.ts"
import { batch, type Projector, rounds } from "../lib/Projector.ts"
import * as View from "../lib/View.ts"

interface Row {
  readonly position: string
  readonly stream: string
  readonly data: Item
}

const views = `drop table if exists view, checkpoint;
create table view (id text primary key, count int not null, total bigint not null);
create table checkpoint (id text primary key, position bigint not null)`

const read = (client: Client, position: string) =>
  client.query<Row>({
    name: "read",
    text:
      `select position, stream, type, data from event where position > $1 order by position limit ${batch}`,
    values: [position]
  })

/** The views and the checkpoint in one statement, and so in one transaction. */
const write = (client: Client, views: ReadonlyMap<string, View.View>, position: string) =>
  client.query({
    name: "write",
    text: `with views as (
        insert into view as v select * from unnest($1::text[], $2::int[], $3::bigint[])
        on conflict (id) do update set count = v.count + excluded.count, total = v.total + excluded.total
      ) insert into checkpoint values ('view', $4) on conflict (id) do update set position = $4`,
    values: [
      [...views.keys()],
      [...views.values()].map(({ count }) => count),
      [...views.values()].map(({ total }) => total),
      position
    ]
  })

const project = async (client: Client): Promise<number> => {
  let position = "0"
  let seen = 0
  for (;;) {
    const { rows } = await read(client, position)
    const last = rows.at(-1)
    if (last === undefined) return seen
    position = last.position
    await write(client, View.add(rows, ({ stream }) => stream, ({ data }) => data), position)
    seen += rows.length
  }
}

/** By hand on `pg`. */
export const open = async (server: string): Promise<Projector> => {
  const { isNew, url } = await database(server, "bench_project_raw", true)
  const connection = await client(url)
  if (isNew) await connection.query(schema)
  return {
    count: async () => {
      const { rows } = await connection.query<{ count: string }>("select count(*) from event")
      return Number(rows[0]?.count)
    },
    seed: async (carts, each) => {
      await connection.query(
        `insert into event (stream, revision, type, data)
          select stream, revision, 'ItemAdded', data::jsonb
          from unnest($2::text[]) with ordinality as e(data, revision), unnest($1::text[]) with ordinality as c(stream, cart)
          order by revision, cart`,
        [carts, rounds(each)]
      )
      await connection.query("vacuum analyze event")
    },
    forget: async () => void await connection.query(views),
    project: () => project(connection),
    view: async () => {
      const { rows } = await connection.query(
        "select count(*) carts, sum(count) count, sum(total) total from view"
      )
      return View.totals(rows[0])
    },
    close: () => connection.end()
  }
}
