/**
 * Events and documents on PostgreSQL, over `@effect/sql-pg`. Any number of processes may use the same database.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore } from "dunnock"
 * import * as Postgres from "dunnock/postgres"
 *
 * const program = Effect.flatMap(EventStore.EventStore, (store) => store.head).pipe(
 *   Effect.provide(Postgres.layer({ host: "localhost", database: "bank", username: "bank" }))
 * )
 * ```
 *
 * @module
 */
import type * as Layer from "effect/Layer"
import type { EventStore } from "../../src/event/EventStore.ts"
import type { Guarantees } from "../../src/event/EventStoreDriver.ts"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import * as Stores from "../../src/repository/Stores.ts"
import type { Options } from "./PostgresDatabase.ts"
import { make } from "./PostgresStores.ts"

export type { ConnectOptions, Options } from "./PostgresDatabase.ts"
export { make } from "./PostgresStores.ts"

/** What the adapter guarantees beyond the promises of every store. */
export const guarantees: Guarantees = { durable: true, shared: true }

/**
 * An event store and a document store in a PostgreSQL database, whose tables are created if they are missing. Fails with
 * the reason `Unavailable` when the database cannot be reached now, and with `CannotOpen` when it is missing, may not be
 * used, or was written by a newer version.
 */
export const layer = (options: Options): Layer.Layer<EventStore | DocumentStore, EventStoreError> =>
  Stores.layer(make(options))
