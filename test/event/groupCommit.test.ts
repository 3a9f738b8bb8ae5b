/** Group commit: appends made while one is under way are committed together by the next, each with its own outcome. */
import { describe, expect, test } from "bun:test"
import { Event, EventStore, type EventStoreDriver } from "dunnock"
import * as Sqlite from "dunnock/sqlite"
import { Effect, Exit, Fiber, Latch, Schema, type Scope, Stream } from "effect"
import { file } from "../contract/scratch.ts"

const events = Event.set({ Counted: { n: Schema.Int } })

const append = (store: EventStore.EventStore, n: number, expected: EventStore.Expected = "any") =>
  store.append(events, [{ stream: `s-${n}`, expected, events: [{ _tag: "Counted", n }], ids: [`id-${n}`] }])

const numbers = (store: EventStore.EventStore) =>
  Effect.map(Stream.runCollect(store.log(events)), (all) => all.map(({ data }) => data.n))

const range = (from: number, to: number): Array<number> =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** A SQLite store whose commits wait for a latch, and the events of each commit as it was begun. */
const latched = Effect.gen(function* () {
  const { events: driver } = yield* Sqlite.make({ filename: yield* file, synchronous: "NORMAL" })
  const latch = yield* Latch.make(true)
  const begun = yield* Latch.make(false)
  const groups: Array<ReadonlyArray<string | undefined>> = []
  const spoilt: EventStoreDriver.EventStoreDriver = {
    ...driver,
    append: (appends) => {
      const group = appends.flatMap(({ streams }) =>
        streams.flatMap(({ events }) => events.map(({ id }) => id))
      )
      groups.push(group)
      begun.openUnsafe()
      const commit = group.includes("id--1") ? Effect.die(new Error("poison")) : driver.append(appends)
      return Effect.andThen(latch.await, commit)
    }
  }
  return { store: yield* EventStore.make(spoilt), latch, begun, groups }
})

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => () => Effect.runPromise(Effect.scoped(effect))

describe("group commit", () => {
  test(
    "100 appends made at once take one commit, and are written in their order",
    run(Effect.gen(function* () {
      const { groups, store } = yield* latched
      const receipts = yield* Effect.forEach(range(1, 100), (n) => append(store, n), {
        concurrency: "unbounded"
      })
      expect(groups.length).toBe(1)
      expect(receipts.map(([receipt]) => receipt!.position)).toEqual(range(1, 100))
      expect(yield* numbers(store)).toEqual(range(1, 100))
    }))
  )

  test(
    "what is appended while a commit is under way makes up the next one",
    run(Effect.gen(function* () {
      const { begun, groups, latch, store } = yield* latched
      yield* latch.close
      const first = yield* Effect.forkChild(append(store, 0))
      yield* begun.await
      const next = yield* Effect.forkChild(
        Effect.forEach(range(1, 100), (n) => append(store, n), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* latch.open
      yield* Fiber.join(first)
      yield* Fiber.join(next)
      expect(groups.map(({ length }) => length)).toEqual([1, 100])
    }))
  )

  test(
    "callers that go on one after the other share commits",
    run(Effect.gen(function* () {
      const { groups, store } = yield* latched
      const caller = (c: number) => Effect.forEach(range(1, 20), (n) => append(store, c * 100 + n))
      yield* Effect.forEach(range(1, 32), caller, { concurrency: "unbounded" })
      expect((yield* numbers(store)).length).toBe(640)
      expect(groups.length).toBeLessThan(60)
    }))
  )

  test(
    "a group is bounded, and its order kept",
    run(Effect.gen(function* () {
      const { groups, store } = yield* latched
      yield* Effect.forEach(range(1, 1_100), (n) => append(store, n), { concurrency: "unbounded" })
      expect(groups.length).toBe(3)
      expect(yield* numbers(store)).toEqual(range(1, 1_100))
    }))
  )

  test(
    "an append that is refused does not hurt the others of its group, nor is it seen by them",
    run(Effect.gen(function* () {
      const { groups, store } = yield* latched
      yield* append(store, 5)
      const exits = yield* Effect.forEach(
        [range(1, 4), [6, 7]].flat(),
        (n) => Effect.exit(append(store, n, n === 3 ? "exists" : "none")),
        { concurrency: "unbounded" }
      )
      expect(exits.map(Exit.isSuccess)).toEqual([true, true, false, true, true, true])
      expect(groups.length).toBe(2)
      expect(yield* numbers(store)).toEqual([5, 1, 2, 4, 6, 7])
    }))
  )

  test(
    "an append that makes the whole commit fail does not hurt the others of its group",
    run(Effect.gen(function* () {
      const { store } = yield* latched
      const poisoned = [...range(1, 10), -1, ...range(11, 20)]
      const exits = yield* Effect.forEach(poisoned, (n) => Effect.exit(append(store, n)), {
        concurrency: "unbounded"
      })
      expect(exits.filter(Exit.isFailure).length).toBe(1)
      expect(Exit.isFailure(exits[10]!)).toBe(true)
      expect(yield* numbers(store)).toEqual(range(1, 20))
      yield* append(store, 21)
    }))
  )

  test(
    "a caller interrupted in the queue is not written, and the others are",
    run(Effect.gen(function* () {
      const { begun, groups, latch, store } = yield* latched
      yield* latch.close
      const first = yield* Effect.forkChild(append(store, 0))
      yield* begun.await
      const queued = yield* Effect.forEach(
        [1, 2, 3],
        (n) => Effect.forkChild(append(store, n), { startImmediately: true })
      )
      yield* Fiber.interrupt(queued[1]!)
      yield* latch.open
      for (const fiber of [first, queued[0]!, queued[2]!]) yield* Fiber.join(fiber)
      expect(yield* numbers(store)).toEqual([0, 1, 3])
      expect(groups).toEqual([["id-0"], ["id-1", "id-3"]])
      yield* append(store, 2)
    }))
  )

  test(
    "a caller interrupted after its commit began is released at once; the commit is left to finish",
    run(Effect.gen(function* () {
      const { begun, latch, store } = yield* latched
      yield* latch.close
      const fibers = yield* Effect.forEach(
        [1, 2],
        (n) => Effect.forkChild(append(store, n), { startImmediately: true })
      )
      yield* begun.await
      yield* Fiber.interrupt(fibers[0]!)
      expect(yield* numbers(store)).toEqual([])
      yield* latch.open
      yield* Fiber.join(fibers[1]!)
      expect(yield* numbers(store)).toEqual([1, 2])
      expect((yield* append(store, 1))[0]!.position).toBe(1)
    }))
  )

  test(
    "when every caller of a queue is interrupted, the store is not kept busy, and goes on",
    run(Effect.gen(function* () {
      const { groups, store } = yield* latched
      const fibers = yield* Effect.forEach(
        range(1, 5),
        (n) => Effect.forkChild(append(store, n), { startImmediately: true })
      )
      yield* Fiber.interruptAll(fibers)
      yield* append(store, 6)
      expect(yield* numbers(store)).toEqual([6])
      expect(groups).toEqual([["id-6"]])
    }))
  )
})
