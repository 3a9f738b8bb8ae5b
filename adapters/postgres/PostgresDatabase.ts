// Connections to PostgreSQL, on a pool of `@effect/sql-pg` or a client of the user's own.
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import type * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { Rows, Statement } from "../sql/EventLog.ts"
import * as Patience from "./patience.ts"
import { DatabaseError, type Phase } from "./PostgresError.ts"
import { begin, commit, limits, rollback, session } from "./transaction.ts"

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
  /** The most connections of this process, besides one that listens and two that streams are loaded on. Defaults to 10. */
  readonly maxConnections?: number | undefined
}

/** Where the database is, or a client for it, whose pool is then used. */
export type Options = ConnectOptions | {
  readonly client: PgClient.PgClient
}

/** A connection. */
export interface Connection {
  /** Runs a statement and gives its rows, with the values in the order of their columns. */
  readonly run: (statement: Statement) => Effect.Effect<Rows, SqlError>
  /** Nobody uses it any more: what it was sent may never be answered. */
  readonly giveUp: Effect.Effect<void>
}

/** Runs statements of a transaction, none of them the last, in one round trip. */
export type Ask = (statements: ReadonlyArray<Statement>) => Effect.Effect<ReadonlyArray<Rows>, DatabaseError>

/** How a transaction ends: what it does and what that comes to, given the rows. It does nothing without statements. */
export interface Ending<out A> {
  readonly statements: ReadonlyArray<Statement>
  readonly result: (rows: ReadonlyArray<Rows>) => A
}

type Lend = <A, E>(body: (connection: Connection) => Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError>

/** A database. */
export interface Database {
  /** Names it in errors; without the password. */
  readonly name: string
  /** Lends a connection that nobody else uses meanwhile. */
  readonly use: Lend
  /** Lends one that others use at the same time, for a short statement: what they send goes over the wire together. */
  readonly share: Lend
  /** Waits for answers of a connection, but not for ever. */
  readonly patiently: Patience.Patiently
  /** What a transaction begins with. */
  readonly begin: ReadonlyArray<Statement>
  /** A client, to migrate with. */
  readonly client: Effect.Effect<PgClient.PgClient, SqlError, Scope.Scope>
  /** Statements that make a new database ready for the tables. */
  readonly prepare: ReadonlyArray<string>
  /** What is told on a channel from now on; fails when the connection breaks. */
  readonly listen: (
    channel: string
  ) => Effect.Effect<Queue.Dequeue<PgConnection.Notification, SqlError>, SqlError, Scope.Scope>
  /** Whether the process of the server that works for a connection of these is known to be this one. */
  readonly isOwn: (processId: number) => boolean
}

/** Opens a pool; nothing is connected yet. */
export const make = (options: Options): Effect.Effect<Database, SqlError, Scope.Scope> =>
  "client" in options ? fromClient(options.client) : connect(options)

const connect = (options: ConnectOptions): Effect.Effect<Database, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const config = configOf(options)
    // Statements of one borrower are pipelined, but a connection has only one borrower.
    const pool = yield* PgPool.make({ ...config, multiplex: true, multiplexConcurrency: 1 })
    const shared = yield* PgPool.make({ ...config, multiplex: true, maxConnections: 2 })
    const patiently = yield* Patience.make
    const settings = session(options.schema && quoted(options.schema))
    const processes = new Map<number, WeakRef<PgConnection.PgConnection>>()
    const isSetUp = new WeakSet<PgConnection.PgConnection>()
    // Behind a pool of somebody else's a connection may lead to another process than it says.
    const setUp = (connection: PgConnection.PgConnection) =>
      Effect.map(patiently(connection.queryValues(...settings), pool.invalidate(connection)), ([row]) => {
        isSetUp.add(connection)
        for (const [id, known] of processes) if (known.deref() === undefined) processes.delete(id)
        processes.set(row![0] as number, new WeakRef(connection))
      })
    const lendFrom = (pool: PgPool.PgPool): Lend => (body) =>
      pool.use((connection) => {
        const lent = body(toConnection(pool, connection))
        return isSetUp.has(connection) ? lent : Effect.andThen(setUp(connection), lent)
      })
    return {
      name: nameOf(config),
      use: lendFrom(pool),
      share: lendFrom(shared),
      client: Effect.tap(
        Effect.provideServiceEffect(PgClient.makeClient(config), Reactivity.Reactivity, Reactivity.make),
        (client) => client.unsafe(...settings)
      ),
      begin: [begin],
      prepare: options.schema === undefined ? [] : [`create schema if not exists ${quoted(options.schema)}`],
      listen: (channel) =>
        Effect.flatMap(PgConnection.make(config), (connection) => connection.listen(channel)),
      patiently,
      isOwn: (processId) => processes.get(processId)?.deref() !== undefined
    }
  })

