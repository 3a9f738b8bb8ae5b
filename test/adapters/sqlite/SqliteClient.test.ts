import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Cause, Effect, Exit, Fiber, type Scope, Stream } from "effect"
import { Migrator, SqlClient, type SqlError } from "effect/sql"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SqliteClient from "../../../adapters/sqlite/SqliteClient.ts"
import * as SqliteError from "../../../adapters/sqlite/SqliteError.ts"

const root = mkdtempSync(join(tmpdir(), "dunnock-sqlite-"))
let files = 0
const newFolder = (): string => {
  const folder = join(root, String(++files))
  mkdirSync(folder)
  return folder
}
const newFile = (): string => join(newFolder(), "test.db")

beforeAll(() => chmodSync(root, 0o755))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect))

const connect = (options: SqliteClient.Options) =>
  Effect.map(SqliteClient.make(options), ({ connection }) => connection)

const makeClient = (options: SqliteClient.Options) =>
  Effect.map(SqliteClient.make(options), ({ client }) => client)

/** Runs `use` on a connection to a new file (or on one that is given). */
const connected = <A, E>(
  use: (c: SqliteClient.SqliteConnection, filename: string) => Effect.Effect<A, E, Scope.Scope>,
  options: Partial<SqliteClient.Options> = {}
): Promise<A> => {
  const filename = options.filename ?? newFile()
  return run(Effect.flatMap(connect({ ...options, filename }), (c) => use(c, filename)))
}

const withClient = <A, E>(
  use: (sql: SqlClient.SqlClient, filename: string) => Effect.Effect<A, E, Scope.Scope>,
  options: Partial<SqliteClient.Options> = {}
): Promise<A> => {
  const filename = options.filename ?? newFile()
  return run(Effect.flatMap(makeClient({ ...options, filename }), (sql) => use(sql, filename)))
}

const reasonOf = (error: SqlError.SqlError): readonly [string, string] => [error.reason._tag, error.message]

// --- other processes and runtimes

const program = join(import.meta.dir, "SqliteClient.child.ts")

const spawn = (command: ReadonlyArray<string>) => Bun.spawn([...command], { stdout: "pipe", stderr: "pipe" })

const output = async (command: ReadonlyArray<string>): Promise<string> => {
  const child = spawn(command)
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if (await child.exited !== 0) throw new Error(`${command.join(" ")}\n${out}${err}`)
  return out
}

type Outcome = readonly [name: string, outcome: unknown]

const outcomes = async (command: ReadonlyArray<string>): Promise<ReadonlyArray<Outcome>> =>
  (await output(command)).trim().split("\n").map((line) => JSON.parse(line))

const bun = [process.execPath, program]

/** A process that holds the write lock of `filename` for so many milliseconds, once it does. */
const holding = async (filename: string, millis: number) => {
  const child = spawn([...bun, "hold", filename, String(millis)])
  const { value } = await child.stdout.getReader().read()
  expect(new TextDecoder().decode(value)).toBe("held\n")
  return child
}

const runtimes: Record<string, ReadonlyArray<string>> = {
  deno: ["deno", "run", "-A", program],
  node: ["node", program]
}

/** Undefined when this machine's runtime can run the program, else why not. */
const unfit = async (name: string): Promise<string | undefined> => {
  if (Bun.which(name) === null) return `no ${name} here`
  if (name !== "node") return undefined
  const version = (await output(["node", "--version"])).trim()
  const [major = 0, minor = 0] = version.slice(1).split(".").map(Number)
  return major > 22 || (major === 22 && minor >= 18) ? undefined : `node ${version} is older than 22.18`
}

const alike = (command: ReadonlyArray<string>) => {
  const folder = newFolder()
  return outcomes([...command, "alike", folder]).then((lines) =>
    lines.map(([name, outcome]) =>
      [name, JSON.parse(JSON.stringify(outcome).replaceAll(folder, "…"))] as Outcome
    )
  )
}

