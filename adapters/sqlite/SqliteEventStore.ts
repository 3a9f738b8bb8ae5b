// The event store on one SQLite file.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import {
  type Append,
  type EventStoreDriver,
  type Facts,
  type Outcome,
  plan,
  type StoredEvent
} from "../../src/event/EventStoreDriver.ts"
import { EventStoreError, OutcomeUnknown, Unavailable } from "../../src/event/EventStoreError.ts"
import * as EventLog from "../sql/EventLog.ts"
import { cannotOpen, migrate, schema } from "../sql/migrations.ts"
import * as SqliteClient from "./SqliteClient.ts"
import { isBusy, make as toSqlError, ResultCode, resultCode } from "./SqliteError.ts"

const dialect: EventLog.Dialect = {
  parameter: () => "?",
  inList: (expression, parameter) => `${expression} in (select value from json_each(${parameter}))`,
  list: (values) => JSON.stringify(values),
  upsert: (table, _, columns) =>
    `insert or replace into ${table} (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")})`
}

const migrations = schema({
  text: "text",
  integer: "integer",
  table: "strict",
  keyTable: "strict, without rowid",
  appendOnly: ["update", "delete"].map((change) =>
    `create trigger dunnock_events_no_${change} before ${change} on dunnock_events
    begin select raise(abort, 'dunnock_events is append-only'); end`
  ),
  newId: "lower(hex(randomblob(16)))"
})

/** There are no signals between processes. */
const polling = Effect.sleep("25 millis")

/** Opens, and if need be creates, an event store in a file. */
export const make = (
  options: SqliteClient.Options
): Effect.Effect<EventStoreDriver, EventStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const name = `sqlite ${options.filename}`
    const opening = Effect.mapError((error: SqlError) => {
      const problem = error.reason.message ?? error.message
      return error.reason._tag === "LockTimeoutError"
        ? new EventStoreError({ reason: new Unavailable({ store: name, problem, cause: error }) })
        : cannotOpen(name, problem, error)
    })
    const { client, connection } = yield* opening(SqliteClient.makeBoth(options))
    yield* Effect.provideService(migrate(name, migrations), SqlClient.SqlClient, client)
    const failing = Effect.catch((error: SqlError) =>
      isDefect(error) ? Effect.die(error) : Effect.fail(toError(name, error))
    )
    const run = ([sql, parameters]: EventLog.Statement) => failing(connection.executeValues(sql, parameters))
    const store = (yield* run(["select id from dunnock_store", []]))[0]![0] as string
    const sql = EventLog.statements(dialect, store)
    const heads = makeHeads(connection, sql)

    const append = (appends: ReadonlyArray<Append>, now: number): ReadonlyArray<Outcome> => {
      const { values } = connection
      const { events, outcomes } = plan(appends, {
        store,
        head: heads.log(),
        revision: heads.revision,
        byId: (id) => {
          const [row] = values(...sql.find(id))
          return row && EventLog.toEvent(row)
        },
        match: ({ after, queries }) => {
          for (const query of queries) {
            const [row] = values(...sql.match(after, query))
            if (row !== undefined) {
              return { position: row[0] as number, stream: row[1] as string, type: row[2] as string }
            }
          }
          return undefined
        },
        now
      })
      for (const event of events) {
        for (const insert of sql.insert(event)) connection.run(...insert)
        heads.add(event)
      }
      return outcomes
    }

    /**
     * A single event without a transaction around it: a statement is a transaction. Undefined if that cannot be done now.
     * It is as safe: if another process has written since the heads were read, it has taken the position.
     */
    const appendDirectly = (appends: ReadonlyArray<Append>, now: number) => {
      if (appends.length > 1 || !isSingle(appends[0]!)) return undefined
      try {
        return Effect.succeed(append(appends, now))
      } catch (error) {
        heads.forget()
        if (!isSqlError(error)) return Effect.die(error)
        return error.reason._tag === "UniqueViolation" || isBusy(error)
          ? undefined
          : Effect.fail(toSqlError(error.reason.cause, "commit"))
      }
    }

    return {
      name,
      store,
      groupCommit: true,
      append: (appends) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          appendDirectly(appends, now) ?? Effect.onError(
            connection.transaction(() => append(appends, now)),
            () => Effect.sync(heads.forget)
          )).pipe(failing),
      changed: () => polling,
      ...EventLog.reading(sql, run)
    }
  })

/** Whether an append is one insert, whose outcome depends on nothing but the heads. */
const isSingle = ({ condition, streams: [first, ...others] }: Append): boolean => {
  const [event, ...more] = first!.events
  return condition === undefined && others.length === 0 && more.length === 0 && event!.id === undefined &&
    event!.tags.length === 0
}

/**
 * The newest event of the log and the revisions of the streams lately written, kept in memory for as long as no other
 * connection has written to the file.
 */
const makeHeads = ({ values }: SqliteClient.SqliteConnection, sql: EventLog.Statements) => {
  const capacity = 10_000
  let revisions = new Map<string, number>()
  /** Those of the streams that were written before the map above was last full. */
  let older = new Map<string, number>()
  let log: Facts["head"] | undefined
  let dataVersion: unknown
  const forget = () => {
    revisions = new Map()
    older = new Map()
    log = undefined
  }
  return {
    forget,
    log: () => {
      const [[version]] = values("pragma data_version") as [[unknown]]
      if (version !== dataVersion) forget()
      dataVersion = version
      if (log !== undefined) return log
      const [row] = values(...sql.newest)
      return log = { position: (row?.[0] as number) ?? 0, recordedAt: (row?.[1] as number) ?? 0 }
    },
    revision: (stream: string) => {
      const known = revisions.get(stream) ?? older.get(stream)
      if (known !== undefined) return known
      const [row] = values(...sql.revision(stream))
      return (row![0] as number | null) ?? 0
    },
    add: (event: StoredEvent) => {
      if (revisions.size >= capacity) {
        older = revisions
        revisions = new Map()
      }
      revisions.set(event.stream, event.revision)
      log = event
    }
  }
}

/** A statement that is wrong is a mistake of this adapter: a defect. */
const isDefect = ({ reason }: SqlError): boolean =>
  reason._tag === "ConstraintError" || reason._tag === "UniqueViolation" || reason._tag === "SqlSyntaxError"

const toError = (store: string, error: SqlError): EventStoreError => {
  const { _tag, message, operation } = error.reason
  const problem = message ?? error.message
  const code = resultCode(error)
  if (_tag === "AuthorizationError" || code === ResultCode.corrupt || code === ResultCode.notADatabase) {
    return cannotOpen(store, problem, error)
  }
  // An I/O error while committing leaves open whether the commit record reached the file.
  const Reason = operation === "commit" && _tag === "ConnectionError" ? OutcomeUnknown : Unavailable
  return new EventStoreError({ reason: new Reason({ store, problem, cause: error }) })
}
