import { expect } from "bun:test"
import { Effect, Fiber, Stream } from "effect"
import { join } from "node:path"
import { start } from "../../faults/Process.ts"
import { events, idsOf, range, times, write } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { mysql } from "../../services/mod.ts"
import { connect, openStore, query } from "./store.ts"
import type { Job } from "./writers.child.ts"

const test = testsOn("mysql, writers", mysql)

interface Said {
  readonly committed: ReadonlyArray<string>
  readonly rolledBack: ReadonlyArray<string>
}

const last = idsOf("end", 0, 0).at(-1)

test(
  "3 subscribers see every event of 8 writers in each of 4 processes once and in order, whatever is delayed or rolled back",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const { url } = yield* mysql.database
      yield* query(yield* connect(url), "create table elsewhere (note text)")
      const stores = yield* Effect.forEach(range(3), () => openStore(url))
      const tails = yield* Effect.forEach(stores, (store, i) =>
        store.subscribe(events).pipe(
          Stream.takeUntil(({ id }) => id === last),
          Stream.runCollect,
          // they begin before, with, and amid the writers
          Effect.delay(i * 300),
          Effect.forkChild
        ))
      const jobs = range(4).map((p): Job => ({
        url,
        name: `p${p}`,
        writers: 8,
        rounds: times(12, 200),
        seed: p + 1
      }))
      const processes = yield* Effect.forEach(
        jobs,
        (job) => start(join(import.meta.dirname, "writers.child.ts"), job),
        { concurrency: "unbounded" }
      )
      for (const { tell } of processes) tell("go")
      for (const { ended } of processes) expect(yield* ended).toBe(0)
      yield* write(stores[0]!, "end", 0, 0)

      const said = processes.map(({ said }) => said.at(-1) as Said)
      const committed = [...said.flatMap(({ committed }) => committed), ...idsOf("end", 0, 0)]
      const rolledBack = said.flatMap(({ rolledBack }) => rolledBack)
      for (const tail of tails) {
        const seen = yield* Fiber.join(tail)
        expect(seen.map(({ position }) => position)).toEqual(range(committed.length).map((i) => i + 1))
        expect(seen.map(({ id }) => id).toSorted()).toEqual(committed.toSorted())
        for (const [, own] of Map.groupBy(seen, ({ stream }) => stream)) {
          expect(own.map(({ revision }) => revision)).toEqual(range(own.length).map((i) => i + 1))
        }
        seen.forEach(({ recordedAt }, i) =>
          expect(recordedAt).toBeGreaterThanOrEqual(seen[i - 1]?.recordedAt ?? 0)
        )
      }
      expect(rolledBack.length).toBeGreaterThan(0)
    }))),
  times(60_000, 1_200_000)
)
