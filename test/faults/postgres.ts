import * as EventStore from "dunnock/EventStore"
import type { EventStoreError } from "dunnock/EventStoreError"
import * as Postgres from "dunnock/postgres"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** The event store of a PostgreSQL database, closed with the scope. */
export const openStore = (
  url: string
): Effect.Effect<EventStore.EventStore, EventStoreError, Scope.Scope> =>
  Effect.map(Layer.build(Postgres.layer({ url })), Context.get(EventStore.EventStore))
