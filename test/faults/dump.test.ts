import { expect } from "bun:test"
import { Effect, Fiber, Stream } from "effect"
import { testsOn } from "../services/bun.ts"
import { postgres } from "../services/mod.ts"
import { execute } from "../services/Postgres.ts"
import { dump, restore } from "./dump.ts"
import { openStore } from "./postgres.ts"
import { events, range, times, write } from "./writes.ts"

const test = testsOn("postgres, dumps", postgres)

test(
  "a dump that was made under load reads right in a fresh server, and is gone on with",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const old = yield* postgres.own
      const from = yield* old.database
      const store = yield* openStore(from.url)
      const fibers = 4
      const load = { isOver: false }
      const writer = (fiber: number) =>
        Effect.gen(function* () {
          let n = 0
          while (!load.isOver) yield* write(store, "w", fiber, n++)
          // the dump lacks some for sure
          yield* write(store, "w", fiber, n++)
          return n
        })
      const working = yield* Effect.forkChild(
        Effect.forEach(range(fibers), writer, { concurrency: "unbounded" })
      )
      const first = yield* Stream.runCollect(Stream.take(store.subscribe(events), times(1_200, 20_000)))
      const dumped = yield* dump(from.url, old.place.folder)
      load.isOver = true
      const appends = yield* Fiber.join(working)
      const whole = yield* Stream.runCollect(store.log(events))

      const fresh = yield* postgres.own
      const to = yield* fresh.database
      // so that tables get other numbers than they had
      for (const i of range(20)) yield* execute(to.url, `create table unrelated_${i} ()`)
      yield* restore(to.url, dumped)
      const again = yield* openStore(to.url)
      const head = yield* again.head
      expect(head).toBeGreaterThanOrEqual(first.length)
      expect(head).toBeLessThan(whole.length)
      expect(yield* Stream.runCollect(again.log(events))).toEqual(whole.slice(0, head))

      // who had come to some position goes on from there, on what there is and what comes
      const after = first.at(-1)!.position
      const tail = yield* again.subscribe(events, { after }).pipe(
        Stream.take(whole.length - after),
        Stream.runCollect,
        Effect.forkChild
      )
      // what the dump has is not written twice, what it lacks is
      yield* Effect.forEach(
        range(fibers),
        (fiber) => Effect.forEach(range(appends[fiber]!), (n) => write(again, "w", fiber, n)),
        { concurrency: "unbounded" }
      )
      const rest = yield* Fiber.join(tail)
      expect(rest.map(({ position }) => position)).toEqual(range(rest.length).map((i) => after + 1 + i))
      expect(rest.slice(0, head - after)).toEqual(whole.slice(after, head))
      expect(rest.map(({ id }) => id).toSorted()).toEqual(whole.slice(after).map(({ id }) => id).toSorted())

      const refused = yield* Effect.exit(execute(to.url, "delete from dunnock_events where position = 1"))
      expect(String(refused)).toContain("append-only")
      console.log(`${whole.length} events, ${head} of them in the dump`)
    }))),
  times(60_000, 600_000)
)
