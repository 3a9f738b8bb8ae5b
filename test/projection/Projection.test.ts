/** What a projection makes of the log, in each of its ways to run, on each store. */
import { describe, expect, test } from "bun:test"
import { Event, EventStore, Projection } from "dunnock"
import * as Memory from "dunnock/memory"
import { Deferred, Effect, Exit, Fiber, Option, Schema, type Scope, Stream } from "effect"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import { append, byHand, events, type Parcel, Places, stored } from "./fixture.ts"
import { adapters, type Both, fast, living, quiet, stores } from "./harness.ts"

const some: ReadonlyArray<Parcel> = [
  { _tag: "Put", place: "oslo", weight: 3 },
  { _tag: "Put", place: "rome", weight: 4 },
  { _tag: "Moved", from: "oslo", to: "rome", weight: 1 },
  { _tag: "Noted", text: "nothing happened" },
  { _tag: "Put", place: "graz", weight: 9 },
  { _tag: "Emptied", place: "graz" }
]

const put = (place: string, weight = 1): Parcel => ({ _tag: "Put", place, weight })

for (const { name, place, test } of adapters()) {
  const run = <A, E>(self: Effect.Effect<A, E, Both | Scope.Scope>) =>
    Effect.runPromise(
      Effect.flatMap(place, (layer) => self.pipe(Effect.provide(layer))).pipe(quiet, fast(10), Effect.scoped)
    )
  const all = Effect.map(
    Effect.flatMap(Places.queries, ({ find }) => find()),
    (found) => Object.fromEntries(found.map(({ id, value }) => [id, value]))
  )
  const log = Effect.flatMap(EventStore.EventStore, (store) => Stream.runCollect(store.log(events)))

  describe(`${name}: documents`, () => {
    for (const how of ["layer", "layerInline", "layerLive"] as const) {
      test(`${how} makes of old and new events what they make by hand`, () =>
        run(Effect.gen(function* () {
          const both = yield* stores
          yield* append(both.store, some)
          yield* Effect.gen(function* () {
            expect(yield* all).toEqual(byHand(yield* log))
            yield* append(both.store, some)
            yield* append(both.store, [put("rome"), put("bern")])
            yield* Places.waitFor(yield* both.store.head)
            expect(yield* all).toEqual(byHand(yield* log))
          }).pipe(living(Places[how], both))
        })))
    }

    test("inline documents are there when the append returns, several streams and appends at once", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* append(both.store, some)
        yield* Effect.gen(function* () {
          yield* Effect.forEach(
            Array.from({ length: 40 }, (_, i) => i),
            (i) =>
              Effect.gen(function* () {
                yield* both.store.append(events, [
                  { stream: `one-${i}`, events: [put(`p${i}`), put("shared")] },
                  { stream: `two-${i}`, events: [put(`p${i}`, 2)] }
                ])
                const { get } = yield* Places.queries
                const found = Option.getOrThrow(yield* get(`p${i}`))
                expect(found.value.weight).toBe(3)
              }),
            { concurrency: 16 }
          )
          expect(yield* all).toEqual(byHand(yield* log))
        }).pipe(living(Places.layerInline, both))
      })))

    test("inline documents catch up with what others append without them", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const other = yield* EventStore.make(both.store.driver)
        yield* Effect.gen(function* () {
          for (let i = 0; i < 10; i++) {
            yield* append(other, [put("theirs")])
            yield* append(both.store, [put("ours")])
          }
          yield* Places.waitFor(yield* both.store.head)
          expect(yield* all).toEqual(byHand(yield* log))
        }).pipe(living(Places.layerInline, both))
      })))

    test("two programs at once, in whichever way, are as one", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const ways = [Places.layer, Places.layerInline, Places.layer]
        yield* append(both.store, some)
        yield* Effect.forEach(ways, (way, i) =>
          Effect.gen(function* () {
            yield* append(both.store, [...some, put(`p${i}`)])
            yield* Places.waitFor(yield* both.store.head)
            expect(Option.isSome(yield* (yield* Places.queries).get(`p${i}`))).toBe(true)
          }).pipe(living(way, both)), { concurrency: "unbounded" })
        expect(yield* stored(both.documents, 1)).toEqual(byHand(yield* log))
      })))

    test("another program takes over from one that ends, and from one that dies", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const dead = yield* Deferred.make<void>()
        // dies: from then on it hears nothing and says nothing
        const dying: DocumentStore = {
          ...both.documents,
          commit: (writes) =>
            Effect.flatMap(
              Deferred.isDone(dead),
              (isDead) => isDead ? Effect.never : both.documents.commit(writes)
            )
        }
        const first = yield* Effect.forkScoped(
          Effect.never.pipe(living(Places.layer, { ...both, documents: dying }))
        )
        yield* Effect.gen(function* () {
          yield* append(both.store, some)
          yield* Places.waitFor(yield* both.store.head)
          yield* Deferred.succeed(dead, undefined)
          yield* append(both.store, some)
          yield* Places.waitFor(yield* both.store.head, "1 minute")
          expect(yield* all).toEqual(byHand(yield* log))
        }).pipe(living(Places.layer, both))
        yield* Fiber.interrupt(first)
      })))

    test("queries know conditions, order, pages, counts and streams", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* append(both.store, [put("a", 1), put("b", 2), put("c", 3), put("d", 4)])
        yield* Effect.gen(function* () {
          const { count, find, getMany, page, stream } = yield* Places.queries
          yield* Places.waitFor(yield* both.store.head)
          const heavy = yield* find({ where: { weight: { gte: 2 } }, sort: { weight: "desc" }, limit: 2 })
          expect(heavy.map(({ id, position }) => [id, position])).toEqual([["d", 4], ["c", 3]])
          const second = yield* page({ sort: { weight: "asc" }, limit: 3, offset: 3 })
          expect([second.total, second.documents.map(({ id }) => id)]).toEqual([4, ["d"]])
          expect(yield* count({ where: { weight: { lt: 3 } } })).toBe(2)
          expect((yield* Stream.runCollect(stream())).map(({ id }) => id)).toEqual(["a", "b", "c", "d"])
          expect((yield* getMany(["d", "x", "a"])).map(({ id }) => id)).toEqual(["d", "a"])
        }).pipe(living(Places.layerQueries, both), living(Places.layer, both))
      })))
  })

  describe(`${name}: waiting`, () => {
    test("takes receipts or a position, also in a program that only asks", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* Effect.gen(function* () {
          const receipts = yield* both.store.append(events, [
            { stream: "x", events: [put("a")] },
            { stream: "y", events: [put("a")] }
          ])
          yield* Places.waitFor(receipts)
          expect((yield* all)["a"]?.weight).toBe(2)
          const [noted] = yield* both.store.append(events, [{ stream: "x", events: [some[3]!] }])
          yield* Places.waitFor(noted!)
          expect((yield* Places.status).lag).toBe(0)
        }).pipe(living(Places.layerQueries, both), living(Places.layer, both))
      })))

    test("ends in time, and says how far it has come", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        yield* append(both.store, some)
        const error = yield* Effect.flip(Places.waitFor(100, "100 millis")).pipe(living(Places.layer, both))
        expect(error.reason).toMatchObject({ _tag: "TimedOut", position: 100, reached: 6 })
      })))

    test("before anything was built, a program that only asks says so", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const error = yield* Effect.flip(all).pipe(living(Places.layerQueries, both))
        expect(error.reason).toMatchObject({ _tag: "NotLive", projection: "Places", version: 1 })
      })))
  })

  describe(`${name}: events that cannot be taken in`, () => {
    const make = (onFailure: "stop" | "skip", broken: boolean) =>
      Projection.make("Fussy", {
        version: 1,
        events,
        document: Schema.Struct({ weight: Schema.Int.check(Schema.isLessThan(100)), last: Schema.String }),
        lease: "1 second",
        onFailure,
        id: ({ data }) => data._tag === "Put" ? [data.place, "all"] : [],
        evolve: {
          Put: (place = { weight: 0, last: "" }, { data }) => {
            if (broken && data.weight === 13) throw new Error("bad luck")
            return { weight: place.weight + data.weight, last: data.place }
          },
          Moved: (place) => place,
          Emptied: (place) => place,
          Noted: (place) => place
        }
      })
    const weights = (projection: ReturnType<typeof make>) =>
      Effect.map(
        Effect.flatMap(projection.queries, ({ find }) => find()),
        (found) => Object.fromEntries(found.map(({ id, value }) => [id, value.weight]))
      )

    test("stop it before the event, visibly, until a correction is deployed", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const [broken, mended] = [make("stop", true), make("stop", false)]
        yield* Effect.gen(function* () {
          yield* append(both.store, [put("a", 1), put("b", 2), put("a", 13), put("a", 4)])
          const error = yield* Effect.flip(broken.waitFor(4, "1 minute"))
          expect(error.reason).toMatchObject({
            _tag: "Failed",
            position: 3,
            stream: "Parcel-2",
            problem: "bad luck"
          })
          expect(yield* weights(broken)).toEqual({ a: 1, b: 2, all: 3 })
          const { failure, lag, position } = yield* broken.status
          expect([failure?.message, lag, position]).toEqual([error.message, 2, 2])
        }).pipe(living(broken.layer, both))
        yield* Effect.gen(function* () {
          yield* mended.waitFor(4)
          expect(yield* weights(mended)).toEqual({ a: 18, b: 2, all: 20 })
          expect((yield* mended.status).failure).toBeUndefined()
        }).pipe(living(mended.layer, both))
      })))

    test("name the event that made a document that does not fit", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const projection = make("stop", false)
        yield* Effect.gen(function* () {
          yield* both.store.append(events, [{
            stream: "x",
            events: [put("a", 60), put("b", 30), put("a", 55), put("b", -80)]
          }])
          const error = yield* Effect.flip(projection.waitFor(4, "1 minute"))
          expect(error.reason).toMatchObject({ _tag: "Failed", position: 3 })
          expect(error.message).toContain("less than 100")
          expect(yield* weights(projection)).toEqual({ a: 60, b: 30, all: 90 })
        }).pipe(living(projection.layer, both))
      })))

    test("and those that make an id or a document that no store takes", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const projection = make("skip", false)
        yield* Effect.gen(function* () {
          yield* both.store.append(events, [{ stream: "x", events: [put("a"), put("\0"), put("")] }])
          yield* both.store.append(events, [{ stream: "x", events: [put("x".repeat(256)), put("b")] }])
          yield* projection.waitFor(5)
          expect(yield* weights(projection)).toEqual({ a: 1, b: 1, all: 2 })
          expect(yield* projection.status).toMatchObject({ skipped: 3, handled: 2, lag: 0 })
        }).pipe(living(projection.layer, both))
      })))

    for (const how of ["layer", "layerInline"] as const) {
      test(`${how} leaves them out and counts them, if that is asked for`, () =>
        run(Effect.gen(function* () {
          const both = yield* stores
          const projection = make("skip", true)
          yield* Effect.gen(function* () {
            yield* append(both.store, [put("a", 1), put("b", 13), put("a", 99), put("a", 4)])
            yield* projection.waitFor(4)
            expect(yield* weights(projection)).toEqual({ a: 5, all: 5 })
            expect(yield* projection.status).toMatchObject({
              skipped: 2,
              handled: 2,
              lag: 0,
              failure: { position: 3 }
            })
          }).pipe(living(projection[how], both))
        })))
    }

    test("cannot be appended while an inline projection stops at them", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const projection = make("stop", true)
        yield* Effect.gen(function* () {
          yield* append(both.store, [put("a", 1)])
          const results = yield* Effect.forEach(
            [put("a", 2), put("b", 13), put("a", 3)],
            (event) => Effect.exit(append(both.store, [event])),
            { concurrency: "unbounded" }
          )
          expect(results.map(Exit.isSuccess)).toEqual([true, false, true])
          const error = yield* Effect.flip(append(both.store, [put("b", 13)]))
          expect(error.reason).toMatchObject({ _tag: "InlineFailed", projection: "Fussy" })
          expect(yield* weights(projection)).toEqual({ a: 6, all: 6 })
          expect(yield* both.store.head).toBe(3)
        }).pipe(living(projection.layerInline, both))
      })))

    test("an event of an unknown version stops it as well", () =>
      run(Effect.gen(function* () {
        const both = yield* stores
        const newer = Event.set({
          Put: Event.make({ place: Schema.String, weight: Schema.Int }).pipe(
            Event.next({ place: Schema.String }, ({ place }) => ({ place }))
          )
        })
        yield* append(both.store, [put("a")])
        yield* Effect.gen(function* () {
          yield* both.store.append(newer, [{ stream: "x", events: [{ _tag: "Put", place: "a" }] }])
          const error = yield* Effect.flip(Places.waitFor(2, "1 minute"))
          expect(error.message).toContain("unknown version")
          expect((yield* all)["a"]?.weight).toBe(1)
        }).pipe(living(Places.layer, both))
      })))
  })
}

