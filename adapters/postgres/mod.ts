/**
 * Events on PostgreSQL, over `@effect/sql-pg`. Any number of processes may use the same database.
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
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as EventStore from "../../src/event/EventStore.ts"
import type { EventStoreDriver, Guarantees } from "../../src/event/EventStoreDriver.ts"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import * as PostgresDatabase from "./PostgresDatabase.ts"
import { failing, toEventStoreError } from "./PostgresError.ts"
import * as PostgresEventStore from "./PostgresEventStore.ts"

export type { ConnectOptions, Options } from "./PostgresDatabase.ts"

/** What the adapter guarantees beyond the promises of every store. */
export const guarantees: Guarantees = { durable: true, shared: true }

/** Opens, and if need be creates, the stores in a database. */
export const make = (
  options: PostgresDatabase.Options
): Effect.Effect<EventStoreDriver, EventStoreError, Scope.Scope> =>
  PostgresDatabase.make(options).pipe(
    failing(toEventStoreError("postgres", "open")),
    Effect.flatMap(PostgresEventStore.make)
  )

/**
 * The stores in a PostgreSQL database, whose tables are created if they are missing. Fails with the reason `Unavailable`
 * when the database cannot be reached now, and with `CannotOpen` when it may not be used, does not exist, or was written
 * by a newer version.
 */
export const layer = (options: PostgresDatabase.Options): Layer.Layer<EventStore.EventStore, EventStoreError> =>
  EventStore.layer(make(options))
