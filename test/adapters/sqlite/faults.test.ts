/** Promises 3 and 5 when the driver fails, hesitates, or is left by its callers. */
import { describe, expect, test } from "bun:test"
import { EventStore } from "dunnock"
import * as Sqlite from "dunnock/sqlite"
import { Faults } from "dunnock/testing"
import { Effect, Fiber, Result, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { DatabaseSync } from "node:sqlite"
import { file } from "../../contract/scratch.ts"
import { events, write } from "../../faults/writes.ts"
import { openStore } from "./processes.ts"

/** A store on a new file, whose n-th commit suffers a fault. */
const faulty = (fault: (n: number) => Faults.Fault | undefined) =>
  Effect.gen(function* () {
    const filename = yield* file
    const { events: driver } = yield* Sqlite.make({ filename })
    return { filename, store: yield* EventStore.make(Faults.wrap(driver, fault)) }
  })

const only = (faults: Record<number, Faults.Fault>) => (n: number): Faults.Fault | undefined => faults[n]

const logged = (store: EventStore.EventStore) =>
  Effect.map(Stream.runCollect(store.log(events)), (all) => all.map(({ id }) => id))

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => () => Effect.runPromise(Effect.scoped(effect))

describe("promise 3: idempotent", () => {
  test(
    "an append that failed before it was written can be made again, and is written once",
    run(Effect.gen(function* () {
      const { filename, store } = yield* faulty(only({ 1: "fail before" }))
      const error = yield* Effect.flip(write(store, "w", 0, 0))
      expect(error.reason._tag).toBe("Unavailable")
      expect(error.isRetryable).toBe(true)
      expect(error.message).toContain(filename)
      expect(yield* logged(store)).toEqual([])
      const receipts = yield* write(store, "w", 0, 0)
      expect(receipts.map(({ revision }) => revision)).toEqual([2, 1])
      expect((yield* logged(store)).length).toBe(3)
    }))
  )

  test(
    "an append whose outcome is unknown, made again with the same ids, leaves one copy",
    run(Effect.gen(function* () {
      const { filename, store } = yield* faulty(only({ 1: "fail after commit" }))
      const error = yield* Effect.flip(write(store, "w", 0, 0))
      expect(error.reason._tag).toBe("OutcomeUnknown")
      expect(error.isRetryable).toBe(true)
      expect(error.message).toContain(filename)
      const written = yield* logged(store)
      expect(written.length).toBe(3)
      const receipts = yield* write(store, "w", 0, 0)
      expect(receipts.map(({ position }) => position)).toEqual([2, 3])
      expect(yield* logged(store)).toEqual(written)
    }))
  )

  test(
    "callers that try again while every other commit fails, before or after it is written, leave one copy each",
    run(Effect.gen(function* () {
      const { store } = yield* faulty((n) =>
        ([undefined, "fail before", "fail after commit"] as const)[n % 3]
      )
      const fiber = (f: number) =>
        Effect.forEach(
          [0, 1, 2, 3, 4],
          (n) => Effect.retry(write(store, "w", f, n), { while: (error) => error.isRetryable })
        )
      const receipts = yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], fiber, { concurrency: "unbounded" })
      const ids = yield* logged(store)
      expect(ids.length).toBe(8 * 5 * 3)
      expect(new Set(ids).size).toBe(ids.length)
      const shared = receipts.flat().map(([, receipt]) => receipt!.revision)
      expect(shared.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    }))
  )

  test(
    "a lost race is told as a conflict, and nothing is written",
    run(Effect.gen(function* () {
      const { store } = yield* faulty(only({ 1: "conflict" }))
      expect((yield* Effect.flip(write(store, "w", 0, 0))).reason._tag).toBe("Conflict")
      expect(yield* logged(store)).toEqual([])
    }))
  )
})

describe("promise 5: durable when the effect returns", () => {
  test(
    "while a commit is slow nothing is acknowledged, reading goes on, and the next appends wait for it",
    run(
      Effect.gen(function* () {
        const { store } = yield* faulty(only({ 2: { slow: "1 hour" } }))
        yield* write(store, "w", 0, 0)
        const slow = yield* Effect.forkChild(write(store, "w", 0, 1))
        yield* TestClock.adjust("30 minutes")
        const next = yield* Effect.forkChild(write(store, "w", 0, 2))
        yield* TestClock.adjust("29 minutes")
        expect([slow.pollUnsafe(), next.pollUnsafe()]).toEqual([undefined, undefined])
        expect((yield* logged(store)).length).toBe(3)
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(slow)
        yield* Fiber.join(next)
        expect((yield* logged(store)).length).toBe(9)
      }).pipe(Effect.provide(TestClock.layer()))
    )
  )

  test(
    "an appender interrupted while another connection holds the lock leaves a store that goes on, and no half",
    run(Effect.gen(function* () {
      const filename = yield* file
      const store = yield* openStore({ filename })
      yield* write(store, "w", 0, 0)
      const other = new DatabaseSync(filename)
      other.exec("begin immediate")
      const waiting = yield* Effect.forkChild(write(store, "w", 0, 1), { startImmediately: true })
      // it has tried, and waits
      yield* Effect.sleep("20 millis")
      expect(waiting.pollUnsafe()).toBeUndefined()
      yield* Fiber.interrupt(waiting)
      const next = yield* Effect.forkChild(write(store, "v", 0, 0))
      other.exec("rollback")
      other.close()
      yield* Fiber.join(next)
      const count = (yield* logged(store)).length
      expect([6, 9]).toContain(count)
      expect(Result.isSuccess(yield* Effect.result(write(store, "w", 0, 1)))).toBe(true)
      expect((yield* logged(store)).length).toBe(9)
    }))
  )
})
