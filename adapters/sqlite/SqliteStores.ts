// Events and documents in one SQLite file, over one connection.
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { EventStoreError, Unavailable } from "../../src/event/EventStoreError.ts"
import type { Stores } from "../../src/repository/Stores.ts"
import { cannotOpen, migrate } from "../sql/migrations.ts"
import * as SqliteClient from "./SqliteClient.ts"
import * as SqliteDocuments from "./SqliteDocuments.ts"
import * as SqliteEventStore from "./SqliteEventStore.ts"

/**
 * Opens, and if need be creates, the stores in a file; closed with the scope. Fails with the reason `CannotOpen` when the
 * file is not a database, may not be written, or was written by a newer version, and with `Unavailable` when another
 * process has locked it for too long.
 */
export const make = (
  options: SqliteClient.Options
): Effect.Effect<Stores, EventStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const name = `sqlite ${options.filename}`
    const opening = Effect.mapError((error: SqlError) => {
      const problem = error.reason.message ?? error.message
      return error.reason._tag === "LockTimeoutError"
        ? new EventStoreError({ reason: new Unavailable({ store: name, problem, cause: error }) })
        : cannotOpen(name, problem, error)
    })
    const { client, connection } = yield* opening(SqliteClient.make(options))
    yield* Effect.provideService(migrate(name, SqliteEventStore.migrations), SqlClient.SqlClient, client)
    const [row] = yield* opening(connection.executeValues("select id from dunnock_store", []))
    const store = row![0] as string
    const documents = SqliteDocuments.make(connection, name, store)
    return {
      events: SqliteEventStore.make(connection, name, store, documents),
      documents: documents.documents
    }
  })