describe("on every runtime", () => {
  let ours: ReadonlyArray<Outcome>
  beforeAll(async () => {
    ours = await alike(bun)
  })

  for (const [name, command] of Object.entries(runtimes)) {
    test(`${name} does as bun does`, async () => {
      const reason = await unfit(name)
      if (reason !== undefined) return console.log(`skipped: ${reason}`)
      const theirs = await alike(command)
      expect(theirs).toEqual([...ours])
    }, 30_000)
  }

  const gives = (name: string, value: unknown) =>
    test(`${name} gives ${JSON.stringify(value)}`, () => {
      expect(Object.fromEntries(ours)[name]).toEqual({ gives: value })
    })
  const fails = (name: string, tag: string, expected: Record<string, unknown>) =>
    test(`${name} fails with ${tag}`, () => {
      expect(Object.fromEntries(ours)[name]).toMatchObject({ fails: tag, ...expected })
    })

  fails("INSERT INTO item (id, name) VALUES (3, 'one')", "UniqueViolation", { constraint: "item.name" })
  fails("INSERT INTO item (id) VALUES (1)", "UniqueViolation", { constraint: "item.id" })
  fails("INSERT INTO pair VALUES (1, 2)", "UniqueViolation", { constraint: "pair.a, pair.b" })
  fails("INSERT INTO word VALUES ('WORD')", "UniqueViolation", { constraint: "index 'word_lower'" })
  fails("INSERT INTO item (id, amount) VALUES (4, 100)", "ConstraintError", { code: 275 })
  fails("INSERT INTO item (id, amount) VALUES (4, NULL)", "ConstraintError", { code: 1299 })
  fails("INSERT INTO part VALUES (77)", "ConstraintError", { code: 787, operation: "execute" })
  fails("transaction: INSERT INTO late VALUES (77)", "ConstraintError", { code: 787, operation: "commit" })
  fails("INSERT INTO item (id) VALUES (50)", "ConstraintError", { message: "fifty is refused" })
  fails("SELECT * FROM absent", "SqlSyntaxError", {
    message: "no such table: absent, in: SELECT * FROM absent"
  })
  fails('SELECT "absent"', "SqlSyntaxError", { operation: "prepare" })
  fails("", "SqlSyntaxError", { message: "no statement, in: " })
  fails("SELECT 1; SELECT 2", "SqlSyntaxError", {
    message: "more than one statement, in: SELECT 1; SELECT 2"
  })
  gives("SELECT 1; -- a comment may follow", [{ 1: 1 }])
  gives("parameter true", [{ v: 1 }])
  gives("parameter undefined", [{ v: null }])
  gives("parameter NaN", [{ v: null }])
  gives("parameter Date", [{ v: "1970-01-01T00:00:00.000Z" }])
  gives("parameter -2^63", [{ v: "-9223372036854775808n" }])
  gives("parameter 2^53 - 1", [{ v: Number.MAX_SAFE_INTEGER }])
  gives("parameter small bigint", [{ v: 7 }])
  gives("parameter bytes", [{ v: { bytes: [0, 1, 255] } }])
  gives("parameter part of bytes", [{ v: { bytes: [2, 3] } }])
  gives("second parameter DataView", [{ u: 1, v: { bytes: [2, 3] } }])
  fails("parameter 2^63", "UnknownError", { operation: "execute" })
  fails("parameter object of no key", "UnknownError", {
    message: "parameter 1 (Object) is not a value that SQLite can keep"
  })
  fails("too many parameters", "UnknownError", { code: 25 })
  gives("big integer", [{ big: "9007199254740993n", small: 1, half: 0.5 }])
  gives("safe integers", [{ big: "9007199254740993n", small: "1n", half: 0.5 }])
  gives("safe integers off again", [{ v: 1 }])
  gives("big returning wrote once", [{ n: 1 }])
  gives("big row id", { changes: 1, lastInsertRowid: "9007199254740993n" })
  gives("columns of one name", [[1, 2]])
  gives("values do not change rows", [{ a: 1, b: 2 }])
  gives("rows after ALTER TABLE changing ADD COLUMN b DEFAULT 2", [{ a: 1, b: 2 }])
  gives("rows after ALTER TABLE changing DROP COLUMN a", [{ b: 2 }])
  gives("changes of returning", { changes: 2, lastInsertRowid: 13 })
  fails("transaction in a transaction", "UnknownError", {})
  fails("transaction that ended itself", "UnknownError", {
    message: "the transaction has ended already, by an earlier error"
  })
  gives("usable", [{ id: 1 }, { id: 2 }])
  gives("stream", 1000)
  fails("stream that breaks", "UnknownError", { message: "integer overflow" })
  fails("stream that breaks at once", "UnknownError", { message: "integer overflow" })
  fails("stream of a bad write", "UniqueViolation", { constraint: "item.id" })
  gives("what the streams wrote", [{ id: 20 }, { id: 21 }])
  fails("full", "UnknownError", { code: 13, message: "database or disk is full" })
  gives("after full", { changes: 1, lastInsertRowid: 1 })
  fails("locked transaction", "LockTimeoutError", {
    retryable: true,
    operation: "begin",
    message: '"…/lock.db" is locked by another connection: waited 30ms'
  })
  fails("locked stream", "LockTimeoutError", { retryable: true })
  gives("reading while locked", [{ n: 0 }])
  fails("old snapshot", "SerializationError", { retryable: true })

  const opens = (name: string, tag: string, reason: string) =>
    test(`opening a file (${name}) fails and says: ${reason}`, () => {
      const outcome = Object.fromEntries(ours)[`open ${name}`]
      expect(outcome).toMatchObject({ fails: tag, operation: "open" })
      const { message } = outcome as { readonly message: string }
      expect(message).toStartWith('cannot open "')
      expect(message).toEndWith(reason)
    })
  opens("folder", "ConnectionError", '"…/folder": it is a folder')
  opens("missing folder", "ConnectionError", 'its folder "…/absent" does not exist')
  opens("file for a folder", "ConnectionError", '"…/good.db" is not a folder')
  opens("read-only", "AuthorizationError", "it is read-only")
  opens("unchangeable", "AuthorizationError", "it is read-only")
  opens("no name", "UnknownError", "the file name is empty")
  for (const name of ["text", "short", "header", "encrypted", "newer format"]) {
    opens(name, "UnknownError", `"…/${name}": it is not a SQLite database, or it is encrypted`)
  }
  opens("damaged", "UnknownError", "database disk image is malformed")
  opens("truncated", "UnknownError", "database disk image is malformed")
  opens("schema", "UnknownError", "malformed database schema (good)")
  gives("files after close", ["c.db"])
  fails("kept statement after close", "ConnectionError", { message: "the database is closed" })
  gives("open transaction is undone", [{ n: 0 }])

  test("deno without permission fails with AuthorizationError", async () => {
    const reason = await unfit("deno")
    if (reason !== undefined) return console.log(`skipped: ${reason}`)
    const readable = ["--no-prompt", "--allow-env", `--allow-read=${process.cwd()}`]
    const [[, outcome] = ["", undefined]] = await outcomes([
      "deno",
      "run",
      ...readable,
      program,
      "open",
      newFile()
    ])
    expect(outcome).toMatchObject({
      fails: "AuthorizationError",
      retryable: false,
      message: expect.stringContaining("--allow-read")
    })
  })
})

