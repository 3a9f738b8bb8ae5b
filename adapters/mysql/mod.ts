/**
 * Events and documents in a database of MySQL (8.0.17 or later) or MariaDB (10.6 or later), over `mysql2`: Bun, Deno and
 * Node. Any number of processes may use it.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore } from "dunnock"
 * import * as Mysql from "dunnock/mysql"
 *
 * const program = Effect.flatMap(EventStore.EventStore, (store) => store.head).pipe(
 *   Effect.provide(Mysql.layer({ host: "127.0.0.1", username: "bank", password: "secret", database: "bank" }))
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
import type { Options } from "./MysqlDatabase.ts"
import { make } from "./MysqlStores.ts"

export type { Options, TlsOptions } from "./MysqlDatabase.ts"
export { make } from "./MysqlStores.ts"

/** What the adapter guarantees beyond the promises of every store. */
export const guarantees: Guarantees = { durable: true, shared: true }

/**
 * The stores in a database, whose tables are created if they are missing. Fails with the reason `Unavailable` when no
 * MySQL server answers in time, and with `CannotOpen` when the server or the database may not be used, is missing, is set
 * up in a way that does not do, or was written by a newer version.
 */
export const layer = (options: Options): Layer.Layer<EventStore | DocumentStore, EventStoreError> =>
  Stores.layer(make(options))
