// Events and documents in one PostgreSQL database.
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { EventStoreError } from "../../src/event/EventStoreError.ts"
import type { Stores } from "../../src/repository/Stores.ts"
import type { Statement } from "../sql/EventLog.ts"
import { cannotOpen, migrate } from "../sql/migrations.ts"
import { check } from "../sql/options.ts"
import * as Changes from "./changes.ts"
import * as PostgresDatabase from "./PostgresDatabase.ts"
import * as PostgresDocuments from "./PostgresDocuments.ts"
import { DatabaseError, toFailure } from "./PostgresError.ts"
import * as PostgresEventStore from "./PostgresEventStore.ts"
import { channel, createMigrations, lockSchema, migrations } from "./schema.ts"

/**
 * Opens, and if need be creates, the stores in a database. Fails with the reason `Unavailable` when it cannot be reached
 * now, and with `CannotOpen` when it is missing, may not be used, or was written by a newer version.
 */
export const make = (
  options: PostgresDatabase.Options
): Effect.Effect<Stores, EventStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    if (!("client" in options)) yield* check("postgres", options)
    const database = yield* Effect.mapError(PostgresDatabase.make(options), opening("postgres"))
    yield* open(database)
    const identity: Statement = [
      `select id, ${channel}, current_setting('default_transaction_isolation') from dunnock_store`,
      []
    ]
    // Of both, so that no first command waits for a connection.
    const [[row]] = yield* Effect.all(
      [database.use(({ run }) => run(identity)), database.share(() => Effect.void)],
      { concurrency: 2 }
    ).pipe(Effect.mapError(opening(database.name)))
    const [store, told, isolation] = row as [string, string, string]
    // What is behind the lock must see what was committed before it was got.
    if (isolation !== "read committed") {
      const problem =
        `default_transaction_isolation of the client must be "read committed", not "${isolation}"`
      return yield* Effect.fail(cannotOpen(database.name, problem))
    }
    const changed = yield* Changes.make(database.listen(told), database.isOwn)
    const documents = PostgresDocuments.make(database, store)
    return {
      events: PostgresEventStore.make(database, store, changed, documents),
      documents: documents.store
    }
  })

const opening = (name: string) => (error: SqlError): EventStoreError =>
  new EventStoreError({ reason: toFailure(name, new DatabaseError(error, "open")) })

/** Brings the database to the newest schema. */
const open = (database: PostgresDatabase.Database): Effect.Effect<void, EventStoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* Effect.mapError(database.client, opening(database.name))
      // Creating what another transaction is creating fails in PostgreSQL, even with "if not exists".
      const alone = <A, E, R>(migrating: Effect.Effect<A, E, R>) =>
        Effect.forEach(
          [lockSchema, ...database.prepare, createMigrations],
          (statement) => client.unsafe(statement),
          { discard: true }
        ).pipe(Effect.andThen(migrating), client.withTransaction)
      yield* Effect.provideService(
        migrate(database.name, migrations, { alone, toError: opening(database.name) }),
        SqlClient.SqlClient,
        client
      )
    })
  )