// --- opening

describe("opening", () => {
  const nobody = 65534
  const asNobody = process.getuid?.() === 0

  /** Fails to open a file, made by `prepare` with other permissions, as a user whom those bind. */
  const refused = async (prepare: (folder: string, file: string) => void) => {
    const filename = newFile()
    await connected((c) => Effect.sync(() => c.run("CREATE TABLE t (v)")), { filename })
    const folder = join(filename, "..")
    chmodSync(folder, 0o777)
    chmodSync(filename, 0o666)
    prepare(folder, filename)
    if (asNobody) process.seteuid!(nobody)
    try {
      return Effect.runSync(Effect.flip(Effect.scoped(connect({ filename }))))
    } finally {
      if (asNobody) process.seteuid!(0)
      chmodSync(folder, 0o755)
    }
  }

  test.each<[string, string, (folder: string, file: string) => void]>([
    ["a file that may only be read", "it is read-only", (_, file) => chmodSync(file, 0o444)],
    ["a file that may not be read", "it may not be read and written", (_, file) => chmodSync(file, 0)],
    [
      "a folder that may not be written",
      "its folder may not be written",
      (folder) => chmodSync(folder, 0o555)
    ],
    ["a folder that may not be entered", "may not be entered", (folder) => chmodSync(folder, 0)],
    ["a new file where none may be made", "may not be written", (folder, file) => {
      rmSync(file)
      chmodSync(folder, 0o555)
    }]
  ])("refuses %s", async (_, reason, prepare) => {
    const error = await refused(prepare)
    expect(error.reason._tag).toBe("AuthorizationError")
    expect(error.message).toStartWith('cannot open "')
    expect(error.message).toContain(reason)
  })

  test.each(["OFF", "NORMAL", "FULL", "EXTRA"] as const)(
    "sets up a file with synchronous %s",
    async (synchronous) => {
      const settings = await connected(
        (c) =>
          Effect.sync(() =>
            ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"].map((name) =>
              c.values(`PRAGMA ${name}`)[0]?.[0]
            )
          ),
        { synchronous }
      )
      expect(settings).toEqual(["wal", ["OFF", "NORMAL", "FULL", "EXTRA"].indexOf(synchronous), 1, 3])
    }
  )

  test("waits for the disk at each commit unless told otherwise", () =>
    connected((c) => Effect.sync(() => expect(c.values("PRAGMA synchronous")).toEqual([[2]]))))

  test("eight processes may create one file at the same time", async () => {
    const filename = newFile()
    const found = await Promise.all(Array.from({ length: 8 }, () => outcomes([...bun, "open", filename])))
    expect(found.flat()).toEqual(Array.from({ length: 8 }, () => ["open", { gives: expect.anything() }]))
  }, 20_000)
})

