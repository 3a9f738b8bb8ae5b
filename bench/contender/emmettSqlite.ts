import { load } from "../lib/Peers.ts"
import type { File, Handle, Store } from "../lib/Store.ts"
import { commandOn, core, type EmmettStore, type Recorded, replay, seed } from "./emmett.ts"

/** A connection of Emmett. */
export interface Connection {
  readonly command: (sql: string) => Promise<unknown>
  readonly query: <Row>(sql: string) => Promise<ReadonlyArray<Row>>
  readonly close: () => void
}

interface Consumer {
  readonly processor: (options: {
    readonly processorId: string
    readonly startFrom?: "BEGINNING"
    readonly eachMessage?: (event: Recorded) => void
    readonly projection?: object
  }) => unknown
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** What is used of its event store. */
export interface SqliteStore extends EmmettStore {
  readonly schema: { readonly migrate: () => Promise<void> }
  readonly consumer: (
    options: { readonly pulling: { readonly batchSize?: number; readonly pullingFrequencyInMs: number } }
  ) => Consumer
}

/** What is used of the package. */
export interface EmmettSqlite {
  readonly sqliteConnection: (
    options: { readonly fileName: string }
  ) => Connection
  readonly getSQLiteEventStore: (options: {
    readonly fileName: string
    readonly projections: ReadonlyArray<object>
    readonly connectionOptions: {
      readonly singleton: true
      readonly connection: Connection
    }
  }) => SqliteStore
  readonly sqliteRawBatchSQLProjection: (options: {
    readonly canHandle: ReadonlyArray<"ItemAdded">
    readonly evolve: (events: ReadonlyArray<Recorded>) => ReadonlyArray<string>
    readonly initSQL?: string
  }) => object
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

/** Opens it with one connection: with its default pool, which opens several, concurrent commits fail. */
export const connect = async (
  file: File,
  inline: (library: EmmettSqlite) => ReadonlyArray<object> = () => []
): Promise<
  { readonly library: EmmettSqlite; readonly connection: Connection; readonly store: SqliteStore }
> => {
  const library = await load<EmmettSqlite>("@event-driven-io/emmett-sqlite")
  const fileName = file.filename
  const connection = library.sqliteConnection({ fileName })
  await connection.command(`pragma synchronous = ${file.synchronous}`)
  const store = library.getSQLiteEventStore({
    fileName,
    projections: inline(library).map((projection) => ({ type: "inline", projection })),
    connectionOptions: { singleton: true, connection }
  })
  await store.schema.migrate()
  return { library, connection, store }
}

/** Emmett on SQLite. */
export const open = async (file: File): Promise<Store> => {
  const { connection, store } = await connect(file)
  return {
    command: commandOn(await core(), store),
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
