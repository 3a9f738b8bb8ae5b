/** Where the stores of a test are: processes are told of it. */
import * as Mysql from "dunnock/mysql"
import * as Postgres from "dunnock/postgres"
import * as Sqlite from "dunnock/sqlite"
import type { EventStoreError } from "dunnock/EventStoreError"
import * as EventStore from "dunnock/EventStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import { file } from "../contract/scratch.ts"
import { mysql, postgres } from "../services/mod.ts"

/** A database of a server. */
export interface OnServer {
  readonly adapter: "postgres" | "mysql"
  readonly url: string
}

export type Place = OnServer | { readonly adapter: "sqlite"; readonly filename: string }

/** New places, gone when the scope closes. */
export const places: {
  readonly [A in Place["adapter"]]: Effect.Effect<A extends "sqlite" ? Place : OnServer, never, Scope.Scope>
} = {
  sqlite: Effect.map(file, (filename) => ({ adapter: "sqlite", filename })),
  postgres: Effect.map(postgres.database, ({ url }) => ({ adapter: "postgres", url })),
  mysql: Effect.map(mysql.database, ({ url }) => ({ adapter: "mysql", url }))
}

/** The stores in a place. */
export const stores = (
  place: Place
): Layer.Layer<EventStore.EventStore | DocumentStore, EventStoreError> => {
  switch (place.adapter) {
    case "sqlite":
      return Sqlite.layer({ filename: place.filename, busyTimeout: "20 seconds" })
    case "postgres":
      return Postgres.layer({ url: place.url })
    case "mysql":
      return Mysql.layer({ url: place.url })
  }
}

/** The event store in a place, closed with the scope. */
export const openStore = (
  place: Place
): Effect.Effect<EventStore.EventStore, EventStoreError, Scope.Scope> =>
  Effect.map(Layer.build(stores(place)), Context.get(EventStore.EventStore))
