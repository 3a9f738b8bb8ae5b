import { connect, library } from "../contender/emmettPostgres.ts"
import type { Recorded } from "../contender/emmett.ts"
import { load } from "../lib/Peers.ts"
import { client, database } from "../lib/Postgres.ts"
import { batch, type Projector, rounds, until } from "../lib/Projector.ts"
import * as View from "../lib/View.ts"

interface Dumbo {
  readonly rawSql: (sql: string) => unknown
}

/** As its own function for appending writes them, but many at once. */
const seed = `with events as (
  insert into emt_messages (stream_id, stream_position, partition, message_kind, message_data, message_metadata,
    message_schema_version, message_type, message_id, transaction_id)
  select stream, revision, 'emt:default', 'E', data::jsonb, '{}', '1', 'ItemAdded', gen_random_uuid()::text,
    pg_current_xact_id()
  from unnest($2::text[]) with ordinality as e(data, revision), unnest($1::text[]) with ordinality as c(stream, cart)
  order by revision, cart
) insert into emt_streams (stream_id, stream_position, partition, stream_type, stream_metadata, is_archived)
  select stream, array_length($2::text[], 1), 'emt:default', 'cart', '{}', false from unnest($1::text[]) as stream`

const views = `delete from emt_processors; delete from emt_projections; drop table if exists view;
create table view (id text primary key, count int not null, total bigint not null)`

/** Emmett's consumer with a projection in raw SQL, tuned: it takes 5,000 events at once, and does not wait for more. */
export const open = async (server: string): Promise<Projector> => {
  const { url } = await database(server, "bench_project_emmett", true)
  const store = await connect(url)
  const { postgreSQLRawBatchSQLProjection } = await library()
  const { rawSql } = await load<Dumbo>("@event-driven-io/dumbo")
  const connection = await client(url)
  return {
    count: async () => {
      const { rows } = await connection.query<{ count: string }>("select count(*) from emt_messages")
      return Number(rows[0]?.count)
    },
    seed: async (carts, each) => {
      await connection.query(seed, [carts, rounds(each)])
      await connection.query("vacuum analyze")
    },
    forget: async () => void await connection.query(views),
    project: async (total, expired) => {
      let seen = 0
      const projection = postgreSQLRawBatchSQLProjection({
        name: "views",
        canHandle: ["ItemAdded"],
        evolve: (events) => {
          const added = View.add(events, ({ metadata }: Recorded) => metadata.streamName, ({ data }) => data)
          seen += events.length
          return [rawSql(
            `insert into view as v values ${View.literals(added)} on conflict (id)
              do update set count = v.count + excluded.count, total = v.total + excluded.total`
          )]
        }
      })
      const consumer = store.consumer({
        pulling: { batchSize: batch, pullingFrequencyInMs: 1 },
        stopWhen: { noMessagesLeft: true }
      })
      consumer.projector({ processorId: `views-${Date.now()}`, projection })
      let isOver = false
      const running = consumer.start().finally(() => isOver = true)
      await until(() => isOver || expired())
      const done = seen
      // Asked to stop, it may go on with what it has read; what it was handed by now is what counts.
      await Promise.race([Promise.all([consumer.stop(), running]), until(() => isOver)])
      return seen === total ? total : done
    },
    view: async () => {
      const { rows } = await connection.query(
        "select count(*) carts, sum(count) count, sum(total) total from view"
      )
      return View.totals(rows[0])
    },
    close: async () => {
      await connection.end()
      await store.close()
    }
  }
}
