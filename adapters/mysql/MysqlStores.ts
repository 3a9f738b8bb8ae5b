// Events and documents in one database of MySQL or MariaDB.
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import type { Stores } from "../../src/repository/Stores.ts"
import { check } from "../sql/options.ts"
import * as MysqlDatabase from "./MysqlDatabase.ts"
import * as MysqlDocuments from "./MysqlDocuments.ts"
import * as MysqlEventStore from "./MysqlEventStore.ts"
import { open, openError } from "./MysqlSchema.ts"

/**
 * Opens the stores in a database, whose tables are created if they are missing; closed with the scope. Fails with the
 * reason `Unavailable` when no MySQL server answers in time, and with `CannotOpen` when the server or the database may not
 * be used, is missing, is set up in a way that does not do, or was written by a newer version.
 */
export const make = (
  options: MysqlDatabase.Options
): Effect.Effect<Stores, EventStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* check("mysql", options)
    const database = yield* MysqlDatabase.make(options)
    const types = yield* open(database)
    const { rows } = yield* Effect.mapError(
      database.run(["select id from dunnock_store", []]),
      (error) => openError(database.name, error)
    )
    const store = rows[0]![0] as string
    const documents = MysqlDocuments.make(database, types, store)
    return { events: MysqlEventStore.make(database, store, documents), documents: documents.documents }
  })
