// What becomes of events that cannot be handled.
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type Case, equal, holds } from "../Contract.ts"
import {
  append,
  appendBad,
  byStream,
  type Counted,
  eventually,
  make,
  member,
  never,
  noting,
  numbers,
  type Services,
  topic
} from "./fixture.ts"

const park = { retry: never, otherwise: "park" } as const

/** A handler that fails for these numbers, while they are in the set. */
const failing = (bad: Set<number>) => ({ data }: Counted) =>
  bad.has(data.n) ? Effect.fail(new Error(`${data.n} is bad`)) : Effect.void

export const failures: ReadonlyArray<Case<Services>> = topic("failures", {
  "a handler that fails or dies is tried again, as often as the schedule says": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 3)
      const attempts: Array<string> = []
      yield* noting(
        one,
        mailer,
        { onFailure: { retry: Schedule.recurs(2), otherwise: "skip" } },
        ({ data }, { attempt }) =>
          Effect.suspend(() => {
            attempts.push(`${data.n}.${attempt}`)
            return data.n !== 2
              ? Effect.void
              : attempt === 1
              ? Effect.die("a defect")
              : Effect.fail("a failure")
          })
      )
      yield* one.ask(mailer.waitFor(3))
      yield* equal("attempts", attempts, ["1.1", "2.1", "2.2", "2.3", "3.1"])
    }),
  "skip: the event is passed by and counted, also one that cannot be decoded": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 3)
      yield* appendBad(open, "a")
      yield* append(open, "a", 4)
      const onFailure = { retry: never, otherwise: "skip" } as const
      const seen = yield* noting(one, mailer, { onFailure }, failing(new Set([2])))
      yield* one.ask(mailer.waitFor(5))
      yield* equal("handled", numbers(seen), [1, 2, 3, 4])
      yield* one.close
      const { shards: [shard] } = yield* one.ask(mailer.status)
      yield* equal("counts", [shard!.handled, shard!.skipped, shard!.position], [3, 2, 5])
    }),
  "park: who has waited for an event finds its stream parked, with the fields of the error": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      const fields = Object.assign(new Error(), { name: "Down", to: "ann" })
      yield* noting(one, mailer, { onFailure: park }, () => Effect.fail(fields))
      for (const stream of ["a", "b", "c"]) {
        const { position } = yield* append(open, stream, 1)
        yield* one.ask(mailer.waitFor(position))
        const parked = yield* one.ask(mailer.parked())
        yield* equal("the last that is parked", parked.at(-1)?.stream, stream)
        yield* holds("the error is shown", parked.at(-1)!.error.includes('"to":"ann"'))
      }
    }),
  "stop: the shard stops before the event and says why, and goes on when it is resumed": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 3)
      const bad = new Set([2])
      const onFailure = { retry: never, otherwise: "stop" } as const
      const seen = yield* noting(one, mailer, { onFailure }, failing(bad))
      const stopped = Effect.map(one.ask(mailer.status), ({ shards }) => shards[0]!.stopped)
      yield* eventually("it stops", Effect.map(stopped, (by) => by !== undefined))
      const by = yield* stopped
      yield* equal("at", by?.position, 2)
      yield* holds("why", by!.error.includes("2 is bad"))
      yield* equal("waiting", (yield* Effect.flip(one.ask(mailer.waitFor(3)))).reason._tag, "Stopped")
      yield* equal("not beyond", numbers(seen), [1, 2])
      bad.clear()
      yield* one.ask(mailer.resume)
      yield* one.ask(mailer.waitFor(3))
      yield* equal("handled", numbers(seen), [1, 2, 2, 3])
      yield* equal("status", yield* stopped, undefined)
    }),
  "stop: an event that cannot be decoded stops the shard as well": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1)
      const { position } = yield* appendBad(open, "a")
      const seen = yield* noting(one, mailer)
      const stopped = Effect.map(one.ask(mailer.status), ({ shards }) => shards[0]!.stopped)
      yield* eventually("it stops", Effect.map(stopped, (by) => by?.position === position))
      yield* equal("handled", numbers(seen), [1])
    }),
  "park: the event and what follows in its stream are held back, listed and inspected, while others go on": (
    open
  ) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 3)
      yield* append(open, "b", 1, 3)
      const onFailure = park
      const isBad = ({ data, stream }: Counted) =>
        data.n === 2 && stream === "a" ? Effect.fail(new Error("2 is bad")) : Effect.void
      const seen = yield* noting(one, mailer, { onFailure }, isBad)
      yield* append(open, "a", 4)
      yield* one.ask(mailer.waitFor(yield* append(open, "b", 4)))
      yield* equal("handled", byStream(seen), { a: [1, 2], b: [1, 2, 3, 4] })
      yield* one.close
      const parked = yield* one.ask(mailer.parked())
      yield* equal("streams", parked.map(({ count, revision, stream }) => [stream, revision, count]), [[
        "a",
        2,
        3
      ]])
      yield* holds("why", parked[0]!.error.includes("2 is bad"))
      const events = yield* one.ask(Stream.runCollect(mailer.parkedEvents("a")))
      yield* equal("events", events.map(({ event }) => event?.data.n), [2, 3, 4])
      const { shards: [shard] } = yield* one.ask(mailer.status)
      yield* equal("status", [shard!.parked, shard!.position], [1, 8])
    }),
  "park: of a batch, what comes before the one at fault is handled, and what follows is held back": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 6)
      const seen: Array<number> = []
      const live = mailer.toLayer((events) =>
        Effect.suspend(() => {
          if (events.some(({ data }) => data.n === 3)) return Effect.fail("bad")
          return Effect.sync(() => void seen.push(...numbers(events)))
        }), { batch: 10, onFailure: park })
      yield* one.run(live)
      yield* one.ask(mailer.waitFor(6))
      yield* one.close
      yield* equal("handled", seen, [1, 2])
      const [parked] = yield* one.ask(mailer.parked())
      yield* equal("held back", [parked!.revision, parked!.count], [3, 4])
    }),
  "park: whatever a handler fails with, its stream is parked and the others go on": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      const unprintable = {
        get message(): string {
          throw new Error("no message")
        },
        toString: () => {
          throw new Error("no text")
        }
      }
      const errors = [
        new Error("a \0 byte"),
        new Error("\ud800"),
        new Error("🐦".repeat(3_000)),
        new Error(`x${"🐦".repeat(3_000)}`),
        unprintable,
        Object.create(null),
        undefined
      ]
      for (const n of errors.keys()) yield* append(open, `bad-${n}`, n)
      const receipt = yield* append(open, "good", errors.length)
      const seen = yield* noting(
        one,
        mailer,
        { onFailure: park },
        ({ data: { n } }) => n < errors.length ? Effect.fail(errors[n]) : Effect.void
      )
      yield* one.ask(mailer.waitFor(receipt))
      yield* one.close
      yield* equal("handled once", numbers(seen), [...errors.keys(), errors.length])
      yield* equal("parked", (yield* one.ask(mailer.parked())).length, errors.length)
    }),
  "park: it stays parked for the next owner": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 2 })
      const [one, other] = [yield* member(open), yield* member(open)]
      yield* append(open, "a", 1, 2)
      yield* noting(one, mailer, { onFailure: park }, failing(new Set([1])))
      yield* one.ask(mailer.waitFor(2))
      yield* one.close
      const seen = yield* noting(other, mailer, { onFailure: park })
      yield* append(open, "a", 3)
      yield* other.ask(mailer.waitFor(yield* append(open, "b", 1)))
      yield* equal("handled", byStream(seen), { b: [1] })
      yield* other.close
      yield* equal("held back", (yield* other.ask(mailer.parked())).map(({ count }) => count), [3])
    }),
  "redrive: what is held back is handled in order, and then what comes": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const [one, elsewhere] = [yield* member(open), yield* member(open)]
      const bad = new Set([2])
      yield* append(open, "a", 1, 100)
      const seen = yield* noting(one, mailer, { onFailure: park }, failing(bad))
      yield* one.ask(mailer.waitFor(100))
      const isParked = Effect.map(one.ask(mailer.parked()), (parked) => parked.length)
      yield* eventually("it is parked", Effect.map(isParked, (n) => n === 1))
      bad.clear()
      seen.length = 0
      yield* elsewhere.ask(mailer.redrive("a"))
      yield* eventually("it is not parked", Effect.map(isParked, (n) => n === 0))
      yield* one.ask(mailer.waitFor(yield* append(open, "a", 101)))
      yield* equal("handled", numbers(seen), Array.from({ length: 100 }, (_, i) => i + 2))
    }),
  "redrive: what fails again is parked again, from there": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      const bad = new Set([2])
      yield* append(open, "a", 1, 5)
      const seen = yield* noting(one, mailer, { onFailure: park }, failing(bad))
      const parked = one.ask(mailer.parked())
      yield* eventually("it is parked", Effect.map(parked, ([one]) => one?.count === 4))
      bad.clear()
      bad.add(4)
      seen.length = 0
      yield* one.ask(mailer.redrive("a"))
      yield* eventually(
        "it is parked again",
        Effect.map(parked, ([one]) => one?.error.includes("4 is bad") === true)
      )
      yield* equal("handled", numbers(seen), [2, 3, 4])
      const [again] = yield* parked
      yield* equal("held back", [again!.revision, again!.count], [4, 2])
    }),
  "discard: what is held back is let go, and what comes is handled": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 5)
      const seen = yield* noting(one, mailer, { onFailure: park }, failing(new Set([2])))
      const parked = one.ask(mailer.parked())
      yield* eventually("it is parked", Effect.map(parked, ([one]) => one?.count === 4))
      seen.length = 0
      yield* one.ask(mailer.discard("a"))
      yield* eventually("it is not parked", Effect.map(parked, ({ length }) => length === 0))
      yield* one.ask(mailer.waitFor(yield* append(open, "a", 6)))
      yield* equal("handled", numbers(seen), [6])
    }),
  "discard: what was let go stays so for the next owner, though an event before it is still being handled": (
    open
  ) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const [one, other] = [yield* member(open), yield* member(open)]
      yield* append(open, "slow", 0)
      yield* append(open, "a", 1, 3)
      const options = { concurrency: 2, onFailure: park }
      const handler = ({ data: { n } }: Counted) =>
        n === 0 ? Effect.never : n === 1 ? Effect.fail("bad") : Effect.void
      yield* noting(one, mailer, options, handler)
      const parked = one.ask(mailer.parked())
      yield* eventually("it is parked", Effect.map(parked, ([one]) => one?.count === 3))
      yield* one.ask(mailer.discard("a"))
      yield* eventually("it is not parked", Effect.map(parked, ({ length }) => length === 0))
      yield* one.close
      yield* append(open, "a", 4)
      const seen = yield* noting(other, mailer, options, handler)
      yield* eventually("it goes on", Effect.sync(() => byStream(seen)["a"] !== undefined))
      yield* equal("handled", byStream(seen), { slow: [0], a: [4] })
      yield* equal("parked", (yield* parked).length, 0)
    }),
  "redrive: in order, also while the shard replays what comes before": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      const bad = new Set([6])
      yield* append(open, "a", 1, 10)
      const seen = yield* noting(
        one,
        mailer,
        { onFailure: park },
        (event) => Effect.andThen(Effect.sleep("5 millis"), failing(bad)(event))
      )
      const parked = one.ask(mailer.parked())
      yield* eventually("it is parked", Effect.map(parked, ([one]) => one?.count === 5))
      bad.clear()
      seen.length = 0
      yield* one.ask(mailer.reset(0))
      yield* eventually("it replays", Effect.sync(() => seen.length >= 2))
      yield* one.ask(mailer.redrive("a"))
      yield* one.ask(mailer.waitFor(10))
      yield* eventually("it is not parked", Effect.map(parked, ({ length }) => length === 0))
      yield* one.ask(mailer.waitFor(yield* append(open, "a", 11)))
      yield* equal("handled", numbers(seen), Array.from({ length: 11 }, (_, i) => i + 1))
    }),
  "what is not parked can be neither redriven nor discarded": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* noting(one, mailer)
      for (
        const ask of [mailer.redrive("a"), mailer.discard("a"), Stream.runDrain(mailer.parkedEvents("a"))]
      ) {
        const { reason } = yield* Effect.flip(one.ask(ask))
        yield* equal("reason", reason._tag, "NotParked")
      }
    }),
  "a batch that fails is handled one by one, so that only the one at fault suffers": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 6)
      const sizes: Array<number> = []
      yield* one.run(mailer.toLayer((events) =>
        Effect.suspend(() => {
          sizes.push(events.length)
          return events.some(({ data }) => data.n === 4) ? Effect.fail("bad") : Effect.void
        }), { batch: 10, onFailure: { retry: never, otherwise: "skip" } }))
      yield* one.ask(mailer.waitFor(6))
      yield* one.close
      const { shards: [shard] } = yield* one.ask(mailer.status)
      yield* equal("counts", [shard!.handled, shard!.skipped], [5, 1])
      yield* equal("sizes", sizes, [6, 1, 1, 1, 1, 1, 1])
    })
})
