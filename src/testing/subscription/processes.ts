// Several processes; crashes; a store that is away.
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Write } from "../../repository/DocumentStore.ts"
import { DocumentStoreError, OutcomeUnknown, Unavailable } from "../../repository/DocumentStoreError.ts"
import { type Case, equal, holds } from "../Contract.ts"
import {
  append,
  byStream,
  type Counted,
  eventually,
  make,
  member,
  noting,
  numbers,
  type Open,
  range,
  type Services,
  topic,
  withStores
} from "./fixture.ts"

const streams = range(1, 40).map((n) => `stream-${n}`)

const owners = (mailer: ReturnType<typeof make>) =>
  Effect.map(mailer.status, ({ shards }) => shards.map(({ owner }) => owner))

const isShared = (mailer: ReturnType<typeof make>) =>
  Effect.map(owners(mailer), (all) => {
    const [one, other] = [...new Set(all)]
    return one !== undefined && other !== undefined &&
      all.filter((owner) => owner === one).length === all.length / 2
  })

/** Whether every stream's numbers were handled at least once, and never one before an earlier one was. */
const isComplete = (events: ReadonlyArray<Counted>, upTo: number): boolean =>
  streams.every((stream) => {
    let next = 1
    for (const n of byStream(events)[stream] ?? []) {
      if (n > next) return false
      if (n === next) next++
    }
    return next === upTo + 1
  })

type Commit = ReturnType<Open["documents"]["commit"]>

/** The same stores, whose commits of documents suffer what the function does to them. */
const spoilt = (
  open: Open,
  spoil: (commit: Commit, writes: ReadonlyArray<Write>) => Commit
): Open => ({
  ...open,
  documents: { ...open.documents, commit: (writes) => spoil(open.documents.commit(writes), writes) }
})

const unknown = Effect.fail(
  new DocumentStoreError({
    reason: new OutcomeUnknown({ store: "the store", problem: "the connection broke" })
  })
)

