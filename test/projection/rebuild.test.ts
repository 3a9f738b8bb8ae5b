/** Documents are made anew beside those in use, which never miss anything nor go back, and then take their place. */
import { describe, expect } from "bun:test"
import { EventStore, type EventStoreDriver, Projection } from "dunnock"
import { Deferred, Effect, Fiber, Option, type Scope, Stream } from "effect"
import fc from "fast-check"
import type { DocumentStore, Write } from "../../src/repository/DocumentStore.ts"
import { append, byHand, events, makePlaces, type Parcel, Places, stored } from "./fixture.ts"
import {
  adapters,
  type Both,
  fast,
  type Fault,
  faulty,
  living,
  quiet,
  type Stores,
  stores
} from "./harness.ts"

const put = (place: string, weight = 1): Parcel => ({ _tag: "Put", place, weight })

const many = (n: number): ReadonlyArray<Parcel> =>
  Array.from(
    { length: n },
    (_, i): Parcel =>
      i % 11 === 10
        ? { _tag: "Emptied", place: `p${i % 13}` }
        : i % 5 === 4
        ? { _tag: "Moved", from: `p${i % 17}`, to: `p${i % 13}`, weight: 1 }
        : put(`p${i % 17}`, i % 9)
  )

const appendAtOnce = (store: EventStore.EventStore, all: ReadonlyArray<Parcel>) =>
  store.append(events, [{ stream: "Parcel-1", events: all }])

const log = (store: EventStore.EventStore) => Stream.runCollect(store.log(events))

/** Whether some of the writes are documents of a generation. */
const concerns = (generation: number) => (writes: ReadonlyArray<Write>) =>
  writes.some(({ collection }) => collection.name === `Places__${generation}`)

/** Documents whose n-th commit to a generation is never answered, and an effect that waits until it has come to that. */
const hanging = (documents: DocumentStore, generation: number, n: number) => {
  const hangs = Deferred.makeUnsafe<void>()
  let commits = 0
  const store: DocumentStore = {
    ...documents,
    commit: (writes) =>
      concerns(generation)(writes) && ++commits >= n
        ? Effect.andThen(Deferred.succeed(hangs, undefined), Effect.never)
        : documents.commit(writes)
  }
  return { store, hangs: Deferred.await(hangs) }
}

const collections = (documents: DocumentStore, generations: ReadonlyArray<number>) =>
  Effect.forEach(
    generations,
    (generation) => Effect.map(stored(documents, generation), (docs) => Object.keys(docs).length > 0)
  )

