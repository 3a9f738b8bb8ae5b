/** What tailing readers must have seen of many writers in many processes, whatever these delay and roll back. */
import { expect } from "bun:test"
import { Effect, Fiber, Stream } from "effect"
import { join } from "node:path"
import { type OnServer, openStore } from "./places.ts"
import { start } from "./Process.ts"
import { events, idsOf, range, times, write } from "./writes.ts"

/** What the process is asked to do. */
export interface Job {
  readonly place: OnServer
  readonly name: string
  readonly writers: number
  readonly rounds: number
  readonly seed: number
}

interface Said {
  readonly committed: ReadonlyArray<string>
  readonly rolledBack: ReadonlyArray<string>
}

const last = idsOf("end", 0, 0).at(-1)

/** Three readers tail what so many writers in each of 4 processes append, and see every event once and in order. */
export const seen = (place: OnServer, writers: number) =>
  Effect.gen(function* () {
    const stores = yield* Effect.forEach(range(3), () => openStore(place))
    const tails = yield* Effect.forEach(stores, (store, i) =>
      store.subscribe(events).pipe(
        Stream.takeUntil(({ id }) => id === last),
        Stream.runCollect,
        // they begin before, with, and amid the writers
        Effect.delay(i * 300),
        Effect.forkChild
      ))
    const jobs = range(4).map((p): Job => ({
      place,
      name: `p${p}`,
      writers,
      rounds: times(12, 200),
      seed: p + 1
    }))
    const child = join(import.meta.dirname, "writers.child.ts")
    const processes = yield* Effect.forEach(jobs, (job) => start(child, job), { concurrency: "unbounded" })
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
    console.log(`${committed.length} events, ${rolledBack.length} rolled back`)
  })
