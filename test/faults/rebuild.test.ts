import { expect, test } from "bun:test"
import { EventStore } from "dunnock"
import { Effect, Fiber, Option, Stream } from "effect"
import { testsOn } from "../services/bun.ts"
import { mysql, postgres } from "../services/mod.ts"
import { places, stores } from "./places.ts"
import { byId, expected, rowsOf, tally } from "./tally.ts"
import { load, range, times, write } from "./writes.ts"

const Tally = tally("Tally")
const Fresh = tally("Fresh")

/** Asks for a document, for as long as it is not interrupted: it is always there, and never older than it was. */
const ask = Effect.gen(function* () {
  const queries = yield* Tally.queries
  let last = 0
  while (true) {
    const document = Option.getOrThrow(yield* queries.get("own-w-0"))
    expect(document.value.count).toBeGreaterThanOrEqual(last)
    last = document.value.count
    yield* Effect.sleep(3)
  }
})

/** Appends, 400 a second if the machine can do it, while documents are made anew over and over. */
const rebuilds = (what: string) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    // so that it takes a while
    const [fibers, before] = [100, times(50, 1_000)]
    yield* Effect.forEach(
      range(fibers),
      (fiber) => Effect.forEach(range(before), (n) => write(store, "before", fiber, n)),
      { concurrency: "unbounded" }
    )
    const began = performance.now()
    const work = yield* load(store, "w", 16, "20 millis")
    yield* Effect.sleep(100)
    yield* Tally.waitFor(yield* store.head)
    const asking = yield* Effect.forkScoped(ask)
    const count = times(20, 200)
    let reports = 0
    for (const n of range(count)) {
      const progress = yield* Stream.runCollect(Tally.rebuild)
      reports += progress.length
      const { generation } = yield* Tally.status
      expect(generation).toBe(n + 2)
      expect(asking.pollUnsafe()).toBeUndefined()
    }
    yield* work.end
    const appends = work.appends.reduce((sum, n) => sum + n)
    const rate = Math.round(1_000 * appends / (performance.now() - began))
    yield* Fiber.interrupt(asking)
    const head = yield* store.head
    yield* Tally.waitFor(head)
    const rows = yield* rowsOf(Tally)
    const fresh = yield* Effect.andThen(Fresh.waitFor(head), rowsOf(Fresh)).pipe(Effect.provide(Fresh.layer))
    expect(rows).toEqual(fresh)
    expect(byId(rows)).toEqual({
      ...expected("before", range(fibers).map(() => before)),
      ...expected("w", work.appends)
    })
    console.log(`${what}: ${count} rebuilds, ${reports} reports, ${appends} appends, ${rate} a second`)
  })

for (const adapter of ["sqlite", "postgres", "mysql"] as const) {
  const run = adapter === "sqlite" ? test : testsOn(`${adapter}, rebuilds`, { mysql, postgres }[adapter])
  for (const [how, layer] of [["async", Tally.layer], ["inline", Tally.layerInline]] as const) {
    run(
      `${adapter}, ${how}: documents made anew while events come are row for row those of a fresh projection`,
      () =>
        Effect.runPromise(Effect.scoped(Effect.gen(function* () {
          const place = yield* places[adapter]
          yield* rebuilds(`${adapter}, ${how}`).pipe(Effect.provide(layer), Effect.provide(stores(place)))
        }))),
      times(60_000, 1_200_000)
    )
  }
}