test("a document store elsewhere cannot be written inline", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { documents, store } = yield* stores
      const elsewhere = { store, documents: { ...documents, log: "elsewhere" } }
      const error = yield* Effect.flip(Places.status.pipe(living(Places.layerInline, elsewhere)))
      expect(error.reason).toMatchObject({ _tag: "NotInline", projection: "Places" })
    }).pipe(Effect.provide(Memory.layer), Effect.scoped)
  ))

describe("a definition is refused", () => {
  const document = Schema.Struct({ n: Schema.Int })
  const options = {
    version: 1,
    events: Event.set({ A: {} }),
    document,
    id: () => "x",
    evolve: { A: () => undefined }
  }
  test("with a name that no collection can have", () => {
    for (const name of ["", "1a", "a-b", "x".repeat(41)]) {
      expect(() => Projection.make(name, options)).toThrow("name")
    }
  })
  test("with a version that is none", () => {
    for (const version of [0, -1, 1.5, NaN]) {
      expect(() => Projection.make("A", { ...options, version })).toThrow("version")
    }
  })
  test("without any function, or with one for an event that is not among its events", () => {
    expect(() => Projection.make("A", { ...options, evolve: {} })).toThrow("empty")
    const evolve = { ...options.evolve, B: () => undefined }
    expect(() => Projection.make("A", { ...options, evolve })).toThrow('"B"')
  })
  test("already by the compiler, where it can be", () => {
    // @ts-expect-error there is no event B
    const handler = () => Projection.make("A", { ...options, evolve: { B: () => undefined } })
    // @ts-expect-error there is no field m
    const index = () => Projection.make("A", { ...options, indexes: ["m"] })
    // @ts-expect-error a text is no number
    const made = () => Projection.make("A", { ...options, evolve: { A: () => ({ n: "1" }) } })
    const { find } = {} as Effect.Success<typeof Places.queries>
    // @ts-expect-error there is no field wait
    const field = () => find({ where: { wait: 1 } })
    // @ts-expect-error a weight is no text
    const type = () => find({ where: { weight: "1" } })
    expect([handler, index, made, field, type].length).toBe(5)
  })
  test("with something else to do about failures", () => {
    expect(() => Projection.make("A", { ...options, onFailure: "park" as never })).toThrow("onFailure")
  })
  test("with an index on a field that there is not", () => {
    expect(() => Projection.make("A", { ...options, indexes: ["m" as any] })).toThrow('"m"')
  })
})
