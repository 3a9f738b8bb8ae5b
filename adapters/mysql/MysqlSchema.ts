// What MySQL and MariaDB call what the tables are made of, and how the tables are made. Not public.
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { EventStoreError, Unavailable } from "../../src/event/EventStoreError.ts"
import { cannotOpen, type Migrations, schema } from "../sql/migrations.ts"
import type { Database, Session } from "./MysqlDatabase.ts"
import { type Types, typesOf } from "./MysqlDialect.ts"
import { Errno, errno, isThere } from "./MysqlError.ts"

const migrations = ({ integer, name, table, text }: Types): Migrations =>
  schema({
    text,
    name,
    single: `${name} not null primary key`,
    integer,
    table,
    keyTable: table,
    appendOnly: ["dunnock_events", "dunnock_event_tags"].flatMap((table) =>
      ["update", "delete"].map((change) =>
        `create trigger ${table}_no_${change} before ${change} on ${table}
        for each row signal sqlstate '45000' set message_text = '${table} is append-only'`
      )
    ),
    whereGiven: () => "",
    newId: "uuid() where not exists (select 1 from dunnock_store)"
  })

/** The least that a server must take at once: the longest document, when none of its characters is plain. */
const leastPacket = 16 * 1024 * 1024

const inspect = (store: string, session: Session) =>
  Effect.gen(function* () {
    const [collations, variables] = yield* session.run([
      [
        "select collation_name from information_schema.collations where collation_name in ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') order by 1 desc",
        []
      ],
      ["select version(), @@max_allowed_packet", []]
    ])
    const collation = collations!.rows[0]?.[0]
    const [version, packet] = variables!.rows[0]!
    if (collation === undefined) {
      return yield* Effect.fail(
        cannotOpen(store, `the server, ${version}, is too old: it takes MariaDB 10.6 or MySQL 8.0.17`)
      )
    }
    if (Number(packet) < leastPacket) {
      return yield* Effect.fail(
        cannotOpen(store, `max_allowed_packet of the server is ${packet}; it must be at least ${leastPacket}`)
      )
    }
    return collation as string
  })

const problemOf = (error: SqlError): string => {
  switch (errno(error)) {
    case Errno.unknownDatabase:
      return `${error.message}: create it first`
    case Errno.noSuperForTriggers:
      return `the triggers that keep the log from being changed cannot be created, since the server writes a binary log: set log_bin_trust_function_creators = 1 on the server, or open the store once as a user with the privilege SUPER (${error.message})`
    default:
      return error.message
  }
}

/** The error of a database that cannot be opened, now or at all. */
export const openError = (store: string, error: SqlError): EventStoreError => {
  const { _tag, message } = error.reason
  if (_tag === "ConnectionError") {
    const problem = /ETIMEDOUT/.test(message ?? "")
      ? "no MySQL server answered in time; another kind of server may be listening there"
      : error.reason.cause instanceof RangeError
      ? `what answers there does not speak as a MySQL server (${message})`
      : problemOf(error)
    return new EventStoreError({ reason: new Unavailable({ store, problem, cause: error }) })
  }
  return _tag === "LockTimeoutError" || _tag === "DeadlockError"
    ? new EventStoreError({ reason: new Unavailable({ store, problem: error.message, cause: error }) })
    : cannotOpen(store, problemOf(error), error)
}

/** In seconds: how long to wait for another process that is migrating. */
const migrationPatience = 30

/**
 * Runs what is missing. The server commits each statement that changes a table by itself: a migration is noted when all
 * of its statements have been run, and run again from its beginning if that was cut short.
 */
const migrate = (store: string, session: Session, types: Types) =>
  Effect.gen(function* () {
    const all = migrations(types)
    const one = (sql: string, parameters: ReadonlyArray<unknown> = []) =>
      Effect.map(session.run([[sql, parameters]], { slow: true }), ([result]) => result!.rows[0]?.[0])
    const version = Effect.map(
      Effect.catchIf(
        one("select max(migration_id) from dunnock_migrations"),
        (error) => errno(error) === Errno.noSuchTable,
        () => Effect.succeed(0)
      ),
      Number
    )
    const locked = Effect.gen(function* () {
      yield* one(`create table if not exists dunnock_migrations (
        migration_id int not null primary key,
        created_at timestamp not null default current_timestamp,
        name ${types.name} not null
      ) engine = InnoDB row_format = dynamic`)
      for (let i = yield* version; i < all.length; i++) {
        const [name, statements] = all[i]!
        for (const statement of statements) {
          yield* Effect.catchIf(one(statement), isThere, () => Effect.void)
        }
        yield* one("insert into dunnock_migrations (migration_id, name) values (?, ?)", [i + 1, name])
      }
    })
    const found = yield* version
    if (found < all.length) {
      const lock = "concat('dunnock ', left(sha1(database()), 40))"
      if (Number(yield* one(`select get_lock(${lock}, ${migrationPatience})`)) !== 1) {
        const problem =
          `another process has been creating its tables for more than ${migrationPatience} seconds`
        return yield* Effect.fail(new EventStoreError({ reason: new Unavailable({ store, problem }) }))
      }
      yield* Effect.ensuring(locked, Effect.ignore(one(`select release_lock(${lock})`)))
    }
    const newest = yield* version
    if (newest > all.length) {
      const problem = `its schema is version ${newest}, newer than version ${all.length} of this program`
      return yield* Effect.fail(cannotOpen(store, problem))
    }
  })

/** Sees that the server is fit and brings its tables to the newest version, whoever else is doing so. */
export const open = (
  database: Database
): Effect.Effect<Types, EventStoreError> =>
  database.use((session) =>
    Effect.gen(function* () {
      const collation = yield* inspect(database.name, session)
      const types = typesOf(collation)
      yield* migrate(database.name, session, types)
      return types
    })
  ).pipe(
    Effect.mapError((error) => error._tag === "SqlError" ? openError(database.name, error) : error)
  )
