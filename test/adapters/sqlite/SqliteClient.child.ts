/**
 * What the tests of `SqliteClient` run in other processes and on other runtimes:
 *
 * - `alike <folder>` prints the outcome of each check, to be compared between Bun, Deno and Node;
 * - `open <file>` opens and creates a table, `hold <file> <ms>` holds the write lock,
 *   `write <file> <writer> <count>` commits rows one by one, `fill <file>` commits until that fails.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import process from "node:process"
import * as SqliteClient from "../../../adapters/sqlite/SqliteClient.ts"
import * as SqliteError from "../../../adapters/sqlite/SqliteError.ts"

const connect = (options: SqliteClient.Options) =>
  Effect.map(SqliteClient.make(options), ({ connection }) => connection)

const plain = (_: string, value: unknown): unknown => {
  if (typeof value === "bigint") return `${value}n`
  if (value instanceof Uint8Array) return { bytes: Array.from(value) }
  return value
}

const describe = (error: unknown): unknown => {
  if (!isSqlError(error)) return { defect: String(error) }
  const { message, operation } = error.reason
  return {
    fails: error.reason._tag,
    operation,
    retryable: error.isRetryable,
    code: SqliteError.resultCode(error),
    constraint: "constraint" in error.reason ? error.reason.constraint : undefined,
    // The one text that the runtimes word differently.
    message: message?.replace(/(too large to bind)\.$/, "$1")
  }
}

const print = (name: string, outcome: unknown): void => console.log(JSON.stringify([name, outcome], plain))

const check = <A>(name: string, effect: Effect.Effect<A, unknown>): Effect.Effect<void> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return print(name, { gives: exit.value ?? null })
    const [reason] = exit.cause.reasons
    print(
      name,
      describe(reason?._tag === "Fail" ? reason.error : reason?._tag === "Die" ? reason.defect : reason)
    )
  })

const schema = [
  "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, amount INTEGER NOT NULL DEFAULT 1 CHECK (amount < 100), data BLOB)",
  "CREATE TABLE pair (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID",
  "CREATE TABLE word (text TEXT)",
  "CREATE UNIQUE INDEX word_lower ON word (lower(text))",
  "CREATE TABLE part (item INTEGER REFERENCES item (id))",
  "CREATE TABLE late (item INTEGER REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED)",
  "CREATE TRIGGER refuse BEFORE INSERT ON item WHEN new.id = 50 BEGIN SELECT RAISE(ABORT, 'fifty is refused'); END",
  "INSERT INTO item (id, name) VALUES (1, 'one'), (2, 'two')",
  "INSERT INTO pair VALUES (1, 2)",
  "INSERT INTO word VALUES ('Word')"
]

const constraints = [
  "INSERT INTO item (id, name) VALUES (3, 'one')",
  "INSERT INTO item (id) VALUES (1)",
  "INSERT INTO item (id) VALUES (1) RETURNING id",
  "INSERT INTO pair VALUES (1, 2)",
  "INSERT INTO word VALUES ('WORD')",
  "INSERT INTO item (id, amount) VALUES (4, NULL)",
  "INSERT INTO item (id, amount) VALUES (4, 100)",
  "INSERT INTO item (id) VALUES ('text')",
  "INSERT INTO part VALUES (77)",
  "INSERT INTO late VALUES (77)",
  "INSERT INTO item (id) VALUES (50)"
]

const mistakes = [
  "SELEC 1",
  "SELECT * FROM absent",
  "SELECT absent FROM item",
  'SELECT "absent"',
  "SELECT abs(-9223372036854775808)",
  "",
  " ; -- nothing\n /* at all */",
  "SELECT 1; SELECT 2",
  "SELECT 1; -- a comment may follow",
  "-- or precede\nSELECT 1",
  "ROLLBACK"
]

