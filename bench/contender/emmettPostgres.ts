import { once } from "../lib/Postgres.ts"
import { load } from "../lib/Peers.ts"
import type { Commands } from "../lib/Store.ts"
import { commandOn, core, type EmmettStore, type Recorded, seed } from "./emmett.ts"

/** A consumer of Emmett. */
export interface Consumer {
  readonly reactor: (options: {
    readonly processorId: string
    readonly startFrom?: "BEGINNING" | "END"
    readonly eachMessage: (event: Recorded) => void
  }) => unknown
  readonly projector: (options: { readonly processorId: string; readonly projection: object }) => unknown
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** What is used of its event store. */
export interface PostgresStore extends EmmettStore {
  readonly schema: { readonly migrate: () => Promise<unknown> }
  readonly consumer: (options?: {
    readonly pulling?: { readonly batchSize?: number; readonly pullingFrequencyInMs?: number }
    readonly stopWhen?: { readonly noMessagesLeft: true }
  }) => Consumer
  readonly close: () => Promise<void>
}

/** What is used of the package. */
export interface EmmettPostgres {
  readonly getPostgreSQLEventStore: (
    url: string,
    options?: { readonly projections?: ReadonlyArray<object> }
  ) => PostgresStore
  readonly postgreSQLRawBatchSQLProjection: (options: {
    readonly name: string
    readonly canHandle: ReadonlyArray<"ItemAdded">
    readonly evolve: (events: ReadonlyArray<Recorded>) => ReadonlyArray<unknown>
  }) => object
  readonly pongoSingleStreamProjection: <Document>(options: {
    readonly collectionName: string
    readonly canHandle: ReadonlyArray<"ItemAdded">
    readonly evolve: (document: Document, event: Recorded) => Document
    readonly initialState: () => Document
  }) => object
}

/** Loads the package. */
export const library = (): Promise<EmmettPostgres> => load("@event-driven-io/emmett-postgresql")

/** Opens its event store, with projections that it runs inline. */
export const connect = async (
  url: string,
  inline: (library: EmmettPostgres) => ReadonlyArray<object> = () => []
): Promise<PostgresStore> => {
  const emmett = await library()
  const projections = inline(emmett).map((projection) => ({ type: "inline", projection }))
  const store = emmett.getPostgreSQLEventStore(url, { projections })
  await store.schema.migrate()
  return store
}

/** Commands on a store. */
export const commandsOn = async (url: string, store: PostgresStore): Promise<Commands> => ({
  command: commandOn(await core(), store),
  seed: (streams, each) => seed(store, streams, each),
  count: async () =>
    Number((await once<{ count: string }>(url, "select count(*) from emt_messages"))[0]?.count),
  close: () => store.close()
})

/** Emmett on PostgreSQL. */
export const open = async (url: string): Promise<Commands> => commandsOn(url, await connect(url))
