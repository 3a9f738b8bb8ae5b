/**
 * Events and documents in one SQLite file, on `node:sqlite`: Bun, Deno and Node 22.16 or later alike. Several processes may
 * have the same file open.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore } from "dunnock"
 * import * as Sqlite from "dunnock/sqlite"
 *
 * const program = Effect.flatMap(EventStore.EventStore, (store) => store.head).pipe(
 *   Effect.provide(Sqlite.layer({ filename: "bank.db" }))
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
import type { Options } from "./SqliteClient.ts"
import { make } from "./SqliteStores.ts"

export type { Options } from "./SqliteClient.ts"
export { make } from "./SqliteStores.ts"

/** What the adapter guarantees beyond the promises of every store. */
export const guarantees: Guarantees = { durable: true, shared: true }

/**
 * An event store and a document store in a SQLite file, which is created if it is missing. Fails with the reason
 * `CannotOpen` when the file is not a database, may not be written, or was written by a newer version.
 */
export const layer = (options: Options): Layer.Layer<EventStore | DocumentStore, EventStoreError> =>
  Stores.layer(make(options))
