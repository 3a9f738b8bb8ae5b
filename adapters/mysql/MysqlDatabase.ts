// Connections to MySQL and MariaDB over mysql2, and transactions that take few round trips. Not public.
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import mysql from "mysql2"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import type { Rows, Statement } from "../sql/EventLog.ts"
import { cannotOpen } from "../sql/migrations.ts"
import { make as toSqlError, type Operation } from "./MysqlError.ts"

/** Where the database is. */
export interface Options {
  /** `mysql://user:password@host:port/database`; what is given beside it counts more. */
  readonly url?: string | Redacted.Redacted | undefined
  /** Defaults to `localhost`. */
  readonly host?: string | undefined
  /** Defaults to 3306. */
  readonly port?: number | undefined
  /** The database that holds the tables; it must exist. */
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted | undefined
  /** Whether the connection is encrypted, and by which certificates if the system does not know them. */
  readonly ssl?: boolean | TlsOptions | undefined
  /** The most connections of this process. Defaults to 10. */
  readonly maxConnections?: number | undefined
  /** How long to wait for a server to answer. Defaults to 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
}

/** Certificates for TLS, as PEM text. */
export interface TlsOptions {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

/** What came of a statement: its rows, and how many rows it changed or found to change. */
export interface Result {
  readonly rows: Rows
  readonly changes: number
}

/** A connection, for as long as it is lent. */
export interface Session {
  /** Runs statements in their order, together in one round trip unless they are very long. */
  readonly run: (
    statements: ReadonlyArray<Statement>,
    options?: { readonly slow: boolean }
  ) => Effect.Effect<ReadonlyArray<Result>, SqlError>
}

/** A transaction; it begins with the first statements that are run. */
export interface Transaction extends Session {
  /** Runs the last statements and commits, in one round trip with them. Without it all is rolled back. */
  readonly commit: (statements: ReadonlyArray<Statement>) => Effect.Effect<ReadonlyArray<Result>, SqlError>
}

export interface Database {
  /** Names the database in errors: its kind and where it is. */
  readonly name: string
  /** Runs one statement on any connection. */
  readonly run: (statement: Statement) => Effect.Effect<Result, SqlError>
  /**
   * Runs one statement that is a transaction of its own, if `isStill` holds when there is a connection to run it on; else
   * undefined. Cannot be interrupted.
   */
  readonly commit: (
    statement: Statement,
    isStill: () => boolean
  ) => Effect.Effect<Result | undefined, SqlError>
  /** Calls a function whenever a new connection is made: it may lead to another server than those before. */
  readonly onConnect: (f: () => void) => void
  /** Lends a connection. */
  readonly use: <A, E>(body: (session: Session) => Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError>
  /** Runs a transaction, which cannot be interrupted. Nothing has been written when it fails before committing. */
  readonly transaction: <A, E>(
    body: (transaction: Transaction) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | SqlError>
}

/** In milliseconds: after it a server that does not answer is taken for lost, unless a statement may be slow. */
const patience = 60_000

/** How long to wait for the locks of rows and of tables, in seconds. */
const rowLock = 10
const tableLock = 60

/** How long a transaction may be left open with nothing asked of it, since its client is paused or gone, in seconds. */
const idleTransaction = 5

/**
 * What must not depend on how the server is set up. What is committed is read at once, so that whoever has got a lock sees
 * the newest rows. Texts are sorted by more than the first 1,024 bytes, for which a sort needs room.
 */
const settings: ReadonlyArray<string> = [
  "set names utf8mb4 collate utf8mb4_bin",
  "set session transaction isolation level read committed",
  "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
  "set session autocommit = 1",
  `set session innodb_lock_wait_timeout = ${rowLock}`,
  // MariaDB alone has the second, and alone reads what is in such a comment.
  `set session lock_wait_timeout = ${tableLock} /*M!, session idle_transaction_timeout = ${idleTransaction} */`,
  "set session max_sort_length = 65536",
  "set session sort_buffer_size = 16777216"
]

/** In characters. A server takes 16 MB at once, and no character is longer than 4 bytes. */
const textLength = 2_000_000

/** Statements as texts to be sent, and how many of them each text holds. */
const texts = (
  statements: ReadonlyArray<Statement>
): ReadonlyArray<readonly [text: string, count: number]> => {
  const all: Array<[string, number]> = []
  for (const [sql, parameters] of statements) {
    const text = parameters.length === 0 ? sql : mysql.format(sql, parameters as Array<never>)
    const last = all[all.length - 1]
    if (last === undefined || last[0].length + text.length > textLength) all.push([text, 1])
    else {
      last[0] += `;${text}`
      last[1]++
    }
  }
  return all
}

const toResult = (value: unknown): Result =>
  Array.isArray(value)
    ? { rows: value, changes: 0 }
    : { rows: [], changes: (value as mysql.ResultSetHeader).affectedRows }

const send = (
  connection: mysql.PoolConnection,
  sql: string,
  count: number,
  operation: Operation,
  slow: boolean
): Effect.Effect<ReadonlyArray<Result>, SqlError> =>
  Effect.callback((resume) => {
    const timeout = slow ? {} : { timeout: patience }
    connection.query({ sql, rowsAsArray: true, ...timeout }, (error: unknown, result: unknown) => {
      if (error === null) {
        return resume(
          Effect.succeed(count === 1 ? [toResult(result)] : (result as Array<unknown>).map(toResult))
        )
      }
      const failure = toSqlError(error, operation)
      // What comes after such an error is not known: the connection is not used again.
      if (failure.reason._tag === "ConnectionError") connection.destroy()
      resume(Effect.fail(failure))
    })
  })

/** Sends statements; the text that holds the last of them does what `last` says. */
const sending =
  (connection: mysql.PoolConnection, last: Operation = "execute"): Session["run"] =>
  (statements, { slow } = { slow: false }) => {
    const parts = texts(statements)
    if (parts.length === 1) return send(connection, ...parts[0]!, last, slow)
    const operation = (i: number) => i < parts.length - 1 ? "execute" : last
    return Effect.map(
      Effect.forEach(parts, ([text, count], i) => send(connection, text, count, operation(i), slow)),
      (results) => results.flat()
    )
  }

/** How long to wait for a rollback, in milliseconds: whoever comes next on the connection waits for it too. */
const rollbackWithin = 10_000

const begin: Statement = ["begin", []]
const commit: Statement = ["commit", []]

/** A transaction on a connection, and what is left to be done at its end. */
const transactionOf = (connection: mysql.PoolConnection) => {
  let begun = false
  let done = false
  /** Puts BEGIN before the first statements, and leaves its result out. */
  const beginning = (run: Session["run"]): Session["run"] => (statements, options) =>
    Effect.suspend(() => {
      if (begun) return run(statements, options)
      begun = true
      return Effect.map(run([begin, ...statements], options), (results) => results.slice(1))
    })
  const committing = beginning(sending(connection, "commit"))
  const transaction: Transaction = {
    run: beginning(sending(connection)),
    commit: (statements) =>
      Effect.map(committing([...statements, commit]), (results) => {
        done = true
        return results.slice(0, -1)
      })
  }
  /** Whoever uses the connection next comes after it, so that there is no need to wait. */
  const end = () => {
    if (!begun || done) return
    connection.query({ sql: "rollback", timeout: rollbackWithin }, (error) => {
      if (error !== null) connection.destroy()
    })
  }
  return { transaction, end }
}

const text = (secret: string | Redacted.Redacted | undefined): string | undefined =>
  Redacted.isRedacted(secret) ? Redacted.value(secret) as string : secret

/** Where a URL says that the database is. */
const placeOf = (url: string | undefined) => {
  if (url === undefined) return {}
  const { hostname, password, pathname, port, username } = new URL(url)
  const given = (part: string) => part === "" ? undefined : decodeURIComponent(part)
  return {
    host: given(hostname),
    port: port === "" ? undefined : Number(port),
    username: given(username),
    password: given(password),
    database: given(pathname.slice(1))
  }
}

const configOf = (options: Options) => {
  const place = placeOf(text(options.url))
  return {
    host: options.host ?? place.host ?? "localhost",
    port: options.port ?? place.port ?? 3306,
    user: options.username ?? place.username ?? "root",
    password: text(options.password) ?? place.password ?? "",
    database: options.database ?? place.database ?? ""
  }
}

const makePool = (
  config: ReturnType<typeof configOf>,
  { connectTimeout = "10 seconds", maxConnections = 10, ssl = false }: Options
) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      mysql.createPool({
        ...config,
        charset: "UTF8MB4_BIN",
        multipleStatements: true,
        jsonStrings: true,
        connectionLimit: maxConnections,
        connectTimeout: Duration.toMillis(connectTimeout),
        ...(ssl === false
          ? {}
          : { ssl: { verifyIdentity: true, ...(ssl === true ? {} : ssl) } as mysql.SslOptions })
      })
    ),
    (pool) =>
      Effect.callback<void>((resume) => pool.end(() => resume(Effect.void))).pipe(
        Effect.timeoutOption("5 seconds"),
        Effect.asVoid
      )
  )

/** Connects lazily: the first use finds out whether the server is there. */
export const make = (options: Options): Effect.Effect<Database, EventStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const config = yield* Effect.try({
      try: () => configOf(options),
      catch: () => cannotOpen("mysql", "the url is not a URL")
    })
    const name = `mysql ${config.host}:${config.port}/${config.database}`
    if (config.database === "") return yield* Effect.fail(cannotOpen(name, "no database is named"))
    const pool = yield* makePool(config, options)
    const ready = new WeakSet<mysql.PoolConnection>()
    const connected: Array<() => void> = []
    const take = Effect.callback<mysql.PoolConnection, SqlError>((resume) =>
      pool.getConnection((error, connection) =>
        resume(error ? Effect.fail(toSqlError(error, "connect")) : Effect.succeed(connection))
      )
    )
    const setUp = (connection: mysql.PoolConnection) =>
      ready.has(connection)
        ? Effect.succeed(connection)
        : send(connection, settings.join(";"), settings.length, "connect", false).pipe(
          Effect.onError(() => Effect.sync(() => connection.destroy())),
          Effect.map(() => {
            ready.add(connection)
            for (const f of connected) f()
            return connection
          })
        )
    const acquire = Effect.flatMap(take, setUp)
    const release = (connection: mysql.PoolConnection) => Effect.sync(() => connection.release())
    const use: Database["use"] = (body) =>
      Effect.acquireUseRelease(acquire, (connection) => body({ run: sending(connection) }), release)
    return {
      name,
      use,
      run: (statement) => Effect.map(use((session) => session.run([statement])), ([result]) => result!),
      onConnect: (f) => void connected.push(f),
      commit: (statement, isStill) =>
        Effect.uninterruptible(
          Effect.acquireUseRelease(
            acquire,
            (connection) =>
              isStill()
                ? Effect.map(sending(connection, "commit")([statement]), ([result]) => result)
                : Effect.undefined,
            release
          )
        ),
      transaction: (body) =>
        Effect.uninterruptible(Effect.flatMap(acquire, (connection) => {
          const { end, transaction } = transactionOf(connection)
          return Effect.onExit(body(transaction), () =>
            Effect.sync(() => {
              end()
              connection.release()
            }))
        }))
    }
  })
