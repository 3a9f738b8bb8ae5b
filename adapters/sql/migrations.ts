// The tables of the SQL event stores, and how they came to be. A migration that has been released is never changed.
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { CannotOpen, EventStoreError } from "../../src/event/EventStoreError.ts"

/** The statements of each migration, in their order, for one database. */
export type Migrations = ReadonlyArray<readonly [name: string, statements: ReadonlyArray<string>]>

const table = "dunnock_migrations"

/**
 * Brings the database of the current `SqlClient` to the newest schema, once, whoever else is doing so. Fails with the
 * reason `CannotOpen` when its schema is newer than this program, or it cannot be migrated.
 */
export const migrate = (
  store: string,
  migrations: Migrations
): Effect.Effect<void, EventStoreError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* Migrator.make({})({
      table,
      loader: Effect.succeed(migrations.map(([name, statements], i) => [
        i + 1,
        name,
        Effect.succeed(Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }))
      ]))
    })
    const [row] = yield* sql.unsafe<{ readonly newest: number }>(
      `select max(migration_id) as newest from ${table}`
    )
    return Number(row?.newest ?? 0)
  }).pipe(
    Effect.mapError((cause) => cannotOpen(store, cause.message, cause)),
    Effect.flatMap((newest) =>
      newest <= migrations.length ? Effect.void : Effect.fail(
        cannotOpen(
          store,
          `its schema is version ${newest}, newer than version ${migrations.length} of this program`
        )
      )
    )
  )

/** The error of a store that cannot be opened. */
export const cannotOpen = (store: string, problem: string, cause?: unknown): EventStoreError =>
  new EventStoreError({
    reason: new CannotOpen({ store, problem, ...(cause === undefined ? {} : { cause }) })
  })
