// Connections to PostgreSQL, on a pool of `@effect/sql-pg` or a client of the user's own.
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import type * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import type { Rows, Statement } from "../sql/EventLog.ts"

/** Where the database is. */
export interface ConnectOptions {
  /** `postgres://user:password@host:port/database`; what is given beside it counts more. */
  readonly url?: string | Redacted.Redacted | undefined
  /** Defaults to `localhost`. */
  readonly host?: string | undefined
  /** Defaults to 5432. */
  readonly port?: number | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted | undefined
  /** Whether the connection is encrypted. Defaults to what the `sslmode` of the URL says, and else to false. */
  readonly ssl?: boolean | undefined
  /** The schema that holds the tables; it is created if it is missing. Defaults to the search path of the user. */
  readonly schema?: string | undefined
  /** The most connections of this process, besides one that listens. Defaults to 10. */
  readonly maxConnections?: number | undefined
}

/** Where the database is, or a client for it, whose pool is then used. */
export type Options = ConnectOptions | {
  readonly client: PgClient.PgClient
}

/** A connection that nobody else uses. */
export interface Connection {
  /** Runs a statement and gives its rows, with the values in the order of their columns. */
  readonly run: (statement: Statement) => Effect.Effect<Rows, SqlError>
}

/** A database. */
export interface Database {
  /** Names it in errors; without the password. */
  readonly name: string
  /** Lends a connection. */
  readonly use: <A, E, R>(
    body: (connection: Connection) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | SqlError, R>
  /** A client, to migrate with. */
  readonly client: Effect.Effect<PgClient.PgClient, SqlError, Scope.Scope>
  /** Statements that make a new database ready for the tables. */
  readonly prepare: ReadonlyArray<string>
  /** What is told on a channel from now on; fails when the connection breaks. */
  readonly listen: (
    channel: string
  ) => Effect.Effect<Queue.Dequeue<unknown, SqlError>, SqlError, Scope.Scope>
}

/** Opens a pool; nothing is connected yet. */
export const make = (options: Options): Effect.Effect<Database, SqlError, Scope.Scope> =>
  "client" in options ? Effect.succeed(fromClient(options.client)) : connect(options)

const connect = (options: ConnectOptions): Effect.Effect<Database, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const config = configOf(options)
    // Statements of one borrower are pipelined, but a connection has only one borrower.
    const pool = yield* PgPool.make({ ...config, multiplex: true, multiplexConcurrency: 1 })
    return {
      name: nameOf(config),
      use: (body) =>
        pool.use((connection) =>
          body({ run: ([sql, parameters]) => connection.queryValues(sql, parameters) })
        ),
      client: Effect.provideServiceEffect(PgClient.makeClient(config), Reactivity.Reactivity, Reactivity.make),
      prepare: options.schema === undefined ? [] : [`create schema if not exists ${quoted(options.schema)}`],
      listen: (channel) =>
        Effect.flatMap(PgConnection.make(config), (connection) => connection.listen(channel))
    }
  })

const fromClient = (client: PgClient.PgClient): Database => ({
  name: nameOf(client.config),
  use: (body) =>
    Effect.scoped(
      Effect.flatMap(
        client.reserve,
        (connection) =>
          body({ run: ([sql, parameters]) => connection.executeValues(sql, parameters) })
      )
    ),
  client: Effect.succeed(client),
  prepare: [],
  listen: client.listen
})

const quoted = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

const redacted = (secret: string | Redacted.Redacted): Redacted.Redacted =>
  typeof secret === "string" ? Redacted.make(secret) : secret

const configOf = (
  { database, host, maxConnections, password, port, schema, ssl, url, username }: ConnectOptions
): PgClient.PgPoolConfig => ({
  ...(url === undefined ? {} : { url: redacted(url) }),
  ...(password === undefined ? {} : { password: redacted(password) }),
  database,
  host,
  maxConnections,
  port,
  ssl,
  username,
  applicationName: "dunnock",
  // A server that is gone without a word is noticed.
  keepAlive: "30 seconds",
  startupParameters: {
    // What is behind the lock must see what was committed before it was got.
    default_transaction_isolation: "read committed",
    ...(schema === undefined ? {} : { search_path: quoted(schema) })
  }
})

const nameOf = ({ database, host, port, url }: PgClient.PgClientConfig): string => {
  const parsed = url && URL.parse(Redacted.value(url))
  const at = [
    host ?? (parsed?.hostname || "localhost"),
    port ?? (parsed?.port || 5432)
  ].join(":")
  const name = database ?? parsed?.pathname.slice(1)
  return `postgres ${at}${name ? `/${name}` : ""}`
}

/**
 * Runs statements on a connection in one go, without waiting for the answer of one before the next is sent. The first
 * that fails is what all of them fail with; those behind it have run nevertheless, as PostgreSQL let them.
 */
export const pipeline = (
  connection: Connection,
  statements: ReadonlyArray<Statement>
): Effect.Effect<ReadonlyArray<Rows>, SqlError> =>
  Effect.flatMap(
    Effect.forEach(statements, (statement) => Effect.exit(connection.run(statement)), {
      concurrency: "unbounded"
    }),
    (exits) => Effect.forEach(exits, (exit) => exit)
  )