export const processes: ReadonlyArray<Case<Services>> = topic("processes", {
  "two processes share the shards, one owner each, and every event is handled once": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 4 })
      const [one, other] = [yield* member(open), yield* member(open)]
      const seen = [yield* noting(one, mailer), yield* noting(other, mailer)]
      yield* eventually("both have two", one.ask(isShared(mailer)))
      for (const stream of streams) yield* append(open, stream, 1, 3)
      yield* one.ask(mailer.waitFor(yield* open.events.head))
      yield* holds("both handled some", seen.every(({ length }) => length > 0))
      yield* equal("handled", seen.flat().length, 120)
      yield* holds("in order", isComplete(seen.flat(), 3))
    }),
  "shards of a process that is closed are taken by the other, and nothing comes again": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 4 })
      const [one, other] = [yield* member(open), yield* member(open)]
      const seen = [yield* noting(one, mailer), yield* noting(other, mailer)]
      yield* eventually("both have two", one.ask(isShared(mailer)))
      for (const stream of streams) yield* append(open, stream, 1)
      yield* one.ask(mailer.waitFor(yield* open.events.head))
      yield* one.close
      for (const stream of streams) yield* append(open, stream, 2)
      yield* other.ask(mailer.waitFor(yield* open.events.head))
      yield* equal("handled", seen.flat().length, 80)
    }),
  "a process that is closed begins nothing more, and ends what it has begun": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const [one, other] = [yield* member(open), yield* member(open)]
      yield* append(open, "a", 1, 2)
      const ended: Array<Counted> = []
      const begun = yield* noting(
        one,
        mailer,
        {},
        (event) => Effect.andThen(Effect.sleep("50 millis"), Effect.sync(() => void ended.push(event)))
      )
      yield* eventually("it has begun", Effect.sync(() => begun.length === 1))
      yield* one.close
      yield* equal("ended", numbers(ended), [1])
      const seen = yield* noting(other, mailer)
      yield* other.ask(mailer.waitFor(2))
      yield* equal("begun", [numbers(begun), numbers(seen)], [[1], [2]])
    }),
  "shards of a process that crashed are taken by the other: what follows the checkpoint comes again, nothing is left out":
    (open) =>
      Effect.gen(function* () {
        const mailer = make("mailer", { shards: 4 })
        const [one, other] = [yield* member(open), yield* member(open)]
        const seen: Array<Counted> = []
        const note = (event: Counted) => Effect.sync(() => void seen.push(event))
        yield* noting(one, mailer, { concurrency: 2 }, note)
        yield* noting(other, mailer, { concurrency: 2 }, note)
        yield* eventually("both have two", one.ask(isShared(mailer)))
        for (const stream of streams) yield* append(open, stream, 1, 5)
        yield* one.kill
        for (const stream of streams) yield* append(open, stream, 6, 10)
        yield* other.ask(mailer.waitFor(yield* open.events.head))
        yield* holds("complete and in order", isComplete(seen, 10))
        const all = yield* other.ask(owners(mailer))
        yield* equal("owners", new Set(all).size, 1)
      }),
  "an owner that is cut off for longer than its lease commits nothing afterwards": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer")
      const [one, other] = [yield* member(open), yield* member(open)]
      const latch = yield* Latch.make(false)
      yield* append(open, "a", 1, 2)
      const stale = yield* noting(one, mailer, {}, ({ data }) => data.n === 2 ? latch.await : Effect.void)
      yield* eventually("the first is at the second event", Effect.sync(() => stale.length === 2))
      one.cut(true)
      const seen = yield* noting(other, mailer)
      yield* other.ask(mailer.waitFor(2))
      const [before] = yield* other.ask(owners(mailer))
      yield* latch.open
      one.cut(false)
      yield* other.ask(mailer.waitFor(yield* append(open, "a", 3, 4)))
      yield* equal("handled by the new owner", numbers(seen).slice(-2), [3, 4])
      yield* equal("not by the old one", numbers(stale).filter((n) => n > 2), [])
      yield* equal("owner", yield* other.ask(owners(mailer)), [before])
    }),
  "commits that may have happened are found out: every event is handled once, and counted once": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 2 })
      let commits = 0
      const far = new Map<string, number>()
      // Of those that take a shard or announce a process every other one; of checkpoints each.
      const isLost = (writes: ReadonlyArray<Write>) => {
        const further = writes.filter((write) =>
          write.op === "put" && write.position > (far.get(write.id) ?? 0)
        )
        for (const write of further) if (write.op === "put") far.set(write.id, write.position)
        return further.length > 0 || ++commits % 2 === 1
      }
      const one = yield* member(
        spoilt(open, (commit, writes) => Effect.tap(commit, () => isLost(writes) ? unknown : Effect.void))
      )
      const seen = yield* noting(one, mailer)
      const handled = Effect.map(
        one.ask(mailer.status),
        ({ shards }) => shards.reduce((sum, { handled }) => sum + handled, 0)
      )
      for (let i = 1; i <= 5; i++) {
        for (const stream of streams) yield* append(open, stream, i)
        yield* one.ask(mailer.waitFor(i * 40))
        yield* eventually("the checkpoint is there", Effect.map(handled, (n) => n >= i * 40))
      }
      yield* one.close
      yield* equal("counted", yield* handled, 200)
      yield* equal("handled", seen.length, 200)
      yield* holds("in order", isComplete(seen, 5))
    }),
  "a store that is away for a while is waited for, and nothing is left out": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 2 })
      const one = yield* member(open)
      const seen = yield* noting(one, mailer)
      for (const stream of streams) yield* append(open, stream, 1)
      yield* one.ask(mailer.waitFor(40))
      one.cut(true)
      for (const stream of streams) yield* append(open, stream, 2)
      // Longer than the lease: it is lost, and taken again.
      yield* Effect.sleep("500 millis")
      one.cut(false)
      for (const stream of streams) yield* append(open, stream, 3)
      yield* one.ask(mailer.waitFor(120))
      yield* holds("complete and in order", isComplete(seen, 3))
    }),
  "commits that fail are made again": (open) =>
    Effect.gen(function* () {
      const mailer = make("mailer", { shards: 2 })
      let commits = 0
      const reason = new Unavailable({ store: "the store", problem: "busy" })
      const busy = Effect.fail(new DocumentStoreError({ reason }))
      const isBusy = (n: number) => n > 2 && Math.sin(n * n) > 0.5
      const one = yield* member(
        spoilt(open, (commit) => Effect.suspend(() => isBusy(++commits) ? busy : commit))
      )
      const seen = yield* noting(one, mailer)
      for (const stream of streams) yield* append(open, stream, 1, 3)
      yield* one.ask(mailer.waitFor(120))
      yield* equal("handled", seen.length, 120)
      yield* one.close
      const status = yield* one.ask(mailer.status)
      yield* holds("positions are in the log", status.shards.every(({ position }) => position <= 120))
    })
})

export const shared: ReadonlyArray<Case<Services>> = [{
  topic: "subscriptions, shared",
  name:
    "two that each have the store open share the shards, hear of each other's events, and wait for each other",
  needs: "shared",
  run: (layer) =>
    withStores(layer, (here) =>
      withStores(layer, (there) =>
        Effect.gen(function* () {
          const mailer = make("mailer", { shards: 4 })
          const [one, other] = [yield* member(here), yield* member(there)]
          const seen = [yield* noting(one, mailer), yield* noting(other, mailer)]
          yield* eventually("both have two", one.ask(isShared(mailer)))
          for (const stream of streams) yield* append(here, stream, 1)
          for (const stream of streams) yield* append(there, stream, 2)
          const head = yield* here.events.head
          yield* one.ask(mailer.waitFor(head))
          yield* other.ask(mailer.waitFor(head))
          yield* equal("handled", seen.flat().length, 80)
          yield* holds("in order", isComplete(seen.flat(), 2))
          yield* one.kill
          yield* append(there, "last", 1)
          yield* other.ask(mailer.waitFor(yield* there.events.head))
          yield* equal("handled by the other", byStream(seen[1]!)["last"], [1])
        })))
}]