for (const { name, place, runs, test } of adapters()) {
  const run = <A, E>(self: Effect.Effect<A, E, Both | Scope.Scope>) =>
    Effect.runPromise(
      Effect.flatMap(place, (layer) => self.pipe(Effect.provide(layer))).pipe(quiet, fast(10), Effect.scoped)
    )

  describe(`${name}: a rebuild`, () => {
    for (const how of ["layer", "layerInline"] as const) {
      test(`under appends ends equal to a fresh projection, and queries never go back (${how})`, () =>
        run(Effect.gen(function* () {
          const both = yield* stores
          yield* appendAtOnce(both.store, many(1_500))
          yield* Effect.gen(function* () {
            const writing = yield* Effect.forkScoped(
              Effect.forever(Effect.andThen(append(both.store, [...many(3), put("seen")]), Effect.sleep(10)))
            )
            yield* append(both.store, [put("seen")])
            yield* Places.waitFor(yield* both.store.head)
            const { get } = yield* Places.queries
            let seen = 0
            const watching = yield* Effect.forkScoped(Effect.forever(Effect.gen(function* () {
              const { position } = Option.getOrThrow(yield* get("seen"))
              if (position < seen) return yield* Effect.die(new Error(`back from ${seen} to ${position}`))
              seen = position
              yield* Effect.sleep(5)
            })))
            for (let i = 2; i < 6; i++) {
              const progress = yield* Stream.runCollect(Places.rebuild)
              const { building, generation } = yield* Places.status
              expect([building, generation]).toEqual([undefined, i])
              expect(progress.length).toBeGreaterThan(0)
              const percents = progress.map(({ percent }) => percent)
              expect(percents).toEqual(percents.toSorted((a, b) => a - b))
            }
            expect(watching.pollUnsafe()).toBeUndefined()
            yield* Fiber.interrupt(writing)
            // what was interrupted may still be written, but before this
            yield* append(both.store, [put("seen")])
            yield* Places.waitFor(yield* both.store.head)
            yield* Fiber.interrupt(watching)
            expect(yield* stored(both.documents, 5)).toEqual(byHand(yield* log(both.store)))
            expect(yield* collections(both.documents, [1, 2, 3, 4])).toEqual([false, false, false, false])
          }).pipe(living(Places[how], both))
        })))
    }

    test("does not take the place of documents that have come further", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* appendAtOnce(both.store, many(20))
        let end = 10
        let reads = 0
        const lagged = yield* Deferred.make<void>()
        const driver: EventStoreDriver.EventStoreDriver = {
          ...both.store.driver,
          readLog: (options) =>
            Effect.flatMap(both.store.driver.readLog(options), ({ events, upTo }) => {
              const page = {
                events: events.filter(({ position }) => position <= end),
                upTo: Math.min(upTo, end)
              }
              return Effect.as(++reads === 20 ? Deferred.succeed(lagged, undefined) : Effect.void, page)
            })
        }
        const behind = { ...both, store: yield* EventStore.make(driver) }
        yield* Effect.gen(function* () {
          yield* Places.waitFor(20)
          yield* Effect.gen(function* () {
            const rebuilding = yield* Effect.forkScoped(Stream.runDrain(Places.rebuild))
            yield* Deferred.await(lagged)
            expect(yield* Places.status).toMatchObject({ generation: 1, building: { position: 10 } })
            end = Infinity
            yield* Fiber.join(rebuilding)
            expect(yield* Places.status).toMatchObject({ generation: 2, position: 20 })
          }).pipe(living(Places.layerQueries, behind))
        }).pipe(living(Places.layer, both))
      })))

    test("by another program is noticed by queries that know of the one before", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* append(both.store, [put("a")])
        yield* Effect.void.pipe(living(Places.layer, both))
        yield* Effect.gen(function* () {
          const { count, find, get } = yield* Places.queries
          for (
            const ask of [
              count(),
              Effect.map(find(), ({ length }) => length),
              Effect.map(get("a"), (found) => found._tag === "Some" ? 1 : 0)
            ]
          ) {
            expect(yield* get("a")).toMatchObject({ _tag: "Some" })
            yield* Stream.runDrain(Places.rebuild).pipe(living(Places.layer, both))
            expect(yield* ask).toBe(1)
          }
        }).pipe(living(Places.layerQueries, both))
      })))

    test("that two ask for at once happens once", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* appendAtOnce(both.store, many(1_000))
        const one = Effect.scoped(Effect.gen(function* () {
          const { rebuild } = yield* Places.service
          return yield* Stream.runCollect(rebuild)
        })).pipe(living(Places.layer, both))
        yield* Effect.scoped(Effect.gen(function* () {
          yield* Effect.all([Stream.runDrain(Places.rebuild), one], { concurrency: 2 })
          const { generation } = yield* Places.status
          expect(generation === 2 || generation === 3).toBe(true)
          const ask = Places.rebuild.pipe(Stream.runDrain)
          yield* Effect.all([ask, ask, ask], { concurrency: 3 })
          expect((yield* Places.status).generation).toBe(generation + 1)
        })).pipe(living(Places.layer, both))
        expect(Object.keys(yield* stored(both.documents, 1))).toEqual([])
      })))

    test("that was killed is gone on with, by the same code", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* appendAtOnce(both.store, many(3_000))
        yield* Effect.void.pipe(living(Places.layer, both))
        const { hangs, store: dying } = hanging(both.documents, 2, 2)
        yield* Effect.raceFirst(Stream.runDrain(Places.rebuild), hangs).pipe(
          living(Places.layer, { ...both, documents: dying })
        )
        let first: number | undefined
        const watched = faulty(both.documents, (_, writes) => {
          if (concerns(2)(writes)) {
            first ??= Math.max(...writes.map((write) => write.op === "put" ? write.position : 0))
          }
          return undefined
        })
        yield* Effect.gen(function* () {
          expect((yield* Places.status).building).toMatchObject({ generation: 2, position: 256 })
          yield* Stream.runDrain(Places.rebuild)
          expect((yield* Places.status).generation).toBe(2)
        }).pipe(living(Places.layer, { ...both, documents: watched }))
        expect(first).toBe(512)
        expect(yield* stored(both.documents, 2)).toEqual(byHand(yield* log(both.store)))
      })))

    test("that was killed is begun anew by other code, and nothing is left of it", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* appendAtOnce(both.store, many(3_000))
        yield* Effect.void.pipe(living(Places.layer, both))
        const { hangs, store: dying } = hanging(both.documents, 2, 2)
        yield* Effect.raceFirst(Stream.runDrain(Places.rebuild), hangs).pipe(
          living(Places.layer, { ...both, documents: dying })
        )
        const other = Projection.make("Places", {
          version: 1,
          events,
          document: Places.document,
          id: Places.id,
          evolve: {
            Put: (place, event, id) => Places.evolve(place, event, id),
            Moved: (place, event, id) => Places.evolve(place, event, id),
            Emptied: (place, event, id) => Places.evolve(place, event, id),
            Noted: (place, event, id) => Places.evolve(place, event, id)
          }
        })
        yield* Stream.runDrain(other.rebuild).pipe(living(other.layer, both))
        expect(yield* collections(both.documents, [1, 2, 3])).toEqual([false, false, true])
        expect(yield* stored(both.documents, 3)).toEqual(byHand(yield* log(both.store)))
      })))
  })

  describe(`${name}: a new version`, () => {
    test("is built while the old one goes on, and then takes its place", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const next = makePlaces(2, 10)
        yield* appendAtOnce(both.store, many(2_000))
        yield* Effect.gen(function* () {
          const { hangs, store: slow } = hanging(both.documents, 2, 2)
          const building = yield* Effect.forkScoped(
            Effect.never.pipe(living(next.layer, { ...both, documents: slow }))
          )
          yield* hangs
          yield* append(both.store, [put("old")])
          yield* Places.waitFor(yield* both.store.head)
          const { queries: { find }, waitFor } = yield* Places.service
          expect((yield* find()).length).toBeGreaterThan(1)
          expect((yield* Places.status).building).toMatchObject({ version: 2, generation: 2 })
          yield* Fiber.interrupt(building)
          yield* Effect.gen(function* () {
            expect(yield* stored(both.documents, 2)).toEqual(byHand(yield* log(both.store), 10))
            yield* append(both.store, [put("new")])
            yield* next.waitFor(yield* both.store.head)
            expect(yield* stored(both.documents, 2)).toEqual(byHand(yield* log(both.store), 10))
            yield* waitFor(yield* both.store.head, "1 minute")
            expect((yield* find()).map(({ id }) => id)).toContain("new")
            expect(yield* stored(both.documents, 1)).toEqual(byHand(yield* log(both.store)))
          }).pipe(living(next.layer, both))
        }).pipe(living(Places.layer, both))
      })))

    test("that cannot take in an old event does not start, and the old one goes on", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const broken = Projection.make("Places", {
          version: 2,
          events,
          document: Places.document,
          id: Places.id,
          evolve: {
            Put: (place) => place,
            Moved: () => {
              throw new Error("not this")
            },
            Emptied: (place) => place,
            Noted: (place) => place
          }
        })
        yield* appendAtOnce(both.store, many(1_000))
        yield* Effect.gen(function* () {
          const error = yield* Effect.flip(Effect.void.pipe(living(broken.layer, both)))
          expect(error.reason).toMatchObject({ _tag: "Failed", position: 5, problem: "not this" })
          yield* append(both.store, [put("old")])
          yield* Places.waitFor(yield* both.store.head)
          expect(yield* Places.status).toMatchObject({
            version: 1,
            generation: 1,
            failure: undefined,
            building: { version: 2, failure: { position: 5 } }
          })
          expect(yield* stored(both.documents, 1)).toEqual(byHand(yield* log(both.store)))
        }).pipe(living(Places.layer, both))
      })))
  })

  test(`${name}: whatever commit of a rebuild fails, it ends as it should`, () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<Fault>(undefined, undefined, undefined, "before", "after"), {
          maxLength: 25
        }),
        fc.boolean(),
        fc.integer({ min: 1, max: 2 }),
        (faults, inline, version) =>
          run(Effect.gen(function* () {
            const both: Stores = yield* stores
            yield* appendAtOnce(both.store, many(600))
            yield* Effect.void.pipe(living(Places.layer, both))
            const next = makePlaces(version, version)
            const shaky = { ...both, documents: faulty(both.documents, (n) => faults[n - 1]) }
            yield* Effect.gen(function* () {
              if (version === 1) yield* Stream.runDrain(next.rebuild)
              yield* append(both.store, many(5))
              yield* next.waitFor(yield* both.store.head, "10 minutes")
              const { generation } = yield* next.status
              expect(generation).toBe(2)
              expect(yield* stored(both.documents, 2)).toEqual(byHand(yield* log(both.store), version))
              // That of another version is kept for those who may still run it.
              expect(yield* collections(both.documents, [1])).toEqual([version === 2])
            }).pipe(living(inline ? next.layerInline : next.layer, shaky))
          }))
      ),
      { numRuns: runs }
    ), 60_000)
}