// --- transactions

const table = "CREATE TABLE t (v INTEGER UNIQUE)"
const add = "INSERT INTO t VALUES (?)"
const all = "SELECT v FROM t ORDER BY v"

describe("transaction", () => {
  test("keeps what f did and gives its result", () =>
    connected((c, filename) =>
      Effect.gen(function* () {
        c.run(table)
        expect(yield* c.transaction(() => c.run(add, [1]).changes)).toBe(1)
        const other = yield* connect({ filename })
        expect(other.values(all)).toEqual([[1]])
      })
    ))

  test("undoes all when a statement fails, and the connection stays usable", () =>
    connected((c) =>
      Effect.gen(function* () {
        c.run(table)
        const error = yield* Effect.flip(c.transaction(() => [1, 2, 1].map((v) => c.run(add, [v]))))
        expect(reasonOf(error)).toEqual(["UniqueViolation", "UNIQUE constraint failed: t.v"])
        yield* c.transaction(() => c.run(add, [3]))
        expect(c.values(all)).toEqual([[3]])
      })
    ))

  test("undoes all when f throws, which is a defect", () =>
    connected((c) =>
      Effect.gen(function* () {
        c.run(table)
        const mistake = new Error("mine")
        const exit = yield* Effect.exit(c.transaction(() => {
          c.run(add, [1])
          throw mistake
        }))
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBe(mistake)
        expect(c.values(all)).toEqual([])
      })
    ))

  test("undoes all when the commit fails", () =>
    connected((c) =>
      Effect.gen(function* () {
        c.run("CREATE TABLE a (id INTEGER PRIMARY KEY)")
        c.run("CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)")
        const error = yield* Effect.flip(c.transaction(() => c.run("INSERT INTO b VALUES (1)")))
        expect(error.reason.operation).toBe("commit")
        expect(reasonOf(error)).toEqual(["ConstraintError", "FOREIGN KEY constraint failed"])
        yield* c.transaction(() => c.run("INSERT INTO a VALUES (1)"))
        expect(c.values("SELECT count(*) FROM b")).toEqual([[0]])
      })
    ))

  test("writes nothing after an error that has rolled back", () =>
    connected((c) =>
      Effect.gen(function* () {
        c.run("CREATE TABLE t (data)")
        c.all("PRAGMA max_page_count = 20")
        const error = yield* Effect.flip(c.transaction(() => {
          c.run("INSERT INTO t VALUES (1)")
          expect(() => c.run("INSERT INTO t VALUES (zeroblob(100000))")).toThrow("database or disk is full")
          expect(() => c.run("INSERT INTO t VALUES (2)")).toThrow("the transaction has ended already")
        }))
        expect(error.message).toBe("the transaction has ended already, by an earlier error")
        expect(c.values("SELECT * FROM t")).toEqual([])
        yield* c.transaction(() => c.run("INSERT INTO t VALUES (3)"))
        expect(c.values("SELECT * FROM t")).toEqual([[3]])
      })
    ))

  const failing = async (command: ReadonlyArray<string>) => Object.fromEntries(await outcomes(command))

  test("a commit that meets an I/O error is undone and says so", async () => {
    // Writing past the limit fails with EFBIG, which SQLite takes for an I/O error.
    const limited = `trap '' XFSZ; ulimit -f 400; exec "$@"`
    const found = await failing(["sh", "-c", limited, "sh", ...bun, "fill", newFile()])
    expect(found["failure"]).toMatchObject({
      fails: "ConnectionError",
      operation: "commit",
      message: "disk I/O error"
    })
    const [acknowledged, there] = found["kept"] as readonly [number, number]
    expect(acknowledged).toBeGreaterThan(0)
    expect(there).toBe(acknowledged)
    expect(found["afterwards"]).toEqual({ gives: [{ v: 1 }] })
  })

  test("a commit on a full disk is undone and says so", async () => {
    const folder = newFolder()
    const mounted = spawn(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder])
    if (await mounted.exited !== 0) return console.log("skipped: a small disk cannot be mounted here")
    try {
      const found = await failing([...bun, "fill", join(folder, "full.db")])
      expect(found["failure"]).toMatchObject({ fails: "UnknownError", operation: "commit", code: 13 })
      const [acknowledged, there] = found["kept"] as readonly [number, number]
      expect(acknowledged).toBeGreaterThan(0)
      expect(there).toBe(acknowledged)
      expect(found["afterwards"]).toEqual({ gives: [{ v: 1 }] })
    } finally {
      expect(await spawn(["umount", folder]).exited).toBe(0)
    }
  })

  test("keeps working when there are more statements than are kept prepared", () =>
    connected((c) =>
      Effect.sync(() => {
        const sums = Array.from({ length: 600 }, (_, n) => c.values(`SELECT ${n} + ?`, [1])[0]?.[0])
        expect(sums).toEqual(Array.from({ length: 600 }, (_, n) => n + 1))
        expect(c.values("SELECT 0 + ?", [1])).toEqual([[1]])
      })
    ))

  test("is not tried again when f meets a lock", () =>
    connected((c, filename) =>
      Effect.gen(function* () {
        c.run(table)
        const other = yield* connect({ filename })
        let calls = 0
        const error = yield* Effect.flip(c.transaction(() => {
          calls++
          other.run(add, [1])
        }))
        expect(error.reason._tag).toBe("LockTimeoutError")
        expect(calls).toBe(1)
      })
    ))

  test("works in memory", () =>
    connected((c) =>
      Effect.gen(function* () {
        c.run(table)
        yield* c.transaction(() => c.run(add, [1]))
        expect(yield* Stream.runCollect(c.executeStream(all, [], undefined))).toEqual([{ v: 1 }])
      }), { filename: ":memory:" }))
})

