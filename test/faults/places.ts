/** Where the stores of a test are: processes are told of it. */
import * as Mysql from "dunnock/mysql"
import * as Postgres from "dunnock/postgres"
import * as Sqlite from "dunnock/sqlite"
import type { EventStoreError } from "dunnock/EventStoreError"
import type * as EventStore from "dunnock/EventStore"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import { file } from "../contract/scratch.ts"
import { mysql, postgres } from "../services/mod.ts"

export type Place =
  | { readonly adapter: "sqlite"; readonly filename: string }
  | { readonly adapter: "postgres" | "mysql"; readonly url: string }

/** New places, gone when the scope closes. */
export const places: {
  readonly [A in Place["adapter"]]: Effect.Effect<Place, never, Scope.Scope>
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
