/** Files that are not as they should be: each is refused with an error that names it and says why, and nothing is lost. */
import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { file, folder } from "../../contract/scratch.ts"
import { cannotOpen, change, logged, refusal, rows, run, works, written } from "./input.ts"
import { idsOf, write } from "../../faults/writes.ts"
import { openStore } from "./processes.ts"

describe("opening", () => {
  test(
    "a file that is not a database is refused and left as it is",
    run(Effect.gen(function* () {
      const filename = yield* file
      const text = "once upon a time ".repeat(500)
      writeFileSync(filename, text)
      cannotOpen(yield* refusal({ filename }), "not a SQLite database")
      expect(readFileSync(filename, "utf8")).toBe(text)
    }))
  )

  test(
    "a file that is cut short is refused and left as it is",
    run(Effect.gen(function* () {
      const filename = yield* written
      truncateSync(filename, 5_000)
      const before = readFileSync(filename)
      cannotOpen(yield* refusal({ filename }))
      expect(readFileSync(filename).equals(before)).toBe(true)
    }))
  )

  test(
    "a folder is refused",
    run(Effect.gen(function* () {
      cannotOpen(yield* refusal({ filename: yield* folder }), "it is a folder")
    }))
  )

  test(
    "a file in a folder that does not exist is refused, and the folder is not made",
    run(Effect.gen(function* () {
      const filename = join(yield* folder, "missing", "events.db")
      cannotOpen(yield* refusal({ filename }), 'missing" does not exist')
    }))
  )

  test(
    "a file below a file is refused",
    run(Effect.gen(function* () {
      const parent = yield* file
      writeFileSync(parent, "")
      cannotOpen(yield* refusal({ filename: join(parent, "events.db") }), "is not a folder")
    }))
  )

  test(
    "an empty name is refused",
    run(Effect.map(refusal({ filename: "" }), (reason) => cannotOpen(reason, "empty")))
  )

  test(
    "an empty file is a new store, and a name may hold what it likes",
    run(Effect.gen(function* () {
      for (const name of ["empty", "a b%20?#&'\"", "ünï ☃", "file:x"]) {
        const filename = join(yield* folder, name)
        writeFileSync(filename, "")
        yield* Effect.scoped(Effect.flatMap(openStore({ filename }), (store) => write(store, "w", 0, 0)))
        expect(yield* logged(yield* openStore({ filename }))).toEqual([...idsOf("w", 0, 0)])
        expect(readFileSync(filename, "latin1").startsWith("SQLite format 3")).toBe(true)
      }
    }))
  )

  // KNOWN: the migrations run on a connection of their own, which in memory is another database.
  test(
    "a store in memory works, and is gone when it closes",
    run(Effect.gen(function* () {
      for (const _ of [1, 2]) {
        yield* Effect.scoped(Effect.gen(function* () {
          const store = yield* openStore({ filename: ":memory:" })
          expect(yield* store.head).toBe(0)
          yield* write(store, "w", 0, 0)
          expect(yield* logged(store)).toEqual([...idsOf("w", 0, 0)])
        }))
      }
    }))
  )
})

// --- read-only

/** How a path is made read-only so that it holds for this user, and undone; undefined where nothing does. */
const readOnly: ((path: string) => () => void) | undefined = (() => {
  const change = (command: string, on: string, off: string) => (path: string) => {
    execFileSync(command, [on, path], { stdio: "pipe" })
    return () => execFileSync(command, [off, path], { stdio: "pipe" })
  }
  const probe = mkdtempSync(join(tmpdir(), "dunnock-"))
  const isHeld = (make: (path: string) => () => void, i: number) => {
    try {
      const undo = make(probe)
      try {
        writeFileSync(join(probe, `${i}`), "")
        return false
      } catch {
        return true
      } finally {
        undo()
      }
    } catch {
      return false
    }
  }
  try {
    return [change("chmod", "a-w", "u+w"), change("chattr", "+i", "-i")].find(isHeld)
  } finally {
    chmodSync(probe, 0o700)
    rmSync(probe, { recursive: true })
  }
})()
if (readOnly === undefined) console.log("skipped: read-only files, since this user may write to all")