// --- locks of other processes

/** The longest time in milliseconds that the event loop did not come round while `effect` ran. */
const longestPause = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    let last = performance.now()
    let longest = 0
    const tick = () => {
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
    }
    const timer = setInterval(tick, 1)
    const stop = Effect.sync(() => {
      clearInterval(timer)
      tick()
    })
    return Effect.map(Effect.ensuring(effect, stop), () => longest)
  })

describe("a lock held by another process", () => {
  const locked = <A, E>(
    millis: number,
    use: (c: SqliteClient.SqliteConnection) => Effect.Effect<A, E, Scope.Scope>,
    options: Partial<SqliteClient.Options> = {}
  ): Promise<A> =>
    connected((c, filename) =>
      Effect.gen(function* () {
        c.run(table)
        const child = yield* Effect.promise(() => holding(filename, millis))
        const result = yield* use(c)
        expect(yield* Effect.promise(() => child.exited)).toBe(0)
        return result
      }), options)

  test(
    "is waited for without stopping the event loop, and f runs once",
    () =>
      locked(300, (c) =>
        Effect.gen(function* () {
          let calls = 0
          const pause = yield* longestPause(c.transaction(() => {
            calls++
            return c.run(add, [1])
          }))
          expect(calls).toBe(1)
          expect(c.values(all)).toEqual([[1]])
          // A try blocks for 3 ms; the rest is for a busy machine.
          expect(pause).toBeLessThan(60)
        })),
    10_000
  )

  test(
    "is waited for by a single statement and by a stream",
    () =>
      locked(200, (c) =>
        Effect.gen(function* () {
          const stream = Stream.runCollect(
            c.executeStream("INSERT INTO t VALUES (2) RETURNING v", [], undefined)
          )
          const [, rows] = yield* Effect.all([c.execute(add, [1], undefined), stream], { concurrency: 2 })
          expect(rows).toEqual([{ v: 2 }])
          expect(c.values(all)).toEqual([[1], [2]])
        })),
    10_000
  )

  test("is waited for no longer than the timeout", () =>
    locked(500, (c) =>
      Effect.gen(function* () {
        const start = performance.now()
        let calls = 0
        const error = yield* Effect.flip(c.transaction(() => calls++))
        expect(error.reason._tag).toBe("LockTimeoutError")
        expect(error.isRetryable).toBe(true)
        expect(error.message).toEndWith("is locked by another connection: waited 100ms")
        expect(performance.now() - start).toBeWithin(80, 450)
        expect(calls).toBe(0)
      }), { busyTimeout: "100 millis" }), 10_000)

  test("is not waited for by a fiber that is interrupted", () =>
    locked(400, (c) =>
      Effect.gen(function* () {
        let calls = 0
        const fiber = yield* Effect.forkChild(c.transaction(() => calls++))
        yield* Effect.sleep("30 millis")
        const start = performance.now()
        yield* Fiber.interrupt(fiber)
        expect(performance.now() - start).toBeLessThan(100)
        expect(calls).toBe(0)
      })), 10_000)

  test("is waited for by a client's transaction, whose effect runs once", async () => {
    const filename = newFile()
    await withClient((sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (v)`
        const child = yield* Effect.promise(() => holding(filename, 200))
        let calls = 0
        yield* sql.withTransaction(Effect.andThen(Effect.sync(() => calls++), sql`INSERT INTO t VALUES (1)`))
        expect(calls).toBe(1)
        yield* Effect.promise(() => child.exited)
      }), { filename })
  }, 10_000)

  test("four processes write one file and lose nothing", async () => {
    const filename = newFile()
    await outcomes([...bun, "open", filename])
    await Promise.all(
      ["a", "b", "c", "d"].map((writer) => output([...bun, "write", filename, writer, "250"]))
    )
    await connected((c) =>
      Effect.sync(() => {
        expect(c.values("SELECT writer, count(*), max(n) FROM t GROUP BY writer ORDER BY writer")).toEqual(
          ["a", "b", "c", "d"].map((writer) => [writer, 250, 249])
        )
      }), { filename })
  }, 30_000)
})

// --- streams

const numbers = (last: number) =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${last}) SELECT i AS v FROM n`

describe("a stream", () => {
  test("reads in constant memory", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        const rows = sql<
          { data: Uint8Array }
        >`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
          SELECT randomblob(10000) AS data FROM n`
        Bun.gc(true)
        const before = process.memoryUsage().rss
        let most = 0
        const bytes = yield* Stream.runFold(rows.stream, () => 0, (sum, { data }) => {
          if (sum % 100_000_000 === 0) {
            // what is read and let go of may stay for a while
            Bun.gc(true)
            most = Math.max(most, process.memoryUsage().rss)
          }
          return sum + data.length
        })
        expect(bytes).toBe(600_000_000)
        expect((most - before) / 2 ** 20).toBeLessThan(300)
      })
    ), 30_000)

  test("leaves the client free for its reader, and sees one snapshot", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (v INTEGER)`
        yield* sql.unsafe(`INSERT INTO t ${numbers(600)}`)
        yield* sql<{ v: number }>`SELECT v FROM t`.stream.pipe(
          Stream.runForEach(({ v }) => sql.withTransaction(sql`INSERT INTO t VALUES (${v + 1000})`))
        )
        expect(yield* sql`SELECT count(*) AS n FROM t`).toEqual([{ n: 1200 }])
      })
    ))

  test("in a transaction reads what the transaction wrote", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (v INTEGER)`
        const found = yield* sql.withTransaction(Effect.andThen(
          sql`INSERT INTO t VALUES (1)`,
          Stream.runCollect(sql`SELECT v FROM t`.stream)
        ))
        expect(found).toEqual([{ v: 1 }])
      })
    ))

  test("that is abandoned, fails or is interrupted lets go of the file", () =>
    connected((c, filename) =>
      Effect.gen(function* () {
        c.run(`CREATE TABLE t AS ${numbers(5000)}`)
        const other = yield* connect({ filename })
        const isFree = () => {
          other.run("INSERT INTO t VALUES (0)")
          return other.values("PRAGMA wal_checkpoint(TRUNCATE)")[0]?.[0] === 0
        }
        const rows = c.executeStream("SELECT v FROM t", [], undefined)
        expect(yield* Stream.runCollect(Stream.take(rows, 3))).toEqual([{ v: 1 }, { v: 2 }, { v: 3 }])
        expect(isFree()).toBe(true)

        const broken = c.executeStream(
          "SELECT iif(v = 900, abs(-9223372036854775808), v) FROM t",
          [],
          undefined
        )
        expect((yield* Effect.flip(Stream.runDrain(broken))).message).toBe("integer overflow")
        expect(isFree()).toBe(true)

        const slow = yield* Effect.forkChild(Stream.runForEach(rows, () => Effect.never))
        yield* Effect.sleep("10 millis")
        expect(isFree()).toBe(false)
        yield* Fiber.interrupt(slow)
        expect(isFree()).toBe(true)
      })
    ))

  test("in memory that is abandoned or fails lets go of the table", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        yield* sql.unsafe(`CREATE TABLE t AS ${numbers(5000)}`)
        expect(yield* Stream.runCollect(Stream.take(sql`SELECT v FROM t`.stream, 1))).toEqual([{ v: 1 }])
        const broken = sql`SELECT iif(v = 900, abs(-9223372036854775808), v) FROM t`.stream
        expect((yield* Effect.flip(Stream.runDrain(broken))).message).toBe("integer overflow")
        yield* sql`DROP TABLE t`
      }), { filename: ":memory:" }))

  test("gives bigints with SafeIntegers", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        const rows = Stream.runCollect(sql`SELECT 1 AS v`.stream)
        expect(yield* Effect.provideService(rows, SqlClient.SafeIntegers, true)).toEqual([{ v: 1n }])
        expect(yield* rows).toEqual([{ v: 1 }])
      })
    ))
})

