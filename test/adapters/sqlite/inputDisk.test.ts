/** Damage, locks and full disks: each gives an error that names the file and says why, and nothing is lost. */
import { afterAll, describe, expect, test } from "bun:test"
import type { EventStore } from "dunnock"
import { Effect, Fiber } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { file } from "../../contract/scratch.ts"
import { cannotOpen, ids, logged, refusal, run, works, written } from "./input.ts"
import { write } from "../../faults/writes.ts"
import { openStore, start } from "./processes.ts"

describe("a damaged file", () => {
  test(
    "is refused where it is damaged, by a typed error, and is not made worse",
    run(Effect.gen(function* () {
      const filename = yield* file
      yield* Effect.scoped(Effect.gen(function* () {
        const store = yield* openStore({ filename })
        for (let n = 0; n < 200; n++) yield* write(store, "w", 0, n)
      }))
      const bytes = readFileSync(filename)
      bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 3 * 4_096)
      writeFileSync(filename, bytes)
      const attempts = Effect.scoped(Effect.gen(function* () {
        const store = yield* openStore({ filename })
        yield* logged(store)
        for (let n = 0; n < 200; n++) yield* write(store, "w", 0, n)
      }))
      const error = yield* Effect.flip(attempts)
      cannotOpen(error.reason, filename, "malformed")
      expect(error.isRetryable).toBe(false)
      expect(readFileSync(filename).equals(bytes)).toBe(true)
    }))
  )

  test(
    "of which only the first page is left, is refused by a typed error",
    run(Effect.gen(function* () {
      const filename = yield* written
      const bytes = readFileSync(filename)
      bytes.fill(0xff, 4_096)
      writeFileSync(filename, bytes)
      const error = yield* Effect.flip(Effect.flatMap(openStore({ filename }), logged))
      cannotOpen(error.reason, filename)
    }))
  )
})

describe("a file that another process has locked", () => {
  test(
    "is waited for, and when that takes too long unavailable, while the event loop goes on; afterwards it works",
    run(Effect.gen(function* () {
      const filename = yield* written
      const store = yield* openStore({ filename, busyTimeout: "600 millis" })
      const holder = yield* start({ kind: "hold", filename })
      holder.tell("go")
      yield* holder.hear
      let [longest, last] = [0, performance.now()]
      const tick = setInterval(() => {
        longest = Math.max(longest, performance.now() - last)
        last = performance.now()
      }, 1)
      const began = performance.now()
      const error = yield* Effect.flip(write(store, "w", 0, 2))
      clearInterval(tick)
      expect(error.reason._tag).toBe("Unavailable")
      expect(error.isRetryable).toBe(true)
      expect(error.message).toContain(filename)
      expect(error.message).toContain("locked")
      expect(performance.now() - began).toBeGreaterThan(550)
      expect(longest).toBeLessThan(300)
      // reading needs no lock
      expect(yield* logged(store)).toEqual(ids)

      const waiting = yield* Effect.forkChild(write(store, "w", 0, 2))
      holder.tell("roll back")
      yield* Fiber.join(waiting)
      expect((yield* logged(store)).length).toBe(9)
    })),
    20_000
  )

  test(
    "can be opened and read all the same",
    run(Effect.gen(function* () {
      const filename = yield* written
      const holder = yield* start({ kind: "hold", filename })
      holder.tell("go")
      yield* holder.hear
      const store = yield* openStore({ filename, busyTimeout: "100 millis" })
      expect(yield* logged(store)).toEqual(ids)
      expect((yield* Effect.flip(write(store, "w", 0, 2))).reason._tag).toBe("Unavailable")
    })),
    20_000
  )

  // KNOWN: `opening` in SqliteEventStore.ts says CannotOpen of every failure to connect.
  test(
    "for its exclusive use cannot be opened now: unavailable, and to be tried again",
    run(Effect.gen(function* () {
      const filename = yield* written
      const other = new DatabaseSync(filename)
      other.exec("pragma locking_mode = exclusive; begin exclusive; create table theirs (x)")
      const reason = yield* refusal({ filename })
      expect(reason._tag).toBe("Unavailable")
      expect(reason.message).toContain("locked")
      other.close()
      yield* works(filename)
    }))
  )
})

describe("a full disk", () => {
  /** Appends until there is no space, then with space again. */
  const fill = (filename: string, ofSpace: (store: EventStore.EventStore) => void, more: () => void) =>
    Effect.gen(function* () {
      const store = yield* openStore({ filename })
      yield* write(store, "w", 0, 0)
      ofSpace(store)
      let n = 1
      const until = Effect.gen(function* () {
        for (;; n++) yield* write(store, "w", 0, n)
      })
      const error = yield* Effect.flip(until)
      expect(error.reason._tag).toBe("Unavailable")
      expect(error.message).toContain(filename)
      expect(error.message).toContain("full")
      // what was acknowledged is there, and nothing else; it can still be read
      expect((yield* logged(store)).length).toBe(3 * n)
      expect((yield* Effect.flip(write(store, "w", 0, n))).reason._tag).toBe("Unavailable")
      more()
      yield* write(store, "w", 0, n)
      yield* write(store, "w", 0, n + 1)
      expect((yield* logged(store)).length).toBe(3 * (n + 2))
    })

  test(
    "fails an append that finds no space, loses nothing, and goes on when there is space again (at most so many pages)",
    run(Effect.gen(function* () {
      // the connection is the store's own: found as it prepares its statements
      const connections = new Set<DatabaseSync>()
      const { prepare } = DatabaseSync.prototype
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          DatabaseSync.prototype.prepare = function (sql) {
            connections.add(this)
            return prepare.call(this, sql)
          }
        }),
        () => Effect.sync(() => void (DatabaseSync.prototype.prepare = prepare))
      )
      const limit = (pages: string) => {
        for (const connection of connections) {
          if (connection.isOpen) connection.exec(`pragma max_page_count = ${pages}`)
        }
      }
      yield* fill(yield* file, () => limit("1"), () => limit("1000000"))
    }))
  )

  const space = mkdtempSync(join(tmpdir(), "dunnock-"))
  const mount = (...options: ReadonlyArray<string>) =>
    execFileSync("mount", ["-t", "tmpfs", ...options, "tmpfs", space], { stdio: "pipe" })
  let mounted = false
  try {
    mount("-o", "size=400k")
    mounted = true
  } catch {
    console.log("skipped: a full disk, since this user may not mount one")
  }
  afterAll(() => {
    if (mounted) execFileSync("umount", [space])
    rmSync(space, { recursive: true })
  })

  test.skipIf(!mounted)(
    "fails an append that finds no space, loses nothing, and goes on when there is space again (a disk)",
    run(
      fill(join(space, "events.db"), () => {}, () => mount("-o", "remount,size=4m"))
    )
  )

  test.skipIf(!mounted)(
    "refuses to make a new file",
    run(Effect.gen(function* () {
      const path = join(space, "small")
      mkdirSync(path)
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=8k", "tmpfs", path], { stdio: "pipe" })
      yield* Effect.addFinalizer(() => Effect.sync(() => execFileSync("umount", [path])))
      const reason = yield* refusal({ filename: join(path, "events.db") })
      expect(["CannotOpen", "Unavailable"]).toContain(reason._tag)
      expect(reason.message).toMatch(/full|I\/O error/)
    }))
  )
})