describe.skipIf(readOnly === undefined)("what may not be written", () => {
  const made = (path: string) =>
    Effect.acquireRelease(Effect.sync(() => readOnly!(path)), (undo) => Effect.sync(undo))

  test(
    "a read-only file is refused, and works again when it may be written",
    run(Effect.gen(function* () {
      const filename = yield* written
      yield* Effect.scoped(Effect.gen(function* () {
        yield* made(filename)
        cannotOpen(yield* refusal({ filename }), "read-only")
      }))
      yield* works(filename)
    }))
  )

  test(
    "a new file in a read-only folder is refused",
    run(Effect.gen(function* () {
      const path = yield* folder
      yield* Effect.scoped(Effect.gen(function* () {
        yield* made(path)
        cannotOpen(yield* refusal({ filename: join(path, "events.db") }), "may not be written")
      }))
    }))
  )

  test(
    "a file in a read-only folder is refused, and works again when it may be written",
    run(Effect.gen(function* () {
      const filename = yield* written
      yield* Effect.scoped(Effect.gen(function* () {
        yield* made(join(filename, ".."))
        cannotOpen(yield* refusal({ filename }), "may not be")
      }))
      yield* works(filename)
    }))
  )
})

// --- the schema of the file

describe("the schema of a file", () => {
  const newest = (filename: string) =>
    Number((rows(filename, "select max(migration_id) from dunnock_migrations")[0] as [number])[0])

  test(
    "an older one is brought up to date, and nothing is lost",
    run(Effect.gen(function* () {
      const filename = yield* written
      const version = newest(filename)
      change(
        filename,
        "drop table dunnock_snapshots; drop table dunnock_store; delete from dunnock_migrations where migration_id > 1"
      )
      yield* works(filename)
      expect(newest(filename)).toBe(version)
      const store = yield* openStore({ filename })
      const snapshot = { revision: 1, position: 1, fingerprint: "f", state: "{}" }
      yield* store.driver.writeSnapshot("s", snapshot)
      expect(yield* store.driver.readSnapshot("s")).toEqual(snapshot)
    }))
  )

  test(
    "a newer one is refused, naming both versions, and left as it is",
    run(Effect.gen(function* () {
      const filename = yield* written
      const version = newest(filename)
      change(
        filename,
        `insert into dunnock_migrations (migration_id, name) values (${version + 1}, 'from the future')`
      )
      const before = rows(filename, "select * from sqlite_schema order by name")
      cannotOpen(yield* refusal({ filename }), `version ${version + 1}`, `version ${version}`)
      expect(rows(filename, "select * from sqlite_schema order by name")).toEqual(before)
      change(filename, `delete from dunnock_migrations where migration_id = ${version + 1}`)
      yield* works(filename)
    }))
  )

  for (
    const [name, sql] of [
      ["events", "create table dunnock_events (id integer primary key, note text)"],
      ["a view of events", "create view dunnock_events as select 1 as position"],
      ["snapshots", "create table dunnock_snapshots (x)"],
      ["migrations", "create table dunnock_migrations (x)"]
    ] as const
  ) {
    test(
      `somebody else's ${name} under our name are refused, and left as they are`,
      run(Effect.gen(function* () {
        const filename = yield* file
        change(filename, `${sql}; create table theirs (x); insert into theirs values (7)`)
        const before = rows(
          filename,
          "select name, sql from sqlite_schema where name not like 'dunnock_migrations%' order by name"
        )
        cannotOpen(yield* refusal({ filename }), "dunnock_")
        expect(
          rows(
            filename,
            "select name, sql from sqlite_schema where name not like 'dunnock_migrations%' order by name"
          )
        )
          .toEqual(before)
        expect(rows(filename, "select * from theirs")).toEqual([[7]])
      }))
    )
  }

  test(
    "somebody else's tables beside ours are left alone",
    run(Effect.gen(function* () {
      const filename = yield* file
      change(filename, "create table theirs (x); insert into theirs values (7)")
      const store = yield* openStore({ filename })
      yield* write(store, "w", 0, 0)
      expect(rows(filename, "select * from theirs")).toEqual([[7]])
    }))
  )
})

// --- the log itself

describe("the database refuses to change what was recorded:", () => {
  for (
    const sql of [
      "update dunnock_events set data = '{}' where position = 1",
      "delete from dunnock_events where position = 1",
      "delete from dunnock_events",
      "update or replace dunnock_events set position = 2 where position = 1"
    ]
  ) {
    test(
      sql.slice(0, 60),
      run(Effect.gen(function* () {
        const filename = yield* written
        const before = rows(filename, "select * from dunnock_events")
        expect(() => change(filename, sql)).toThrow("append-only")
        expect(rows(filename, "select * from dunnock_events")).toEqual(before)
      }))
    )
  }
})
