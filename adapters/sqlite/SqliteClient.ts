/**
 * Effect's `SqlClient` over `node:sqlite`, alike on Bun, Deno and Node (22.16 or later).
 *
 * `make` opens a file and gives the `SqlClient` that migrations use, and the one connection under it with its synchronous
 * methods, for hot paths.
 *
 * - The file is in WAL mode, foreign keys are enforced, transactions are `BEGIN IMMEDIATE`.
 * - Waiting for another connection's lock never holds the event loop for longer than a few milliseconds.
 * - Parameters: null, number, bigint, string, bytes; a boolean becomes 0 or 1, `undefined` and `NaN` become null,
 *   a `Date` becomes its ISO 8601 text; anything else is an error. Use plain `?`: Node 22.16 does not bind `?1`.
 * - Results: an integer outside ±(2^53 − 1) is a bigint and every other one a number; with Effect's `SafeIntegers`
 *   all are bigints. A blob is a `Uint8Array`.
 * - SQLite keeps a string with U+0000, but Deno 2.9 and Node 22 return only what stands before it.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import * as SqliteError from "./SqliteError.ts"
import * as SqliteStatement from "./SqliteStatement.ts"
import type { Changes, Row, Value } from "./SqliteValue.ts"

/** How to open a database file. */
export interface Options {
  /** Path of the file, which is created if it is missing (its folder is not), a `file:` URI, or `:memory:`. */
  readonly filename: string
  /**
   * When a commit waits for the disk. `FULL`, the default, survives a loss of power; after one, `NORMAL` may miss
   * the last commits, but none by half. If only the process dies, nothing is lost in any mode.
   */
  readonly synchronous?: "OFF" | "NORMAL" | "FULL" | "EXTRA" | undefined
  /** How long in all to wait for another connection's lock before failing with `LockTimeoutError`; 5 seconds. */
  readonly busyTimeout?: Duration.Input | undefined
}

/**
 * One connection. Its synchronous methods throw `SqlError` and do not wait for locks; inside `transaction` there
 * are none to wait for. Statements are prepared once and kept.
 */
export interface SqliteConnection extends Connection {
  /** Runs a statement for its changes. */
  readonly run: (sql: string, params?: ReadonlyArray<unknown>) => Changes
  /** Runs a statement and returns its rows by column name. */
  readonly all: (sql: string, params?: ReadonlyArray<unknown>) => ReadonlyArray<Row>
  /** Runs a statement and returns its rows as arrays in column order, which is cheaper than `all`. */
  readonly values: (
    sql: string,
    params?: ReadonlyArray<unknown>
  ) => ReadonlyArray<ReadonlyArray<Value>>
  /**
   * `BEGIN IMMEDIATE`, `f`, `COMMIT` in one go, with no other fiber in between. Waits, interruptibly, while another
   * connection holds the lock; then `f` runs, once. When `f` throws or the commit fails, all is rolled back: a
   * `SqlError` becomes the failure, anything else a defect. A failed commit has `operation: "commit"` in its reason.
   */
  readonly transaction: <A>(f: () => A) => Effect.Effect<A, SqlError>
}

// --- waiting for locks

/** SQLite's own wait, in milliseconds: it holds the event loop, but spares a timer where locks are short. */
const blockingWait = 3

const toExit = <A>(attempt: () => A): Exit.Exit<A, SqlError> => {
  try {
    return Exit.succeed(attempt())
  } catch (error) {
    return isSqlError(error) ? Exit.fail(error) : Exit.die(error)
  }
}

/** Runs `attempt` at once and, as long as `mayWait` holds of its error, again after growing pauses. */
type Waiting = <A>(attempt: () => A, mayWait: (error: SqlError) => boolean) => Effect.Effect<A, SqlError>