// --- the client

describe("the client", () => {
  test("runs migrations once, from two clients at the same time", async () => {
    const filename = newFile()
    const migrate = Migrator.make({})({
      loader: Migrator.fromRecord({
        "1_table": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE t (v INTEGER)`),
        "2_row": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`INSERT INTO t VALUES (1)`)
      })
    })
    const client = Effect.flatMap(
      makeClient({ filename }),
      (sql) => Effect.provideService(migrate, SqlClient.SqlClient, sql)
    )
    const done = await run(Effect.all([client, client], { concurrency: 2 }))
    expect(done.flat()).toEqual([[1, "table"], [2, "row"]])
    await connected((c) => Effect.sync(() => expect(c.values("SELECT * FROM t")).toEqual([[1]])), {
      filename
    })
  })

  test("undoes an inner transaction alone", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (v INTEGER UNIQUE)`
        yield* sql.withTransaction(Effect.gen(function* () {
          yield* sql`INSERT INTO t VALUES (1)`
          const inner = sql.withTransaction(
            Effect.andThen(sql`INSERT INTO t VALUES (2)`, sql`INSERT INTO t VALUES (1)`)
          )
          expect((yield* Effect.flip(inner)).reason._tag).toBe("UniqueViolation")
          yield* sql`INSERT INTO t VALUES (3)`
        }))
        expect(yield* sql`SELECT v FROM t`).toEqual([{ v: 1 }, { v: 3 }])
      })
    ))

  test("undoes a transaction that is interrupted or whose commit fails", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE a (id INTEGER PRIMARY KEY)`
        yield* sql`CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)`
        const insert = sql`INSERT INTO b VALUES (1)`
        expect((yield* Effect.flip(sql.withTransaction(insert))).reason._tag).toBe("ConstraintError")
        const fiber = yield* Effect.forkChild(sql.withTransaction(Effect.andThen(insert, Effect.never)))
        yield* Effect.sleep("10 millis")
        yield* Fiber.interrupt(fiber)
        expect(yield* sql`SELECT * FROM b`).toEqual([])
        yield* sql.withTransaction(sql`INSERT INTO a VALUES (1)`)
      })
    ))

  test("keeps fibers out of each other's transactions", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (v INTEGER)`
        const increment = sql.withTransaction(Effect.gen(function* () {
          const [row] = yield* sql<{ n: number }>`SELECT count(*) AS n FROM t`
          yield* Effect.yieldNow
          yield* sql`INSERT INTO t VALUES (${row!.n})`
        }))
        yield* Effect.all(Array.from({ length: 50 }, () => increment), { concurrency: "unbounded" })
        expect(yield* sql`SELECT count(DISTINCT v) AS n FROM t`).toEqual([{ n: 50 }])
      })
    ))

  test("gives rows, values and raw results", () =>
    withClient((sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)`
        expect(yield* sql`INSERT INTO t ${sql.insert([{ v: "a" }, { v: "b" }])}`.raw).toEqual({
          changes: 2,
          lastInsertRowid: 2
        })
        expect(yield* sql`SELECT * FROM t`.values).toEqual([[1, "a"], [2, "b"]])
        expect(yield* sql`SELECT * FROM t`.raw).toEqual([{ id: 1, v: "a" }, { id: 2, v: "b" }])
        expect(yield* sql`UPDATE t SET v = ${"c"} WHERE id = ${2} RETURNING *`).toEqual([{ id: 2, v: "c" }])
        expect(yield* sql`SELECT * FROM t WHERE ${sql.in("v", ["c"])}`.unprepared).toEqual([{
          id: 2,
          v: "c"
        }])
      })
    ))
})

describe("closing", () => {
  test("empties the log, undoes an open transaction and gives back the file", async () => {
    const filename = newFile()
    await connected((c) =>
      Effect.sync(() => {
        c.run(table)
        c.run("BEGIN")
        c.run(add, [1])
        expect(existsSync(`${filename}-wal`)).toBe(true)
      }), { filename })
    expect(readdirSync(join(filename, ".."))).toEqual(["test.db"])
    await connected((c) => Effect.sync(() => expect(c.values(all)).toEqual([])), { filename })
  })

  test("makes later use fail with ConnectionError", async () => {
    const sql = await withClient(Effect.succeed)
    const error = await Effect.runPromise(Effect.flip(sql`SELECT 1`))
    expect(reasonOf(error)).toEqual(["ConnectionError", "the database is closed"])
  })
})

test("the result code is found where the driver gives only a message", () => {
  const code = (message: string) => SqliteError.resultCode(new Error(message))
  expect(code("database is locked")).toBe(5)
  expect(code("unable to open database file: /x")).toBe(14)
  expect(code("UNIQUE constraint failed: t.v")).toBe(2067)
  expect(code("something else")).toBeUndefined()
  expect(SqliteError.make(new Error("UNIQUE constraint failed: t.v"), "execute").reason).toMatchObject({
    _tag: "UniqueViolation",
    constraint: "t.v"
  })
})
