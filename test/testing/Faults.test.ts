// Each fault does what it says to the commit that it is given for, and to no other.
import { expect } from "bun:test"
import { Event, EventStore, type EventStoreDriver } from "dunnock"
import * as Memory from "dunnock/memory"
import { Faults } from "dunnock/testing"
import { Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { check } from "../command/fixture.ts"

const events = Event.set({ Counted: { n: Schema.Number } })

/** A store whose n-th commit suffers the n-th fault. */
const suffering = (
  faults: ReadonlyArray<Faults.Fault | undefined>,
  change: Partial<EventStoreDriver.EventStoreDriver> = {}
) =>
  Effect.gen(function* () {
    const driver = { ...(yield* Memory.make).events, ...change }
    const asked: Array<number> = []
    const store = yield* EventStore.make(Faults.wrap(driver, (n) => {
      asked.push(n)
      return faults[n - 1]
    }))
    const append = (n: number, expected: EventStore.Expected = "any") =>
      store.append(events, [{ stream: "s", expected, events: [{ _tag: "Counted", n }] }])
    const numbers = Effect.map(Stream.runCollect(store.log(events)), (all) => all.map(({ data }) => data.n))
    return { append, asked, numbers, store }
  })

check(
  "the commits are numbered from 1 on, and those without a fault go through",
  Effect.gen(function* () {
    const { append, asked, numbers } = yield* suffering([])
    for (const n of [10, 20, 30]) yield* append(n)
    expect(asked).toEqual([1, 2, 3])
    expect(yield* numbers).toEqual([10, 20, 30])
  })
)

check(
  '"fail before" writes nothing and is Unavailable',
  Effect.gen(function* () {
    const { append, numbers } = yield* suffering([undefined, "fail before"])
    yield* append(1)
    const error = yield* Effect.flip(append(2))
    expect(error).toMatchObject({ isRetryable: true, reason: { _tag: "Unavailable", store: "memory" } })
    expect(error.message).toContain("commit 2")
    yield* append(3)
    expect(yield* numbers).toEqual([1, 3])
  })
)

check(
  '"fail after commit" writes and is OutcomeUnknown',
  Effect.gen(function* () {
    const { append, numbers } = yield* suffering(["fail after commit"])
    const error = yield* Effect.flip(append(1))
    expect(error).toMatchObject({ isRetryable: true, reason: { _tag: "OutcomeUnknown", store: "memory" } })
    yield* append(2)
    expect(yield* numbers).toEqual([1, 2])
  })
)

for (const [expected, actual] of [["none", 1], ["exists", 0], [0, 1], [7, 8]] as const) {
  check(
    `"conflict" writes nothing, as if the stream that was expected at ${expected} were at ${actual}`,
    Effect.gen(function* () {
      const { append, numbers } = yield* suffering(["conflict"])
      const error = yield* Effect.flip(append(1, expected))
      expect(error.reason).toMatchObject({ _tag: "Conflict", stream: "s", expected, actual })
      yield* append(2)
      expect(yield* numbers).toEqual([2])
    })
  )
}

check(
  "slow waits and then writes",
  Effect.gen(function* () {
    const { append, numbers } = yield* suffering([{ slow: "1 minute" }])
    const appending = yield* Effect.forkChild(append(1), { startImmediately: true })
    yield* TestClock.adjust("59 seconds")
    expect(yield* numbers).toEqual([])
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(appending)
    expect(yield* numbers).toEqual([1])
  }).pipe(Effect.provide(TestClock.layer()))
)

check(
  "a fault befalls every append of a group",
  Effect.gen(function* () {
    const { append, asked, numbers } = yield* suffering(["conflict", "fail after commit"], {
      groupCommit: true
    })
    const group = (from: number) =>
      Effect.all([1, 2, 3].map((i) => Effect.flip(append(from + i, "none"))), { concurrency: "unbounded" })
    expect((yield* group(0)).map(({ reason }) => reason._tag)).toEqual(["Conflict", "Conflict", "Conflict"])
    expect((yield* group(10)).map(({ reason }) => reason._tag)).toEqual(Array(3).fill("OutcomeUnknown"))
    expect(asked).toEqual([1, 2])
    expect(yield* numbers).toEqual([11])
  })
)
