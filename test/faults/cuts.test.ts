import { expect } from "bun:test"
import { Effect, Fiber, Stream } from "effect"
import { testsOn } from "../services/bun.ts"
import { mysql, postgres } from "../services/mod.ts"
import { openStore } from "./places.ts"
import * as Proxy from "./Proxy.ts"
import { chance, events, idsOf, range, times, write } from "./writes.ts"

const retryable = { while: ({ isRetryable }: { readonly isRetryable: boolean }) => isRetryable }

const services = { postgres, mysql }

for (const [adapter, few] of [["postgres", 600], ["mysql", 200]] as const) {
  testsOn(`${adapter}, cuts`, services[adapter])(
    `${adapter}: appends whose connection is cut at any byte fail with OutcomeUnknown or Unavailable, and repeated are there once`,
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const database = yield* services[adapter].database
        const direct = yield* openStore({ adapter, url: database.url })
        const random = chance(7)
        let isCutting = false
        const proxy = yield* Proxy.make(database, () => isCutting ? Math.floor(random() * 30_000) : Infinity)
        const url = Proxy.through(database.url, proxy.port)
        const store = yield* openStore({ adapter, url })
        const [fibers, appends] = [8, times(few, 5_000)]
        const failures = new Map<string, number>()
        const tail = yield* direct.subscribe(events).pipe(
          Stream.take(fibers * appends * 3),
          Stream.runCollect,
          Effect.forkChild
        )
        // a subscriber whose own way is cut goes on from where it was
        const seen: Array<string> = []
        let last = 0
        const shaky = yield* Effect.suspend(() =>
          store.subscribe(events, { after: last }).pipe(
            Stream.takeUntil(({ position }) => position === fibers * appends * 3),
            Stream.runForEach(({ id, position }) =>
              Effect.sync(() => {
                seen.push(id)
                last = position
              })
            )
          )
        ).pipe(Effect.retry(retryable), Effect.forkChild)
        isCutting = true
        proxy.cut()
        yield* Effect.forEach(range(fibers), (fiber) =>
          Effect.forEach(range(appends), (n) =>
            write(store, "w", fiber, n).pipe(
              Effect.tapError(({ reason: { _tag } }) =>
                Effect.sync(() =>
                  failures.set(_tag, (failures.get(_tag) ?? 0) + 1)
                )
              ),
              Effect.retry(retryable)
            )), { concurrency: "unbounded" })
        isCutting = false
        const all = yield* Fiber.join(tail)
        yield* Fiber.join(shaky)
        const written = range(fibers).flatMap((fiber) =>
          range(appends).flatMap((n) => idsOf("w", fiber, n))
        )
        expect(all.map(({ id }) => id).toSorted()).toEqual(written.toSorted())
        expect(all.map(({ position }) => position)).toEqual(range(all.length).map((i) => i + 1))
        expect(seen).toEqual(all.map(({ id }) => id))
        expect([...failures.keys()].filter((tag) => tag !== "OutcomeUnknown" && tag !== "Unavailable"))
          .toEqual([])
        expect(proxy.cuts()).toBeGreaterThan(20)
        console.log(`${all.length} events, ${proxy.cuts()} cuts:`, Object.fromEntries(failures))
      }))),
    times(60_000, 1_200_000)
  )
}
