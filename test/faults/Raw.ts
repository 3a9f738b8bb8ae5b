/** What others than the adapters do in a database: transactions that wait before they end. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import mysql from "mysql2/promise"
import type { OnServer } from "./places.ts"

/** An event of type `Written`. */
interface Written {
  readonly stream: string
  readonly revision: number
  readonly id: string
  readonly data: string
}

/** A connection that knows nothing of the store. */
export interface Raw {
  readonly run: (sql: string) => Effect.Effect<void>
  /** Appends an event as the adapter does, in a transaction that waits thrice as long as `wait` says, in seconds. */
  readonly append: (event: Written, wait: () => number, ending: "commit" | "rollback") => Effect.Effect<void>
  /** A transaction that has nothing to do with the log, and waits. */
  readonly elsewhere: (wait: number) => Effect.Effect<void>
}

interface Dialect {
  readonly connect: (
    url: string
  ) => Effect.Effect<(sql: string) => Effect.Effect<unknown, unknown>, unknown, Scope.Scope>
  readonly wait: (seconds: number) => string
  /** Takes the lock of the log. */
  readonly lock: string
  /** Inserts the event behind the newest, once the log is locked. */
  readonly insert: (event: Written, now: number) => string
  /** Wakes those who wait for events. */
  readonly tell: ReadonlyArray<string>
}

const columns = "position, stream, revision, id, type, version, data, recorded_at"

const values = ({ data, id, revision, stream }: Written) =>
  `'${stream}', ${revision}, '${id}', 'Written', 1, '${data}'`

const dialects: { readonly [A in OnServer["adapter"]]: Dialect } = {
  postgres: {
    connect: (url) =>
      Effect.gen(function* () {
        const client = yield* PgClient.make({ url: Redacted.make(url), maxConnections: 1 })
        const connection = yield* client.reserve
        return (sql: string) => connection.executeUnprepared(sql, [], undefined)
      }).pipe(Effect.provide(Reactivity.layer)),
    wait: (seconds) => `select pg_sleep(${seconds})`,
    lock: "select newest from dunnock_lock()",
    insert: (event, now) =>
      `insert into dunnock_events (${columns})
        select newest + 1, ${values(event)}, greatest(recorded, ${now}) from dunnock_lock()`,
    tell: ["select pg_notify('dunnock_' || 'dunnock_events'::regclass::oid, '')"]
  },
  mysql: {
    connect: (url) =>
      Effect.gen(function* () {
        const connection = yield* Effect.acquireRelease(
          Effect.promise(() => mysql.createConnection({ uri: url })),
          (connection) => Effect.sync(() => connection.destroy())
        )
        const run = (sql: string) => Effect.tryPromise(() => connection.query(sql))
        yield* run("set session transaction isolation level read committed")
        return run
      }),
    wait: (seconds) => `do sleep(${seconds})`,
    lock: "select id from dunnock_store for update",
    insert: (event, now) =>
      `insert into dunnock_events (${columns})
        select coalesce(max(position), 0) + 1, ${values(event)},
          greatest(coalesce(max(recorded_at), 0), ${now}) from dunnock_events`,
    tell: []
  }
}

/** Opens a connection of its own, closed with the scope. */
export const open = ({ adapter, url }: OnServer): Effect.Effect<Raw, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { connect, insert, lock, tell, wait } = dialects[adapter]
    const query = yield* connect(url)
    const run = (sql: string) => Effect.asVoid(Effect.orDie(query(sql)))
    const all = (...statements: ReadonlyArray<string>) => Effect.forEach(statements, run, { discard: true })
    return {
      run,
      append: (event, pause, ending) =>
        Effect.suspend(() =>
          all(
            "begin",
            wait(pause()),
            lock,
            wait(pause()),
            insert(event, Date.now()),
            ...tell,
            wait(pause()),
            ending
          )
        ),
      elsewhere: (pause) => all("begin", "insert into elsewhere values ('x')", wait(pause), "commit")
    }
  })
