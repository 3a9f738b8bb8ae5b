/** Programs of two versions at the same time, as when one after another is replaced: each has its documents. */
import { describe, expect } from "bun:test"
import { Clock, Effect, Fiber, Option, Schedule, type Scope, Stream } from "effect"
import { Projection } from "dunnock"
import { append, byHand, events, makePlaces, type Parcel, Places, stored } from "./fixture.ts"
import { adapters, type Both, fast, living, quiet, type Stores, stores } from "./harness.ts"

const put = (place: string, weight = 1): Parcel => ({ _tag: "Put", place, weight })
const next = makePlaces(2, 10)

/** Whether a program that asks for documents of a version gets any, or why not. */
const asking = (projection: typeof Places, both: Stores) =>
  Effect.gen(function* () {
    return yield* (yield* projection.queries).count()
  }).pipe(
    living(projection.layerQueries, both),
    Effect.as("answered"),
    Effect.catchTag("ProjectionError", ({ reason }) => Effect.succeed(reason._tag))
  )

/** Waits until a program that only asks gets another answer. */
const until = (answer: string, projection: typeof Places, both: Stores) =>
  asking(projection, both).pipe(
    Effect.repeat({ schedule: Schedule.spaced("500 millis"), until: (got) => got === answer }),
    Effect.timeout("2 minutes")
  )

/** Waits until the documents of the first generation are gone: a moment after they are no longer asked for. */
const untilDropped = ({ documents }: Stores) =>
  stored(documents, 1).pipe(
    Effect.repeat({
      schedule: Schedule.spaced("100 millis"),
      until: (documents) => Object.keys(documents).length === 0
    }),
    Effect.timeout("2 minutes")
  )

for (const { name, place, test } of adapters()) {
  const run = <A, E>(self: Effect.Effect<A, E, Both | Scope.Scope>) =>
    Effect.runPromise(
      Effect.flatMap(place, (layer) => self.pipe(Effect.provide(layer))).pipe(quiet, fast(10), Effect.scoped)
    )

  describe(`${name}: two versions side by side`, () => {
    for (const how of ["layer", "layerInline"] as const) {
      test(
        `both go on, the old one until it ends; then it is dropped (${how})`,
        () =>
          run(Effect.gen(function* () {
            const both = yield* stores
            const log = Stream.runCollect(both.store.log(events))
            yield* append(both.store, [put("a"), put("b", 2)])
            yield* Effect.void.pipe(living(Places[how], both))
            yield* Effect.gen(function* () {
              const newer = yield* next.service
              yield* Effect.gen(function* () {
                const older = yield* Places.service
                const writing = yield* Effect.forkScoped(
                  Effect.forever(Effect.andThen(append(both.store, [put("seen")]), Effect.sleep(50)))
                )
                const ending = (yield* Clock.currentTimeMillis) + 16_000
                let before = 0
                // For longer than one that nobody works on is kept.
                while ((yield* Clock.currentTimeMillis) < ending) {
                  yield* Effect.sleep(200)
                  const head = yield* both.store.head
                  yield* Effect.all([older.waitFor(head, "1 minute"), newer.waitFor(head, "1 minute")])
                  const [{ value: old }, { value: now }] = yield* Effect.all([
                    Effect.map(older.queries.get("a"), Option.getOrThrow),
                    Effect.map(newer.queries.get("a"), Option.getOrThrow)
                  ])
                  expect([old.weight, now.weight]).toEqual([1, 10])
                  const { position } = Option.getOrThrow(yield* older.queries.get("seen"))
                  expect(position).toBeGreaterThanOrEqual(before)
                  before = position
                }
                yield* Fiber.interrupt(writing)
                yield* append(both.store, [put("seen")])
                const head = yield* both.store.head
                yield* Effect.all([older.waitFor(head, "1 minute"), newer.waitFor(head, "1 minute")])
                expect(yield* stored(both.documents, 1)).toEqual(byHand(yield* log))
                expect(yield* stored(both.documents, 2)).toEqual(byHand(yield* log, 10))
                expect(yield* older.status).toMatchObject({ generation: 1, version: 1, lag: 0 })
                expect(yield* newer.status).toMatchObject({ generation: 2, version: 2, lag: 0 })
              }).pipe(Effect.scoped, living(Places[how], both))
              expect(yield* asking(Places, both)).toBe("answered")
              yield* until("Outdated", Places, both)
              yield* untilDropped(both)
              const late = yield* Effect.flip(Effect.void.pipe(living(Places.layer, both)))
              expect(late.reason).toMatchObject({ _tag: "Outdated", version: 1, live: 2 })
              expect(yield* asking(next, both)).toBe("answered")
            }).pipe(living(next[how], both))
          })),
        20_000
      )
    }

    test("a rebuild of the new one leaves the old one, a third version drops it", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* append(both.store, [put("a")])
        yield* Effect.gen(function* () {
          const older = yield* Places.service
          yield* Stream.runDrain(next.rebuild).pipe(living(next.layer, both))
          expect((yield* older.status).generation).toBe(1)
          yield* append(both.store, [put("a")])
          yield* older.waitFor(2, "1 minute")
          expect(Option.getOrThrow(yield* older.queries.get("a")).value.weight).toBe(2)
          yield* Effect.void.pipe(living(makePlaces(3, 100).layer, both))
          const outdated = { _tag: "Outdated", projection: "Places", version: 1, live: 3 }
          const waited = yield* Effect.flip(older.waitFor(3, "1 minute"))
          expect(waited.reason).toMatchObject(outdated)
          expect((yield* Effect.flip(older.queries.count())).reason).toMatchObject(outdated)
          expect((yield* Effect.flip(Stream.runDrain(older.rebuild))).reason).toMatchObject(outdated)
          expect(yield* asking(next, both)).toBe("answered")
          expect(yield* stored(both.documents, 1)).toEqual({})
        }).pipe(living(Places.layer, both))
      })))

    test("projections whose names differ only in case are one, as their tables are", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* append(both.store, [put("a")])
        yield* Effect.void.pipe(living(Places.layer, both))
        const { document, evolve, id } = Places
        const places = Projection.make("places", {
          version: 1,
          events,
          document,
          id,
          evolve: { Put: evolve, Moved: evolve, Emptied: evolve, Noted: evolve }
        })
        yield* append(both.store, [put("a")])
        yield* places.waitFor(2).pipe(living(places.layer, both))
        expect(yield* stored(both.documents, 1)).toMatchObject({ a: { weight: 2 } })
      })))
  })
}