const toConnection = (pool: PgPool.PgPool, connection: PgConnection.PgConnection): Connection => {
  let isGivenUp = false
  return {
    run: ([sql, parameters]) =>
      isGivenUp ? Effect.fail(Patience.lost) : connection.queryValues(sql, parameters),
    giveUp: Effect.suspend(() => {
      isGivenUp = true
      return pool.invalidate(connection)
    })
  }
}

const fromClient = (client: PgClient.PgClient): Effect.Effect<Database, never, Scope.Scope> => {
  const use: Lend = (body) =>
    Effect.scoped(
      Effect.flatMap(client.reserve, (connection) =>
        body({
          run: ([sql, parameters]) => connection.executeValues(sql, parameters),
          // The client does so by itself when a statement that is not answered is interrupted.
          giveUp: Effect.void
        }))
    )
  return Effect.map(Patience.make, (patiently) => ({
    name: nameOf(client.config),
    use,
    share: use,
    client: Effect.succeed(client),
    patiently,
    begin: [begin, limits],
    prepare: [],
    listen: client.listen,
    isOwn: () => false
  }))
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

const redacted = (secret: string | Redacted.Redacted): Redacted.Redacted =>
  typeof secret === "string" ? Redacted.make(secret) : secret

const configOf = (
  { database, host, maxConnections, password, port, ssl, url, username }: ConnectOptions
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
  keepAlive: "30 seconds"
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

/** Lends a connection to statements that read, or to one that is kept. */
export const run = (
  database: Database,
  phase: Phase,
  statement: Statement
): Effect.Effect<Rows, DatabaseError> =>
  lend(
    database.use,
    (connection) => inPhase(phase, database.patiently(connection.run(statement), connection.giveUp))
  )

/** The same for a statement that may take as long as it likes. */
export const runSlow = (database: Database, statement: Statement): Effect.Effect<Rows, DatabaseError> =>
  lend(database.use, (connection) => inPhase("commit", connection.run(statement)))

/** The same for a short statement that reads, on a connection that others use at the same time. */
export const load = (database: Database, statement: Statement): Effect.Effect<Rows, DatabaseError> =>
  lend(
    database.share,
    (connection) => inPhase("read", database.patiently(connection.run(statement), connection.giveUp))
  )

/**
 * Runs a transaction, left to finish when it is interrupted. A lost answer to its end means that it may have been kept.
 * What is asked first goes to the server together with the beginning, and what ends it with the commit. A slow one may take
 * as long as it likes.
 */
export const transaction = <A, E>(
  database: Database,
  body: (ask: Ask) => Effect.Effect<Ending<A>, E>,
  { slow }: { readonly slow: boolean } = { slow: false }
): Effect.Effect<A, E | DatabaseError> =>
  lend(database.use, (connection) =>
    Effect.suspend(() => {
      let state: "new" | "open" | "over" = "new"
      const send = (statements: ReadonlyArray<Statement>, phase: Phase) => {
        const beginning = state === "new" ? database.begin : []
        state = phase === "commit" ? "over" : "open"
        const sent = pipeline(connection, [...beginning, ...statements])
        return Effect.map(
          inPhase(phase, slow ? sent : database.patiently(sent, connection.giveUp)),
          (rows) => rows.slice(beginning.length)
        )
      }
      const undo = Effect.suspend(() =>
        state === "open"
          ? Effect.ignore(database.patiently(connection.run(rollback), connection.giveUp))
          : Effect.void
      )
      return body((statements) => send(statements, "read")).pipe(
        Effect.flatMap(({ result, statements }) =>
          statements.length > 0
            ? Effect.map(send([...statements, commit], "commit"), result)
            : Effect.as(undo, result([]))
        ),
        Effect.onError(() => undo),
        Effect.uninterruptible
      )
    }))

const lend = <A, E>(
  lending: Lend,
  body: (connection: Connection) => Effect.Effect<A, E | DatabaseError>
): Effect.Effect<A, E | DatabaseError> =>
  Effect.catchIf(
    lending(body),
    isSqlError,
    (error) => Effect.fail(new DatabaseError(error, "read"))
  ) as Effect.Effect<
    A,
    E | DatabaseError
  >

const inPhase = <A>(phase: Phase, effect: Effect.Effect<A, SqlError>): Effect.Effect<A, DatabaseError> =>
  Effect.mapError(effect, (error) => new DatabaseError(error, phase))

/**
 * Runs statements without waiting for the answer of one before the next is sent. Fails with the first error; PostgreSQL
 * refuses those behind it in a transaction.
 */
const pipeline = (
  connection: Connection,
  statements: ReadonlyArray<Statement>
): Effect.Effect<ReadonlyArray<Rows>, SqlError> =>
  Effect.flatMap(
    Effect.forEach(statements, (statement) => Effect.exit(connection.run(statement)), {
      concurrency: "unbounded"
    }),
    (exits) => Effect.forEach(exits, (exit) => exit)
  )