const inputs: ReadonlyArray<readonly [string, unknown]> = [
  ["null", null],
  ["undefined", undefined],
  ["true", true],
  ["false", false],
  ["NaN", Number.NaN],
  ["fraction", 0.1],
  ["2^53 - 1", Number.MAX_SAFE_INTEGER],
  ["2^53 + 1", 2n ** 53n + 1n],
  ["-2^63", -(2n ** 63n)],
  ["2^63", 2n ** 63n],
  ["small bigint", 7n],
  ["text", "größe 🐦"],
  ["lone surrogate", "a\ud800b"],
  ["empty text", ""],
  ["bytes", new Uint8Array([0, 1, 255])],
  ["no bytes", new Uint8Array()],
  ["part of bytes", new Uint8Array([1, 2, 3, 4]).subarray(1, 3)],
  ["ArrayBuffer", new Uint8Array([1, 2]).buffer],
  ["DataView", new DataView(new Uint8Array([1, 2, 3]).buffer, 1)],
  ["Date", new Date(0)],
  ["no Date", new Date(Number.NaN)],
  ["object", { a: 1 }],
  ["object of no key", {}],
  ["array", [1]],
  ["symbol", Symbol("s")],
  ["function", () => 1]
]

const recursive = (last: number, value: string): string =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${last}) SELECT ${value} AS v FROM n`

const statementChecks = (file: string) =>
  Effect.gen(function* () {
    const c = yield* connect({ filename: file })
    for (const sql of schema) yield* c.execute(sql, [], undefined)
    const one = (sql: string, ...params: ReadonlyArray<unknown>) => c.execute(sql, params, undefined)

    for (const sql of constraints) {
      yield* check(sql, one(sql))
      yield* check(`transaction: ${sql}`, c.transaction(() => c.run(sql)))
    }
    for (const sql of mistakes) {
      yield* check(sql, one(sql))
      yield* check(`raw: ${sql}`, c.executeRaw(sql, []))
    }
    for (const [name, value] of inputs) {
      yield* check(`parameter ${name}`, one("SELECT ? AS v", value))
      yield* check(`second parameter ${name}`, one("SELECT ? AS u, ? AS v", 1, value))
    }
    yield* check("too many parameters", one("SELECT ? AS v", 1, 2))
    yield* check("too few parameters", one("SELECT ? AS u, ? AS v", 1))

    const big = "SELECT 9007199254740993 AS big, 1 AS small, 0.5 AS half"
    yield* check("big integer", one(big))
    yield* check("big integer again", one(big))
    yield* check("big integer as values", c.executeValues(big, []))
    yield* check("safe integers", Effect.provideService(one(big), SqlClient.SafeIntegers, true))
    yield* check("safe integers off again", one("SELECT 1 AS v"))
    yield* check("columns of one name", c.executeValues("SELECT 1 AS a, 2 AS a", []))
    yield* check("unprepared values", c.executeValuesUnprepared("SELECT 1 AS a, 2 AS a", []))
    yield* check("values do not change rows", one("SELECT 1 AS a, 2 AS b"))
    yield* check("big returning", one("INSERT INTO part DEFAULT VALUES RETURNING 9007199254740993 AS v"))
    yield* check("big returning wrote once", one("SELECT count(*) AS n FROM part"))
    yield* check("changes", c.executeRaw("INSERT INTO item (id) VALUES (10), (11)", []))
    yield* check(
      "changes of returning",
      Effect.sync(() => c.run("INSERT INTO item (id) VALUES (12), (13) RETURNING id"))
    )
    yield* check("big row id", Effect.sync(() => c.run("INSERT INTO item (id) VALUES (?)", [2n ** 53n + 1n])))
    yield* check("rows of returning", one("DELETE FROM item WHERE id > 9 RETURNING id"))

    yield* one("CREATE TABLE changing (a)")
    yield* one("INSERT INTO changing VALUES (1)")
    for (
      const change of [
        "SELECT 1",
        "ALTER TABLE changing ADD COLUMN b DEFAULT 2",
        "ALTER TABLE changing DROP COLUMN a"
      ]
    ) {
      yield* one(change)
      yield* check(`rows after ${change}`, one("SELECT * FROM changing"))
    }

    yield* check("transaction in a transaction", c.transaction(() => c.run("BEGIN")))
    yield* check("transaction that ended itself", c.transaction(() => c.run("COMMIT")))
    yield* check(
      "a defect",
      c.transaction(() => {
        throw new Error("mine")
      })
    )
    yield* check("usable", c.transaction(() => c.all("SELECT id FROM item ORDER BY id")))

    const stream = (sql: string) => Stream.runCount(c.executeStream(sql, [], undefined))
    yield* check("stream", stream(recursive(1000, "i")))
    yield* check("stream of none", stream("SELECT 1 WHERE 0"))
    yield* check("stream that breaks", stream(recursive(1000, "iif(i = 700, abs(-9223372036854775808), i)")))
    yield* check("stream that breaks at once", stream("SELECT abs(-9223372036854775808)"))
    yield* check(
      "stream of a big integer",
      Stream.runCollect(c.executeStream("SELECT 9007199254740993 v, 1 w;", [], undefined))
    )
    yield* check("stream of a mistake", stream("SELECT * FROM absent"))
    yield* check("stream of a write", stream("INSERT INTO item (id) VALUES (20), (21) RETURNING id"))
    yield* check("stream of a bad write", stream("INSERT INTO item (id) VALUES (20) RETURNING id"))
    yield* check("stream of a pragma", stream("PRAGMA table_info(item)"))
    yield* check("what the streams wrote", one("SELECT id FROM item WHERE id > 9"))
  })

const fullChecks = (file: string) =>
  Effect.gen(function* () {
    const c = yield* connect({ filename: file })
    c.run("CREATE TABLE t (data)")
    c.all("PRAGMA max_page_count = 20")
    yield* check("full", c.transaction(() => c.run("INSERT INTO t VALUES (zeroblob(100000))")))
    yield* check("full, statement", c.execute("INSERT INTO t VALUES (zeroblob(100000))", [], undefined))
    yield* check("after full", c.transaction(() => c.run("INSERT INTO t VALUES (1)")))
  })

const lockChecks = (file: string) =>
  Effect.gen(function* () {
    const a = yield* connect({ filename: file })
    const b = yield* connect({ filename: file, busyTimeout: 30 })
    a.run("CREATE TABLE t (v)")
    a.run("BEGIN IMMEDIATE")
    yield* check("locked transaction", b.transaction(() => b.run("INSERT INTO t VALUES (1)")))
    yield* check("locked statement", b.execute("INSERT INTO t VALUES (1)", [], undefined))
    yield* check(
      "locked stream",
      Stream.runCount(b.executeStream("INSERT INTO t VALUES (1) RETURNING v", [], undefined))
    )
    yield* check("reading while locked", b.execute("SELECT count(*) AS n FROM t", [], undefined))
    yield* check(
      "opening while locked",
      Effect.scoped(connect({ filename: file, busyTimeout: 0 })).pipe(Effect.asVoid)
    )
    a.run("COMMIT")
    b.run("BEGIN")
    b.all("SELECT * FROM t")
    a.run("INSERT INTO t VALUES (2)")
    yield* check("old snapshot", b.execute("INSERT INTO t VALUES (3)", [], undefined))
    b.run("ROLLBACK")
    yield* check("after the lock", b.transaction(() => b.run("INSERT INTO t VALUES (4)")))
  })

const openChecks = (folder: string) =>
  Effect.gen(function* () {
    const at = (name: string) => `${folder}/${name}`
    const opening = (name: string, filename: string) =>
      check(`open ${name}`, Effect.asVoid(Effect.scoped(connect({ filename }))))
    const good = at("good.db")
    yield* Effect.scoped(Effect.map(connect({ filename: good }), (c) => {
      c.run("CREATE TABLE good (v)")
      c.run("INSERT INTO good VALUES (zeroblob(50000))")
    }))
    const bytes = readFileSync(good)
    const spoil = (name: string, change: (copy: Buffer) => Uint8Array) => {
      writeFileSync(at(name), change(Buffer.from(bytes)))
      return opening(name, at(name))
    }
    mkdirSync(at("folder"))
    yield* opening("good", good)
    yield* opening("file: URI", `file:${good}`)
    yield* opening("folder", at("folder"))
    yield* opening("missing folder", at("absent/x.db"))
    yield* opening("file for a folder", at("good.db/x.db"))
    yield* opening("read-only", `file:${good}?mode=ro`)
    yield* opening("unchangeable", `file:${good}?immutable=1`)
    yield* opening("no name", "")
    yield* opening("missing, by URI", `file:${at("absent/x.db")}`)
    yield* spoil("text", () => new TextEncoder().encode("not a database\n".repeat(500)))
    yield* spoil("short", () => new TextEncoder().encode("short"))
    yield* spoil("empty", () => new Uint8Array())
    yield* spoil("header", (copy) => copy.fill(90, 0, 16))
    yield* spoil("encrypted", (copy) => copy.map((_, i) => (i * 7919 + 13) & 255))
    yield* spoil("damaged", (copy) => copy.fill(255, 100, 4000))
    yield* spoil("truncated", (copy) => copy.subarray(0, 5000))
    yield* spoil("newer format", (copy) => copy.fill(9, 18, 20))
    yield* spoil("schema", (copy) =>
      copy.fill("X", copy.indexOf("CREATE TABLE"), copy.indexOf("CREATE TABLE") + 6))
  })

const closeChecks = (folder: string) =>
  Effect.gen(function* () {
    mkdirSync(`${folder}/close`)
    const c = yield* Effect.scoped(Effect.gen(function* () {
      const c = yield* connect({ filename: `${folder}/close/c.db` })
      c.run("CREATE TABLE t (v)")
      c.run("BEGIN")
      c.run("INSERT INTO t VALUES (1)")
      return c
    }))
    yield* check("files after close", Effect.sync(() => readdirSync(`${folder}/close`)))
    yield* check("kept statement after close", c.execute("INSERT INTO t VALUES (1)", [], undefined))
    yield* check("statement after close", c.execute("SELECT * FROM t", [], undefined))
    yield* check("transaction after close", c.transaction(() => 1))
    const again = yield* connect({ filename: `${folder}/close/c.db` })
    yield* check("open transaction is undone", again.execute("SELECT count(*) AS n FROM t", [], undefined))
  })

const clientChecks = Effect.gen(function* () {
  const { client: sql } = yield* SqliteClient.make({ filename: ":memory:" })
  yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)`
  yield* sql`INSERT INTO t ${sql.insert([{ v: "a" }, { v: "b" }])}`
  yield* check("client", sql`SELECT * FROM t WHERE v IN ${sql.in(["a", "b"])}`)
  yield* check(
    "client rollback",
    sql.withTransaction(Effect.andThen(sql`DELETE FROM t`, sql`INSERT INTO t (id) VALUES (1), (1)`))
  )
  yield* check("client after rollback", sql`SELECT count(*) AS n FROM t`)
  yield* check("client stream", Stream.runCollect(sql`SELECT * FROM t`.stream))
})