const makeWaiting = ({ busyTimeout = "5 seconds", filename }: Options): Waiting => {
  const limit = Duration.fromInputUnsafe(busyTimeout)
  const schedule = Schedule.min([Schedule.exponential("1 millis"), Schedule.spaced("50 millis")]).pipe(
    Schedule.jittered,
    Schedule.upTo({ duration: limit })
  )
  return (attempt, mayWait) =>
    Effect.suspend(() => {
      const first = toExit(attempt)
      const error = Option.getOrUndefined(Exit.findErrorOption(first))
      if (error === undefined || !mayWait(error)) return first
      let pending: typeof first | undefined = first
      const next = Effect.suspend(() => {
        const exit = pending ?? toExit(attempt)
        pending = undefined
        return exit
      })
      return Effect.retry(next, { schedule, while: mayWait }).pipe(
        Effect.mapError((last) =>
          mayWait(last) ? SqliteError.lockTimeout(last, filename, Duration.format(limit)) : last
        )
      )
    })
}

// --- opening and closing

const fail = (reason: string): never => {
  throw new Error(reason)
}

/** Sets the file up and finds out now, rather than at the first write, whether it can be used. */
const setUp = (db: DatabaseSync, { synchronous = "FULL" }: Options): void => {
  const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"]
  db.prepare(`PRAGMA synchronous = ${synchronous}`).all()
  // 16 MB: four times as much as by default, for less than a quarter of the checkpoints, since pages are written again.
  db.prepare("PRAGMA wal_autocheckpoint = 4000").all()
  db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").all()
  if (mode === "memory") return
  try {
    // Asks for the write lock and changes nothing; BEGIN IMMEDIATE would succeed on a read-only file.
    db.prepare("PRAGMA incremental_vacuum(1)").all()
  } catch (cause) {
    if (!SqliteError.isBusy(cause)) throw cause
  }
  if (mode !== "wal") fail(`write-ahead logging is not possible there (the journal mode is "${mode}")`)
}

/** Another connection to a file that is set up. */
const setUpReader = (db: DatabaseSync, { synchronous = "FULL" }: Options): void => {
  db.prepare(`PRAGMA synchronous = ${synchronous}`).all()
}

const openNow = (options: Options, use: typeof setUp): DatabaseSync => {
  let db: DatabaseSync | undefined
  try {
    if (options.filename === "") fail("the file name is empty")
    db = new DatabaseSync(options.filename, { timeout: blockingWait, enableForeignKeyConstraints: true })
    if (db.isTransaction === undefined) {
      fail("the node:sqlite of this runtime is too old; Node 22.16 has what it takes")
    }
    use(db, options)
    return db
  } catch (cause) {
    db?.close()
    throw SqliteError.opening(cause, options.filename)
  }
}

const closeNow = (db: DatabaseSync): void => {
  try {
    if (db.isTransaction) db.prepare("ROLLBACK").run()
    db.prepare("PRAGMA optimize").all()
  } catch {
    // Statistics are a convenience, and closing rolls back too.
  } finally {
    db.close()
  }
}

/** Acquires what `attempt` opens; the finalizer comes first, so that nothing leaks when a wait is interrupted. */
const acquire = <A>(
  waiting: Waiting,
  attempt: () => A,
  mayWait: (error: SqlError) => boolean,
  release: (opened: A) => void
): Effect.Effect<A, SqlError, Scope.Scope> =>
  Effect.suspend(() => {
    let undo = () => {}
    const opened = waiting(() => {
      const value = attempt()
      undo = () => release(value)
      return value
    }, mayWait)
    return Effect.andThen(Effect.addFinalizer(() => Effect.sync(() => undo())), opened)
  })

// --- the parts of a connection

const cacheSize = 256

/** What can change the columns of a kept statement; Deno 2.9 and Node 22 would use the old ones once more. */
const changesSchema = /^\s*(?:alter|create|drop|rollback)\b/i

const makeCache = (db: DatabaseSync) => {
  const cache = new Map<string, SqliteStatement.Prepared>()
  const fresh = (sql: string): SqliteStatement.Prepared => {
    if (changesSchema.test(sql)) cache.clear()
    return SqliteStatement.prepare(db, sql)
  }
  const cached = (sql: string): SqliteStatement.Prepared => {
    const hit = cache.get(sql)
    if (hit !== undefined) return hit
    const prepared = fresh(sql)
    if (changesSchema.test(sql)) return prepared
    if (cache.size >= cacheSize) cache.delete(cache.keys().next().value!)
    cache.set(sql, prepared)
    return prepared
  }
  return { cached, fresh }
}

