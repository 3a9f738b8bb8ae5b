// The event store on one SQLite file.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { isSqlError } from "effect/sql/SqlError"
import {
  type Append,
  type EventStoreDriver,
  type Facts,
  type Inline,
  plan,
  type StoredEvent
} from "../../src/event/EventStoreDriver.ts"
import { EventStoreError } from "../../src/event/EventStoreError.ts"
import * as EventLog from "../sql/EventLog.ts"
import { type Migrations, schema } from "../sql/migrations.ts"
import type * as SqliteClient from "./SqliteClient.ts"
import type { SqliteDocuments } from "./SqliteDocuments.ts"
import { failing, isBusy, make as toSqlError } from "./SqliteError.ts"

const dialect: EventLog.Dialect = {
  parameter: () => "?",
  inList: (expression, parameter) => `${expression} in (select value from json_each(${parameter}))`,
  list: (values) => JSON.stringify(values),
  number: (expression) => expression,
  upsert: (table, _, columns) =>
    `insert or replace into ${table} (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")})`
}

/** The tables of the events. */
export const migrations: Migrations = schema({
  text: "text",
  name: "text",
  single: "text not null",
  whereGiven: (column) => `where ${column} is not null`,
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

/** The events on a connection, of the store with this unique name, whose appends write these documents. */
export const make = (
  connection: SqliteClient.SqliteConnection,
  name: string,
  store: string,
  { appending, writeInline }: SqliteDocuments
): EventStoreDriver => {
  const sql = EventLog.statements(dialect, store)
  const heads = makeHeads(connection, sql)
  const fail = failing(name, EventStoreError)
  const run = ([text, parameters]: EventLog.Statement) => fail(connection.executeValues(text, parameters))

  const decide = (appends: ReadonlyArray<Append>, now: number): Planned => {
    const { values } = connection
    return plan(appends, {
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
  }

  const insert = ({ events }: Planned): void => {
    for (const event of events) {
      for (const row of sql.insert(event)) connection.run(...row)
      heads.add(event)
    }
  }

  const append = (appends: ReadonlyArray<Append>, now: number, inline: Inline | undefined) => {
    const planned = decide(appends, now)
    insert(planned)
    const [first] = planned.events
    if (inline !== undefined && first !== undefined) {
      writeInline(inline, planned.events, first.position - 1, now)
    }
    return planned.outcomes
  }

  /**
   * A single event without a transaction around it: a statement is a transaction. Undefined if that cannot be done now.
   * It is as safe: if another process has written since the heads were read, it has taken the position.
   */
  const appendDirectly = (appends: ReadonlyArray<Append>, now: number) => {
    if (appends.length > 1 || !isSingle(appends[0]!)) return undefined
    let isCommit = false
    try {
      const planned = decide(appends, now)
      isCommit = true
      insert(planned)
      return Effect.succeed(planned.outcomes)
    } catch (error) {
      heads.forget()
      if (!isSqlError(error)) return Effect.die(error)
      return error.reason._tag === "UniqueViolation" || isBusy(error)
        ? undefined
        : Effect.fail(isCommit ? toSqlError(error.reason.cause, "commit") : error)
    }
  }

  return {
    name,
    store,
    groupCommit: true,
    append: (appends, inline) =>
      fail(
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const direct = inline === undefined ? appendDirectly(appends, now) : undefined
          if (direct !== undefined) return direct
          const whole = Effect.onError(
            connection.transaction(() => append(appends, now, inline)),
            () => Effect.sync(heads.forget)
          )
          return inline === undefined ? whole : appending(whole)
        })
      ),
    changed: () => polling,
    ...EventLog.reading(sql, run)
  }
}

type Planned = ReturnType<typeof plan>

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
