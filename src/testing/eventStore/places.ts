// Promises of stores that outlive a process (durable) or are used by several (shared).
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { EventStore } from "../../event/EventStore.ts"
import { type Case, equal } from "../Contract.ts"
import { append, count, events, log, numbers, opened, read, refused, withStore } from "./fixture.ts"

const place = (
  needs: "durable" | "shared",
  cases: { readonly [name: string]: Case<EventStore>["run"] }
): ReadonlyArray<Case<EventStore>> =>
  Object.entries(cases).map(([name, run]) => ({ topic: needs, name, needs, run }))

export const durable: ReadonlyArray<Case<EventStore>> = place("durable", {
  "what was appended is there when the store is opened again, and it goes on from there": (layer) =>
    Effect.gen(function* () {
      const first = yield* withStore(layer, (store) =>
        Effect.andThen(
          append(store, "s", count(1, 3), { ids: ["a", "b", "c"] }),
          Effect.andThen(
            store.driver.writeSnapshot("s", { revision: 3, position: 3, fingerprint: "f", state: "1" }),
            log(store)
          )
        ))
      yield* withStore(layer, (store) =>
        Effect.gen(function* () {
          yield* equal("log", yield* log(store), first)
          yield* equal("snapshot", (yield* store.driver.readSnapshot("s"))?.state, "1")
          yield* refused("Conflict", append(store, "s", count(4, 4), { expected: "none" }))
          yield* equal(
            "repeat",
            (yield* append(store, "s", count(1, 3), { ids: ["a", "b", "c"] })).revision,
            3
          )
          yield* equal("next", (yield* append(store, "s", count(4, 4), { expected: 3 })).revision, 4)
          yield* equal("positions grow", (yield* store.head) > first[2]!.position, true)
        }))
    })
})

export const shared: ReadonlyArray<Case<EventStore>> = place("shared", {
  "what one writes, the other reads and hears of": (layer) =>
    withStore(layer, (one) =>
      withStore(layer, (other) =>
        Effect.gen(function* () {
          const listener = yield* other.subscribe(events).pipe(
            Stream.take(4),
            Stream.runCollect,
            Effect.forkChild
          )
          yield* append(one, "s", count(1, 2))
          yield* equal("read", numbers(yield* read(other, "s")), [1, 2])
          yield* append(other, "s", count(3, 3), { expected: 2 })
          yield* refused("Conflict", append(one, "s", count(4, 4), { expected: 2 }))
          // Nothing but word from the other can wake the listener now.
          yield* Effect.sleep("5 millis")
          yield* append(one, "s", count(4, 4), { expected: 3 })
          yield* equal("heard", numbers(yield* Fiber.join(listener)), [1, 2, 3, 4])
        }))),
  "when both race to create the same streams, exactly one wins on each": (layer) =>
    withStore(layer, (one) =>
      withStore(layer, (other) =>
        Effect.gen(function* () {
          const race = (store: EventStore, name: string) =>
            Effect.forEach(
              Array.from({ length: 40 }, (_, i) => i),
              (i) => Effect.result(append(store, `s-${i}`, [opened(name)], { expected: "none" })),
              { concurrency: 8 }
            )
          const [first, second] = yield* Effect.all([race(one, "one"), race(other, "other")], {
            concurrency: 2
          })
          for (const [i, outcome] of first.entries()) {
            yield* equal(
              `winners of s-${i}`,
              [outcome, second[i]!].filter(({ _tag }) => _tag === "Success").length,
              1
            )
          }
          yield* equal("events", (yield* log(one)).length, 40)
        })))
})
