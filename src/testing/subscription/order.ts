// What is handled, in which order, how often.
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Metadata from "../../event/Metadata.ts"
import type { Case } from "../Contract.ts"
import { equal, holds } from "../Contract.ts"
import {
  append,
  appendOther,
  byStream,
  type Counted,
  counted,
  eventually,
  make,
  member,
  noting,
  numbers,
  range,
  type Services,
  topic
} from "./fixture.ts"

const streams = ["a", "b", "c", "d", "e"]

export const order: ReadonlyArray<Case<Services>> = topic("order", {
  "what is in the log and what is appended later is handled, each event once, in the order of the log": (
    open
  ) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      yield* append(open, "a", 1, 40)
      yield* append(open, "b", 41, 80)
      const seen = yield* noting(one, mailer)
      yield* append(open, "a", 81)
      const last = yield* append(open, "c", 82)
      yield* one.ask(mailer.waitFor(last))
      yield* equal("handled", numbers(seen), range(1, 82))
    }),
  "with concurrency, streams go side by side, and the events of each stay in order": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 2 })
      const one = yield* member(open)
      for (let i = 0; i < 20; i++) {
        for (const stream of streams) yield* append(open, stream, i * 10 + 1, i * 10 + 10)
      }
      const seen = yield* noting(
        one,
        mailer,
        { concurrency: 4 },
        ({ data }) =>
          data.n % 7 === 0 ? Effect.sleep("1 millis") : data.n % 3 === 0 ? Effect.yieldNow : Effect.void
      )
      yield* one.ask(mailer.waitFor(yield* open.events.head))
      yield* equal("streams", byStream(seen), Object.fromEntries(streams.map((s) => [s, range(1, 200)])))
    }),
  "a stream that is slow does not hold up the others": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      const latch = yield* Latch.make(false)
      yield* append(open, "slow", 1, 3)
      yield* append(open, "quick", 1, 50)
      const seen = yield* noting(one, mailer, { concurrency: 2 }, ({ stream }) =>
        stream === "slow" ? latch.await : Effect.void)
      yield* eventually(
        "quick is through",
        Effect.sync(() =>
          byStream(seen)["quick"]?.length === 50
        )
      )
      yield* equal("slow", byStream(seen)["slow"], [1])
      yield* latch.open
      yield* one.ask(mailer.waitFor(53))
      yield* equal("slow", byStream(seen)["slow"], [1, 2, 3])
    }),
  "batches are of one stream, in order, and no larger than asked for": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const one = yield* member(open)
      for (let i = 0; i < 5; i++) {
        for (const stream of streams) yield* append(open, stream, i * 5 + 1, i * 5 + 5)
      }
      const batches: Array<ReadonlyArray<Counted>> = []
      yield* one.run(mailer.toLayer((events) => Effect.sync(() => void batches.push(events)), { batch: 10 }))
      yield* one.ask(mailer.waitFor(yield* open.events.head))
      yield* equal("all", byStream(batches.flat()), Object.fromEntries(streams.map((s) => [s, range(1, 25)])))
      yield* holds(
        "of one stream",
        batches.every((events) => new Set(events.map(({ stream }) => stream)).size === 1)
      )
      yield* holds("no larger", batches.every(({ length }) => length > 0 && length <= 10))
      yield* holds("more than one at a time", batches.some(({ length }) => length > 1))
    }),
  "only its events are handled: of its types, with the tags, in streams with the prefix": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { streamPrefix: "a", tags: ["even"] })
      const one = yield* member(open)
      yield* append(open, "b", 1, 4)
      yield* append(open, "a", 1, 4)
      yield* appendOther(open, "a")
      const seen = yield* noting(one, mailer)
      yield* one.ask(mailer.waitFor(yield* append(open, "ab", 5, 6)))
      yield* equal("handled", numbers(seen), [2, 4, 6])
    }),
  "it begins at the end if asked to": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { from: "end" })
      const one = yield* member(open)
      yield* append(open, "a", 1, 40)
      const seen = yield* noting(one, mailer)
      yield* one.ask(mailer.waitFor(yield* append(open, "a", 41)))
      yield* equal("handled", numbers(seen), [41])
    }),
  "what a handler appends has the event as its cause": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { streamPrefix: "cause" })
      const one = yield* member(open)
      const cause = { actor: "ann", correlationId: "request" }
      yield* append(open, "cause", 1).pipe(Metadata.provide(cause))
      yield* noting(one, mailer, {}, () => append(open, "effect", 2))
      yield* one.ask(mailer.waitFor(1))
      const [first] = yield* Stream.runCollect(open.events.read(counted, "cause"))
      const [effect] = yield* Stream.runCollect(open.events.read(counted, "effect"))
      const { actor, causationId, correlationId } = effect!.metadata
      yield* equal("metadata", [actor, causationId, correlationId], ["ann", first!.id, "request"])
    }),
  "it goes on from where it was when it is run again": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 3 })
      const one = yield* member(open)
      for (const stream of streams) yield* append(open, stream, 1, 20)
      yield* noting(one, mailer)
      yield* one.ask(mailer.waitFor(100))
      yield* one.close
      yield* append(open, "a", 21)
      const other = yield* member(open)
      const seen = yield* noting(other, mailer)
      yield* other.ask(mailer.waitFor(101))
      yield* equal("handled", numbers(seen), [21])
    }),
  "two subscriptions over the same store know nothing of each other": (open) =>
    Effect.gen(function* () {
      const one = yield* member(open)
      const [mailer, auditor] = [make("mailer"), make("auditor")]
      yield* append(open, "a", 1, 3)
      const seen = [yield* noting(one, mailer), yield* noting(one, auditor)]
      yield* one.ask(Effect.andThen(mailer.waitFor(3), auditor.waitFor(3)))
      yield* equal("both", seen.map(numbers), [[1, 2, 3], [1, 2, 3]])
    }),
  "another number of shards than it has is refused": (open) =>
    Effect.gen(function* () {
      const one = yield* member(open)
      yield* noting(one, make("mailer", { shards: 2 }))
      for (const shards of [1, 3]) {
        const started = noting(one, make("mailer", { shards }))
        const reason = yield* Effect.flip(started).pipe(Effect.map(({ reason }) => reason))
        yield* equal(
          `${shards} shards`,
          { ...reason },
          { ...reason, _tag: "ShardsDiffer", stored: 2, given: shards } as never
        )
      }
    }),
  "what a handler needs is provided to its layer": (open) =>
    Effect.gen(function* () {
      const one = yield* member(open)
      const mailer = make("mailer")
      const actors: Array<string | undefined> = []
      const live = mailer.toLayer(() => Effect.map(Metadata.Current, ({ actor }) => actors.push(actor)))
      yield* append(open, "a", 1).pipe(Metadata.provide({ actor: "ann" }))
      yield* one.run(Layer.fresh(live))
      yield* one.ask(mailer.waitFor(1))
      yield* equal("actors", actors, ["ann"])
    })
})
