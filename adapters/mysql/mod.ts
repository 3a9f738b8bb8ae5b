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
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as EventStore from "../../src/event/EventStore.ts"
import type { EventStoreDriver, Guarantees } from "../../src/event/EventStoreDriver.ts"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import * as MysqlDatabase from "./MysqlDatabase.ts"
import * as MysqlEventStore from "./MysqlEventStore.ts"
import { open } from "./MysqlSchema.ts"

export type { Options, TlsOptions } from "./MysqlDatabase.ts"

/** What the adapter guarantees beyond the promises of every event store. */
export const guarantees: Guarantees = { durable: true, shared: true }

export const make = (
  options: MysqlDatabase.Options
): Effect.Effect<EventStoreDriver, EventStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const database = yield* MysqlDatabase.make(options)
    yield* open(database)
    return yield* MysqlEventStore.make(database, () => Effect.succeed([]))
  })

export const layer = (options: MysqlDatabase.Options): Layer.Layer<EventStore.EventStore, EventStoreError> =>
  EventStore.layer(make(options))
