// The tables of the SQL event stores, and how they came to be. A migration that has been released is never changed.
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { CannotOpen, EventStoreError, Unavailable } from "../../src/event/EventStoreError.ts"

/** The statements of each migration, in their order, for one database. */
export type Migrations = ReadonlyArray<readonly [name: string, statements: ReadonlyArray<string>]>

/** What the databases call what the tables are made of. */
export interface Types {
  /** Text of any length. */
  readonly text: string
  /** Text of at most 255 characters, by which rows are found; compared by code points. */
  readonly name: string
  /** The type of the one column of a table that has one row. */
  readonly single: string
  /** An integer of 64 bits. */
  readonly integer: string
  /** What goes behind the definition of a table. */
  readonly table: string
  /** What goes behind the definition of a table that is nothing but its key. */
  readonly keyTable: string
  /** The statements by which the database refuses to change or remove an event. */
  readonly appendOnly: ReadonlyArray<string>
  /** Functions of the database over these tables. */
  readonly functions?: ReadonlyArray<string>
  /** What goes behind a unique index that leaves out the rows in which a column is null, if that has to be said. */
  readonly whereGiven: (column: string) => string
  /** The rest of a select that makes a new unique id. */
  readonly newId: string
}

/** The tables of an event store. */
export const schema = (
  { appendOnly, functions = [], integer, keyTable, name, newId, single, table, text, whereGiven }: Types
): Migrations => [
  ["events", [
    `create table dunnock_events (
      position ${integer} primary key,
      stream ${name} not null,
      revision ${integer} not null,
      id ${name},
      type ${name} not null,
      version ${integer} not null,
      data ${text} not null,
      metadata ${text},
      tags ${text},
      recorded_at ${integer} not null,
      unique (stream, revision)
    ) ${table}`,
    `create unique index dunnock_events_id on dunnock_events (id) ${whereGiven("id")}`,
    `create table dunnock_event_tags (
      tag ${name} not null,
      position ${integer} not null,
      primary key (tag, position)
    ) ${keyTable}`,
    ...appendOnly,
    ...functions
  ]],
  ["store", [
    `create table dunnock_store (id ${single}) ${table}`,
    `insert into dunnock_store select ${newId}`
  ]],
  ["snapshots", [
    `create table dunnock_snapshots (
      stream ${name} primary key not null,
      revision ${integer} not null,
      position ${integer} not null,
      fingerprint ${text} not null,
      state ${text} not null
    ) ${table}`
  ]]
]

const table = "dunnock_migrations"

/**
 * Brings the database of the current `SqlClient` to the newest schema, once, whoever else is doing so; a database that
 * has it is only read. Fails with the reason `CannotOpen` when its schema is newer than this program, or it cannot be
 * migrated, and with `Unavailable` when somebody else has locked it for too long.
 */
export const migrate = (
  store: string,
  migrations: Migrations,
  { alone = (migrating) => migrating, toError = (error) => errorOf(store, error) }: {
    /** Keeps others from migrating meanwhile, where the database does not do so by itself. */
    readonly alone?: <A, E>(
      migrating: Effect.Effect<A, E, SqlClient.SqlClient>
    ) => Effect.Effect<A, E | SqlError, SqlClient.SqlClient>
    /** What an error of the database means. */
    readonly toError?: (error: SqlError) => EventStoreError
  } = {}
): Effect.Effect<void, EventStoreError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const version = Effect.map(
      sql.unsafe<{ readonly newest: number }>(`select max(migration_id) as newest from ${table}`),
      ([row]) => Number(row?.newest ?? 0)
    )
    const migrated = Migrator.make({})({
      table,
      loader: Effect.succeed(migrations.map(([name, statements], i) => [
        i + 1,
        name,
        Effect.succeed(Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }))
      ]))
    })
    // A new database has no such table yet.
    const found = yield* Effect.orElseSucceed(version, () => 0)
    return found >= migrations.length ? found : yield* Effect.andThen(alone(migrated), version)
  }).pipe(
    Effect.mapError((error) => {
      const cause = isSqlError(error) ? error : error.cause
      return isSqlError(cause) ? toError(cause) : cannotOpen(store, error.message, error)
    }),
    Effect.flatMap((newest) =>
      newest <= migrations.length ? Effect.void : Effect.fail(
        cannotOpen(
          store,
          `its schema is version ${newest}, newer than version ${migrations.length} of this program`
        )
      )
    )
  )

const errorOf = (store: string, error: SqlError): EventStoreError =>
  error.reason._tag === "LockTimeoutError"
    ? new EventStoreError({ reason: new Unavailable({ store, problem: error.message, cause: error }) })
    : cannotOpen(store, error.message, error)

/** The error of a store that cannot be opened. */
export const cannotOpen = (store: string, problem: string, cause?: unknown): EventStoreError =>
  new EventStoreError({
    reason: new CannotOpen({ store, problem, ...(cause === undefined ? {} : { cause }) })
  })
