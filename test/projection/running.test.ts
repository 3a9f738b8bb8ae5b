/** What a projection does about errors that are nobody's doing, and what it tells of itself. */
import { describe, expect, test } from "bun:test"
import * as Memory from "dunnock/memory"
import { Cause, Effect, Exit, Logger, Metric, References } from "effect"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import { CannotOpen, DocumentStoreError } from "../../src/repository/DocumentStoreError.ts"
import { append, type Parcel, Places } from "./fixture.ts"
import { fast, living, quiet, type Stores, stores } from "./harness.ts"

const put = (place: string, weight = 1): Parcel => ({ _tag: "Put", place, weight })

const run = <A, E>(self: (both: Stores) => Effect.Effect<A, E>) =>
  Effect.runPromise(Effect.flatMap(stores, self).pipe(fast(), Effect.provide(Memory.layer), Effect.scoped))

/** Documents whose commits to a generation come to a bad end for as long as `isBroken` says so. */
const broken = <E>(documents: DocumentStore, end: Effect.Effect<never, E>, isBroken = () => true) => ({
  ...documents,
  commit: (writes) =>
    Effect.suspend(() =>
      isBroken() && writes.some(({ collection }) => collection.name.startsWith("Places"))
        ? end as Effect.Effect<never, never>
        : documents.commit(writes)
    )
} satisfies DocumentStore)

const defect = new ReferenceError("oops is not defined")
const forGood = new DocumentStoreError({ reason: new CannotOpen({ store: "memory", problem: "no rights" }) })

describe("an error that does not pass by itself", () => {
  for (const how of ["layer", "layerInline"] as const) {
    for (const again of [false, true]) {
      test(`ends the start of ${how}, ${again ? "where there are documents already" : "the first one"}`, () =>
        run((both) =>
          Effect.gen(function* () {
            if (again) yield* Effect.void.pipe(living(Places.layer, both))
            yield* append(both.store, [put("a")])
            const start = (end: Effect.Effect<never, unknown>) =>
              Places.waitFor(1, "1 second").pipe(
                living(Places[how], { ...both, documents: broken(both.documents, end) }),
                Effect.exit,
                quiet
              )
            // With `layer` it is in the background by then, if there are documents already.
            const inBackground = how === "layer" && again
            const died = yield* start(Effect.die(defect))
            const failed = yield* start(Effect.fail(forGood))
            const errors = [died, failed].map((exit) =>
              Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit
            )
            if (!inBackground) expect(errors).toEqual([defect, forGood])
            else expect(errors.map((error: any) => error.reason?._tag)).toEqual(["TimedOut", "TimedOut"])
          })
        ))
    }
  }

  test("is logged as an error later on, each time, and the work goes on when it has passed", () =>
    run((both) => {
      const errors: Array<unknown> = []
      const logger = Logger.make(({ cause, logLevel }) => {
        if (logLevel === "Error") errors.push(Cause.squash(cause))
      })
      let isBroken = false
      return Effect.gen(function* () {
        yield* append(both.store, [put("a")])
        yield* Places.waitFor(1)
        isBroken = true
        yield* append(both.store, [put("a")])
        const { reason } = yield* Effect.flip(Places.waitFor(2, "10 seconds"))
        expect(reason).toMatchObject({ _tag: "TimedOut", reached: 1 })
        expect(errors.length).toBeGreaterThan(2)
        // after 0.05, 0.1, 0.2 … seconds
        expect(errors.length).toBeLessThan(15)
        expect(new Set(errors)).toEqual(new Set([defect]))
        isBroken = false
        yield* Places.waitFor(2, "1 minute")
      }).pipe(
        living(Places.layer, {
          ...both,
          documents: broken(both.documents, Effect.die(defect), () => isBroken)
        }),
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "Error")
      )
    }))
})

describe("metrics", () => {
  for (const how of ["layer", "layerInline"] as const) {
    test(`are kept with the name of the projection (${how})`, () =>
      run((both) =>
        Effect.gen(function* () {
          yield* Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            yield* append(both.store, [put("a"), put("b")])
            yield* Places.waitFor(2)
            yield* Effect.sleep("1 second")
            const all = (yield* Metric.snapshot).filter(({ id }) => id.startsWith("dunnock.projection."))
            expect(all.map(({ attributes }) => attributes)).toEqual(
              all.map(() => ({ "dunnock.projection": "Places" }))
            )
            const values = Object.fromEntries(all.map(({ id, state }) => [
              id.replace("dunnock.projection.", ""),
              "count" in state ? Number(state.count) : "value" in state ? Number(state.value) : undefined
            ]))
            expect(values).toEqual({ handled: 2, skipped: 0, position: 2, lag: 0 })
          }).pipe(living(Places[how], both))
        }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
      ))
  }
})
