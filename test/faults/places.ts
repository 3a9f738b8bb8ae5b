/** Where the stores of a test are: processes are told of it. */
import * as Postgres from "dunnock/postgres"
import * as Sqlite from "dunnock/sqlite"
import type { EventStoreError } from "dunnock/EventStoreError"
import type * as EventStore from "dunnock/EventStore"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import { file } from "../contract/scratch.ts"
import { postgres } from "../services/mod.ts"

export type Place =
  | { readonly adapter: "sqlite"; readonly filename: string }
  | { readonly adapter: "postgres"; readonly url: string }

/** New places, gone when the scope closes. */
export const places: {
  readonly [A in Place["adapter"]]: Effect.Effect<Place, never, Scope.Scope>
} = {
  sqlite: Effect.map(file, (filename) => ({ adapter: "sqlite", filename })),
  postgres: Effect.map(postgres.database, ({ url }) => ({ adapter: "postgres", url }))
}

/** The stores in a place. */
export const stores = (
  place: Place
): Layer.Layer<EventStore.EventStore | DocumentStore, EventStoreError> =>
  place.adapter === "sqlite"
    ? Sqlite.layer({ filename: place.filename, busyTimeout: "20 seconds" })
    : Postgres.layer({ url: place.url })