const makeTransactions = (db: DatabaseSync) => {
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const rollback = db.prepare("ROLLBACK")
  const control = (statement: StatementSync, operation: "begin" | "commit"): void => {
    try {
      statement.run()
    } catch (cause) {
      throw SqliteError.make(cause, operation)
    }
  }
  let running = false
  // After some errors, such as a full disk, SQLite has rolled back already: what follows would commit by itself.
  const assertOpen = (): void => {
    if (!running || db.isTransaction) return
    throw SqliteError.make(new Error("the transaction has ended already, by an earlier error"), "execute")
  }
  const transact = <A>(f: () => A): A => {
    control(begin, "begin")
    running = true
    try {
      const value = f()
      assertOpen()
      control(commit, "commit")
      return value
    } catch (error) {
      try {
        if (db.isTransaction) rollback.run()
      } catch {
        // What went wrong first says more; what was not committed is gone at the latest when the file is closed.
      }
      throw error
    } finally {
      running = false
    }
  }
  return { assertOpen, transact }
}

type Transform = Parameters<Connection["execute"]>[2]

type Rows = readonly [Row, ...Array<Row>]

/** The rows of a statement on `db`; `shared` as in `SqliteStatement.openCursor`. */
const makeStream = (db: DatabaseSync, waiting: Waiting, shared: boolean): Connection["executeStream"] => {
  const mayWait = (error: SqlError): boolean => SqliteError.isBusy(error) && !db.isTransaction
  const open = (sql: string, params: ReadonlyArray<unknown>, safe: boolean) => {
    const cursor = SqliteStatement.openCursor(db, sql, params, safe, shared)
    try {
      return { cursor, first: cursor.take() }
    } catch (error) {
      cursor.close()
      throw error
    }
  }
  return (sql, params, transform) =>
    Effect.withFiber((fiber) => {
      const safe = fiber.getRef(SqlClient.SafeIntegers)
      return acquire(waiting, () => open(sql, params, safe), mayWait, ({ cursor }) => cursor.close())
    }).pipe(
      Effect.map(({ cursor, first }) => Stream.fromPull(Effect.succeed(pullOf(cursor, first, transform)))),
      Stream.unwrap
    )
}

const pullOf = (
  cursor: SqliteStatement.Cursor,
  first: ReadonlyArray<Row>,
  transform: Transform
): Effect.Effect<Rows, SqlError | Cause.Done> => {
  let pending: ReadonlyArray<Row> | undefined = first
  const next = Effect.suspend(() => {
    const exit = pending === undefined ? toExit(cursor.take) : Exit.succeed(pending)
    pending = undefined
    return exit
  })
  return Effect.flatMap(next, (rows) => {
    if (rows.length === 0) return Cause.done()
    return Effect.succeed((transform === undefined ? rows : transform(rows)) as Rows)
  })
}

interface Opened {
  readonly connection: SqliteConnection
  readonly isTransaction: () => boolean
  /** Streams through a connection of its own; `undefined` in memory, where no other sees the data. */
  readonly streamApart: Connection["executeStream"] | undefined
}

