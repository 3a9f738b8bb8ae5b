// What can be asked of a subscription.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import { type Case, equal, holds } from "../Contract.ts"
import {
  append,
  appendOther,
  eventually,
  make,
  member,
  never,
  noting,
  numbers,
  range,
  type Services,
  topic
} from "./fixture.ts"

export const admin: ReadonlyArray<Case<Services>> = topic("status", {
  "reset: everything after the position is handled again, as a replay up to where it had been": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 2 })
      const [one, elsewhere] = [yield* member(open), yield* member(open)]
      const seen: Array<readonly [number, boolean]> = []
      yield* noting(
        one,
        mailer,
        {},
        ({ data }, { replay }) => Effect.sync(() => void seen.push([data.n, replay]))
      )
      for (const n of range(1, 10)) yield* append(open, `s-${n}`, n)
      yield* one.ask(mailer.waitFor(10))
      const positions = Effect.map(
        elsewhere.ask(mailer.status),
        ({ shards }) => shards.map(({ position }) => position)
      )
      yield* eventually("the checkpoint is there", Effect.map(positions, (all) => all.every((p) => p === 10)))
      seen.length = 0
      yield* elsewhere.ask(mailer.reset(4))
      yield* eventually("it has replayed", Effect.sync(() => seen.length >= 6))
      yield* append(open, "s-11", 11)
      yield* eventually("it goes on", Effect.sync(() => seen.length >= 7))
      yield* equal(
        "handled",
        seen.toSorted(([a], [b]) => a - b),
        range(5, 11).map((n) => [n, n <= 10] as const)
      )
    }),
  "reset: it is waited for, in the process of the owner too": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 20)
      const seen = yield* noting(one, mailer, {}, () => Effect.sleep("1 millis"))
      yield* one.ask(mailer.waitFor(20))
      seen.length = 0
      yield* one.ask(mailer.reset(0))
      yield* one.ask(mailer.waitFor(20))
      yield* equal("handled again", numbers(seen), range(1, 20))
    }),
  "reset: whatever has been handled is a replay, also what is after an event that has not been": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const [one, elsewhere] = [yield* member(open), yield* member(open)]
      const seen: Array<readonly [number, boolean]> = []
      yield* append(open, "slow", 0)
      for (const n of range(1, 10)) yield* append(open, `s-${n % 3}`, n)
      yield* noting(
        one,
        mailer,
        { concurrency: 3 },
        ({ data: { n } }, { replay }) =>
          n === 0 ? Effect.never : Effect.sync(() => void seen.push([n, replay]))
      )
      yield* eventually("all but one are handled", Effect.sync(() => seen.length === 10))
      seen.length = 0
      yield* elsewhere.ask(mailer.reset(0))
      yield* eventually("they are handled again", Effect.sync(() => seen.length === 10))
      yield* holds("as a replay", seen.every(([, replay]) => replay))
    }),
  "reset: a stopped shard goes on": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 5)
      const onFailure = { retry: never }
      const seen = yield* noting(one, mailer, { onFailure }, ({ data: { n } }) =>
        n === 3 ? Effect.fail("bad") : Effect.void)
      yield* equal("stopped", (yield* Effect.flip(one.ask(mailer.waitFor(5)))).reason._tag, "Stopped")
      yield* one.ask(mailer.reset(3))
      yield* one.ask(mailer.waitFor(5))
      yield* equal("handled", numbers(seen), range(1, 5))
    }),
  "reset: a position that cannot be one, or is beyond the newest event, is refused": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* noting(one, mailer)
      for (const position of [-1, 0.5, NaN, 1]) {
        yield* equal(
          "reason",
          (yield* Effect.flip(one.ask(mailer.reset(position)))).reason._tag,
          "InvalidInput"
        )
      }
    }),
  "waitFor: waits for the handler, in this process and from another": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const [one, other] = [yield* member(open), yield* member(open)]
      const latch = yield* Latch.make(false)
      const seen: Array<number> = []
      yield* noting(one, mailer, {}, ({ data }) =>
        Effect.andThen(
          latch.await,
          Effect.sync(() => void seen.push(data.n))
        ))
      const receipt = yield* append(open, "a", 1, 3)
      const waiting = yield* Effect.forEach([one, other], ({ ask }) =>
        Effect.forkChild(
          Effect.map(ask(mailer.waitFor(receipt)), () => [...seen]),
          { startImmediately: true }
        ))
      yield* latch.open
      for (const fiber of waiting) yield* equal("seen", yield* Fiber.join(fiber), [1, 2, 3])
    }),
  "waitFor: an event that is not the subscription's is passed": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 2 })
      const [one, other] = [yield* member(open), yield* member(open)]
      const seen = yield* noting(one, mailer)
      yield* append(open, "a", 1)
      const receipt = yield* appendOther(open, "a")
      yield* one.ask(mailer.waitFor(receipt))
      yield* other.ask(mailer.waitFor(receipt))
      yield* equal("handled", numbers(seen), [1])
    }),
  "waitFor: gives up after the time given": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* noting(one, mailer)
      const { reason } = yield* Effect.flip(one.ask(mailer.waitFor(1, "20 millis")))
      yield* equal("reason", reason._tag, "TimedOut")
      const unknown = yield* Effect.flip(one.ask(make("unknown").waitFor(1, "20 millis")))
      yield* equal("never run", unknown.reason._tag, "NotBegun")
    }),
  "status: says where each shard is, who has it, and how far behind it is": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 2 })
      const one = yield* member(open)
      yield* equal("never run", (yield* Effect.flip(one.ask(mailer.status))).reason._tag, "NotBegun")
      const latch = yield* Latch.make(false)
      yield* append(open, "a", 1, 5)
      yield* noting(one, mailer, {}, () => latch.await)
      const status = one.ask(mailer.status)
      yield* eventually(
        "both are owned",
        Effect.map(status, ({ shards }) => shards.every(({ owner }) => owner !== undefined))
      )
      const before = yield* status
      yield* equal("head", before.head, 5)
      yield* equal("shards", before.shards.map(({ shard }) => shard), [0, 1])
      yield* holds("one is behind", before.shards.some(({ lag }) => lag === 5))
      yield* latch.open
      yield* one.ask(mailer.waitFor(5))
      yield* one.close
      const after = yield* status
      yield* equal("behind", after.shards.map(({ lag }) => lag), [0, 0])
      yield* equal("owners", after.shards.map(({ owner }) => owner), [undefined, undefined])
      yield* equal("handled", after.shards.reduce((sum, { handled }) => sum + handled, 0), 5)
    })
})
