import { connect } from "../contender/emmettSqlite.ts"
import type { Recorded } from "../contender/emmett.ts"
import { batch, type Projector, rounds, until } from "../lib/Projector.ts"
import * as View from "../lib/View.ts"

/** As its own function for appending writes them, but many at once. The text needs no escape. */
const insert = (carts: ReadonlyArray<string>, revision: number, data: string): string =>
  `insert into emt_messages (stream_id, stream_position, partition, message_kind, message_data, message_metadata,
    message_schema_version, message_type, message_id) values ${
    carts.map((cart) =>
      `('${cart}', ${revision}, 'emt:default', 'E', '${data}', '{}', '1', 'ItemAdded', '${crypto.randomUUID()}')`
    ).join(",")
  }`

const views = [
  "delete from emt_processors",
  "drop table if exists view",
  "create table view (id text primary key, count integer not null, total integer not null) without rowid"
]

/** Emmett's consumer with a projection in raw SQL, tuned: it takes 5,000 events at once, and hardly waits for more. */
export const open = async (filename: string): Promise<Projector> => {
  const { connection, library, store } = await connect({ filename, synchronous: "NORMAL" })
  return {
    count: async () =>
      (await connection.query<{ count: number }>("select count(*) as count from emt_messages"))[0]?.count ??
        0,
    seed: async (carts, each) => {
      await connection.command("begin immediate")
      for (const [index, data] of rounds(each).entries()) {
        for (let at = 0; at < carts.length; at += 1000) {
          await connection.command(insert(carts.slice(at, at + 1000), index + 1, data))
        }
      }
      await connection.command("commit")
    },
    forget: async () => {
      for (const statement of views) await connection.command(statement)
    },
    project: async (total, expired) => {
      let seen = 0
      const projection = library.sqliteRawBatchSQLProjection({
        canHandle: ["ItemAdded"],
        evolve: (events) => {
          const added = View.add(events, ({ metadata }: Recorded) => metadata.streamName, ({ data }) => data)
          seen += events.length
          return [`insert into view values ${View.literals(added)} on conflict (id)
            do update set count = count + excluded.count, total = total + excluded.total`]
        }
      })
      const consumer = store.consumer({ pulling: { batchSize: batch, pullingFrequencyInMs: 1 } })
      consumer.processor({ processorId: `views-${Date.now()}`, projection })
      void consumer.start()
      await until(() => seen === total || expired())
      const done = seen
      await consumer.stop()
      return done
    },
    view: async () => {
      const rows = await connection.query<Record<string, unknown>>(
        "select count(*) as carts, sum(count) as count, sum(total) as total from view"
      )
      return View.totals(rows[0])
    },
    close: async () => connection.close()
  }
}