const [command, target = "", ...rest] = process.argv.slice(2)

const alike = Effect.gen(function* () {
  yield* Effect.scoped(statementChecks(`${target}/statements.db`))
  yield* Effect.scoped(fullChecks(`${target}/full.db`))
  yield* Effect.scoped(lockChecks(`${target}/lock.db`))
  yield* Effect.scoped(openChecks(target))
  yield* Effect.scoped(closeChecks(target))
  yield* Effect.scoped(clientChecks)
})

const openFile = Effect.scoped(
  Effect.flatMap(
    connect({ filename: target }),
    (c) => c.transaction(() => c.run("CREATE TABLE IF NOT EXISTS t (writer, n, PRIMARY KEY (writer, n))"))
  )
)

const hold = Effect.scoped(Effect.gen(function* () {
  const c = yield* connect({ filename: target })
  c.run("BEGIN IMMEDIATE")
  console.log("held")
  yield* Effect.sleep(Number(rest[0]))
  c.run("COMMIT")
}))

const write = Effect.scoped(Effect.gen(function* () {
  const c = yield* connect({
    filename: target,
    synchronous: "NORMAL",
    busyTimeout: "30 seconds"
  })
  for (let n = 0; n < Number(rest[1]); n++) {
    yield* c.transaction(() => c.run("INSERT INTO t VALUES (?, ?)", [rest[0], n]))
  }
}))

const fill = Effect.scoped(Effect.gen(function* () {
  const c = yield* connect({ filename: target, synchronous: "NORMAL" })
  c.run("CREATE TABLE t (data)")
  let kept = 0
  const add = Effect.map(c.transaction(() => c.run("INSERT INTO t VALUES (zeroblob(5000))")), () => kept++)
  const error = yield* Effect.flip(Effect.forever(add))
  print("failure", describe(error))
  print("kept", [kept, c.values("SELECT count(*) FROM t")[0]?.[0]])
  yield* check("afterwards", c.transaction(() => c.all("SELECT 1 AS v")))
}))

const commands: Record<string, Effect.Effect<void, unknown>> = {
  alike,
  fill,
  hold,
  open: check("open", openFile),
  write
}

await Effect.runPromise(commands[command ?? ""] ?? Effect.die(`no such command: ${command}`))
