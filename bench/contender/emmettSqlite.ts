import { load } from "../lib/Peers.ts"
import type { File, Handle, Store } from "../lib/Store.ts"
import { commandOn, core, type EmmettStore, type Recorded, replay, seed } from "./emmett.ts"

interface Connection {
  readonly command: (sql: string) => Promise<unknown>
  readonly query: <Row>(sql: string) => Promise<ReadonlyArray<Row>>
  readonly close: () => void
}

interface Consumer {
  readonly processor: (options: {
    readonly processorId: string
    readonly startFrom: "BEGINNING"
    readonly eachMessage: (event: Recorded) => void
  }) => unknown
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

interface SqliteStore extends EmmettStore {
  readonly schema: { readonly migrate: () => Promise<void> }
  readonly consumer: (
    options: { readonly pulling: { readonly pullingFrequencyInMs: number } }
  ) => Consumer
}

interface EmmettSqlite {
  readonly sqliteConnection: (
    options: { readonly fileName: string }
  ) => Connection
  readonly getSQLiteEventStore: (options: {
    readonly fileName: string
    readonly connectionOptions: {
      readonly singleton: true
      readonly connection: Connection
    }
  }) => SqliteStore
}

/** Its consumer has no end: it is stopped once it has handed out everything, or the time is over. */
const consume = (store: SqliteStore) => async (total: number, handle: Handle, expired: () => boolean) => {
  const end = Promise.withResolvers<void>()
  let seen = 0
  const consumer = store.consumer({ pulling: { pullingFrequencyInMs: 1 } })
  consumer.processor({
    processorId: `reader-${performance.now()}`,
    startFrom: "BEGINNING",
    eachMessage: (event) => {
      handle(event.metadata.streamName, event.data)
      if (++seen === total || (seen % 100 === 0 && expired())) end.resolve()
    }
  })
  await Promise.race([consumer.start(), end.promise])
  await consumer.stop()
}

/** Emmett on SQLite with one connection: with its default pool, which opens several, concurrent commits fail. */
export const open = async (file: File): Promise<Store> => {
  const emmett = await core()
  const { sqliteConnection, getSQLiteEventStore } = await load<EmmettSqlite>(
    "@event-driven-io/emmett-sqlite"
  )
  const fileName = file.filename
  const connection = sqliteConnection({ fileName })
  await connection.command(`pragma synchronous = ${file.synchronous}`)
  const store = getSQLiteEventStore({
    fileName,
    connectionOptions: { singleton: true, connection }
  })
  await store.schema.migrate()

  return {
    command: commandOn(emmett, store),
    seed: (streams, each) => seed(store, streams, each),
    count: async () => {
      const rows = await connection.query<{ count: number }>(
        "select count(*) as count from emt_messages"
      )
      return rows[0]?.count ?? 0
    },
    replay: (stream) => replay(store, stream),
    consume: consume(store),
    close: async () => connection.close()
  }
}
