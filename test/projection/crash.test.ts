/** Whatever happens between two commits, documents are what the events make of them: none is missed, none applied twice. */
import { describe, expect, test } from "bun:test"
import type { EventStore } from "dunnock"
import * as Memory from "dunnock/memory"
import { Effect, Stream } from "effect"
import fc from "fast-check"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import { append, byHand, events, makePlaces, type Parcel, Places, stored } from "./fixture.ts"
import { fast, type Fault, faulty, living, oneByOne, quiet, stores } from "./harness.ts"

const place = fc.constantFrom("a", "b", "c", "ü 𝄞")
const weight = fc.integer({ min: 1, max: 9 })
const parcel: fc.Arbitrary<Parcel> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ _tag: fc.constant("Put" as const), place, weight }) },
  {
    weight: 3,
    arbitrary: fc.record({ _tag: fc.constant("Moved" as const), from: place, to: place, weight })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Emptied" as const), place }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Noted" as const), text: fc.string() }) }
)
const parcels = fc.array(parcel, { maxLength: 30 })
const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  fc.constantFrom("before" as const, "after" as const)
)
const partial: fc.Arbitrary<Fault> = fc.oneof({ weight: 2, arbitrary: fault }, fc.nat(4))

const run = <A, E>(self: Effect.Effect<A, E, EventStore.EventStore | DocumentStore>) =>
  Effect.runPromise(self.pipe(quiet, fast(), Effect.provide(Memory.layer)))

const layers = { async: Places.layer, inline: Places.layerInline }

/** Several lives of a program, each with its own appends; each time something else fails. */
const lives = (how: keyof typeof layers, transactional: boolean, faults: fc.Arbitrary<Fault>) =>
  fc.asyncProperty(
    fc.array(fc.record({ before: parcels, during: parcels, faults: fc.array(faults, { maxLength: 12 }) }), {
      minLength: 1,
      maxLength: 3
    }),
    (lives) =>
      run(Effect.gen(function* () {
        const { documents, store } = yield* stores
        const kept = transactional ? documents : oneByOne(documents)
        for (const { before, during, faults } of lives) {
          yield* append(store, before)
          const shaky = faulty(kept, (n) => faults[n - 1])
          yield* Effect.gen(function* () {
            yield* append(store, during)
            yield* Places.waitFor(yield* store.head, "10 minutes")
            const log = yield* Stream.runCollect(store.log(events))
            const { generation, handled } = yield* Places.status
            expect(yield* stored(documents, generation)).toEqual(byHand(log))
            expect(handled).toBe(log.filter(({ type }) => type !== "Noted").length)
          }).pipe(living(layers[how], { store, documents: shaky }))
        }
      }))
  )

describe("crashes between commits", () => {
  test(
    "async, in the transaction of the checkpoint",
    () => fc.assert(lives("async", true, fault), { numRuns: 60 }),
    60_000
  )
  test(
    "inline, in the transaction of the append",
    () => fc.assert(lives("inline", true, fault), { numRuns: 60 }),
    60_000
  )
  test(
    "async, into a store without transactions",
    () => fc.assert(lives("async", false, partial), { numRuns: 60 }),
    60_000
  )
})

test("programs that are interrupted anywhere leave nothing undone or done twice", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(parcels, fc.nat(60)), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      (lives, transactional) =>
        run(Effect.gen(function* () {
          const { documents, store } = yield* stores
          const kept = transactional ? documents : oneByOne(documents)
          for (const [some, steps] of lives) {
            yield* append(store, some)
            let left = steps
            const counted = faulty(kept, () => undefined)
            const dying: DocumentStore = {
              ...counted,
              commit: (writes) =>
                left-- > 0 ? Effect.andThen(Effect.yieldNow, counted.commit(writes)) : Effect.never
            }
            const life = Places.waitFor(yield* store.head, "10 minutes").pipe(
              living(Places.layer, { store, documents: dying })
            )
            yield* Effect.timeoutOption(life, "5 seconds").pipe(Effect.exit)
          }
          const life = Places.waitFor(yield* store.head, "10 minutes")
          yield* life.pipe(living(makePlaces().layer, { store, documents: kept }))
          const log = yield* Stream.runCollect(store.log(events))
          expect(yield* stored(documents, 1)).toEqual(byHand(log))
        }))
    ),
    { numRuns: 40 }
  ), 60_000)