const fromDatabase = (db: DatabaseSync, options: Options, waiting: Waiting): Opened => {
  const { change, readRows, readValues } = SqliteStatement
  const isTransaction = () => db.isTransaction
  const { cached, fresh } = makeCache(db)
  const { assertOpen, transact } = makeTransactions(db)
  const kept = (sql: string): SqliteStatement.Prepared => {
    assertOpen()
    return cached(sql)
  }

  // In a transaction nothing is tried again: the snapshot it reads would stay as old as it is.
  const mayWait = (error: SqlError): boolean => SqliteError.isBusy(error) && !db.isTransaction
  const mayBeginAgain = (error: SqlError): boolean => error.reason.operation === "begin" && mayWait(error)
  const effect = <A>(body: (safe: boolean) => A): Effect.Effect<A, SqlError> =>
    Effect.withFiber((fiber) => waiting(() => body(fiber.getRef(SqlClient.SafeIntegers)), mayWait))
  const rows = (
    prepared: SqliteStatement.Prepared,
    params: ReadonlyArray<unknown>,
    safe: boolean,
    by: Transform
  ) => {
    const found = readRows(prepared, params, safe)
    return by === undefined ? found : by(found)
  }

  const streamHere = makeStream(db, waiting, true)
  const inMemory = db.prepare("PRAGMA journal_mode").get()?.["journal_mode"] === "memory"
  const streamApart: Opened["streamApart"] = inMemory
    ? undefined
    : (sql, params, by) =>
      acquire(waiting, () => openNow(options, setUpReader), SqliteError.isBusy, (reader) => reader.close())
        .pipe(
          Effect.map((reader) => makeStream(reader, waiting, false)(sql, params, by)),
          Stream.unwrap
        )

  const connection: SqliteConnection = {
    run: (sql, params = []) => change(db, kept(sql), params, false),
    all: (sql, params = []) => readRows(kept(sql), params, false),
    values: (sql, params = []) => readValues(kept(sql), params, false),
    transaction: (f) => waiting(() => transact(f), mayBeginAgain),
    execute: (sql, params, by) => effect((safe) => rows(cached(sql), params, safe, by)),
    executeRaw: (sql, params) =>
      effect((safe) => {
        const prepared = cached(sql)
        const hasRows = prepared.statement.columns().length > 0
        return hasRows ? readRows(prepared, params, safe) : change(db, prepared, params, safe)
      }),
    executeValues: (sql, params) => effect((safe) => readValues(cached(sql), params, safe)),
    executeUnprepared: (sql, params, by) => effect((safe) => rows(fresh(sql), params, safe, by)),
    executeValuesUnprepared: (sql, params) => effect((safe) => readValues(fresh(sql), params, safe)),
    executeStream: (sql, params, by) =>
      Stream.suspend(() => (isTransaction() ? streamHere : streamApart ?? streamHere)(sql, params, by))
  }
  return { connection, isTransaction, streamApart }
}

/** A file that is open: its one connection, and the client that hands it to fibers in turn; to be used one after the other. */
export interface SqliteDatabase {
  /** Outside a transaction, `executeStream` reads through a connection of its own (except with `:memory:`). */
  readonly connection: SqliteConnection
  /**
   * A stream outside a transaction reads through a connection of its own, so that its reader may be slow and may use the
   * client; with `:memory:`, and in a transaction, it holds the one connection until it ends.
   */
  readonly client: SqlClient.SqlClient
}

/**
 * Opens a file, closed with the scope. Fails with a `SqlError` that names the file and the reason: a folder, a missing
 * folder, no permission, read-only, not a database, damaged, locked for too long.
 */
export const make = (options: Options): Effect.Effect<SqliteDatabase, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const waiting = makeWaiting(options)
    const db = yield* acquire(waiting, () => openNow(options, setUp), SqliteError.isBusy, closeNow)
    const { connection, isTransaction, streamApart } = fromDatabase(db, options, waiting)
    const acquirers = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: yield* Semaphore.make(1),
      isTransaction
    })
    const reactivity = yield* Effect.serviceOption(Reactivity.Reactivity)
    const client = SqlClient.make({
      ...acquirers,
      // Beside the borrower, this one serves only the streams outside a transaction.
      acquirer: streamApart === undefined
        ? acquirers.acquirer
        : Effect.succeed({ ...connection, executeStream: streamApart }),
      compiler: Statement.makeCompilerSqlite(),
      driver: "sqlite",
      spanAttributes: [["db.system.name", "sqlite"]],
      beginTransaction: "BEGIN IMMEDIATE",
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      prepareTransactionControls: true
    })
    const withReactivity = Option.isSome(reactivity)
      ? Effect.provideService(client, Reactivity.Reactivity, reactivity.value)
      : Effect.provideServiceEffect(client, Reactivity.Reactivity, Reactivity.make)
    return { client: yield* withReactivity, connection }
  })
