import { expect } from "bun:test"
import { EventStore } from "dunnock"
import { Effect, Fiber, Layer, Stream } from "effect"
import { testsOn } from "../services/bun.ts"
import { type Own, postgres } from "../services/mod.ts"
import { execute } from "../services/Postgres.ts"
import { type Dump, dump, restore } from "./dump.ts"
import { stores } from "./places.ts"
import { byId, expected, rowsOf, tally } from "./tally.ts"
import { events, load, range, times, write } from "./writes.ts"

const test = testsOn("postgres, dumps", postgres)

const Tally = tally("Tally")

/** The stores of a database, and a projection that is kept up to date. */
const open = (url: string) => Layer.provideMerge(Tally.layer, stores({ adapter: "postgres", url }))

/** Appends, and dumps the database meanwhile; gives what there was when the appends had ended. */
const source = (url: string, { place }: Own) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const work = yield* load(store, "w", 4, 1)
    const first = yield* Stream.runCollect(Stream.take(store.subscribe(events), times(1_200, 20_000)))
    const statements = yield* dump(url, place.folder)
    // the dump lacks some for sure
    const before = [...work.appends]
    while (work.appends.some((count, i) => count < before[i]! + 20)) yield* Effect.sleep(5)
    yield* work.end
    const all = yield* Stream.runCollect(store.log(events))
    return { all, after: first.at(-1)!.position, appends: work.appends, statements }
  })

/** Reads what was restored, and goes on with it. */
const restored = (url: string, { after, all, appends }: Effect.Success<ReturnType<typeof source>>) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const head = yield* store.head
    expect(head).toBeGreaterThanOrEqual(after)
    expect(head).toBeLessThan(all.length)
    expect(yield* Stream.runCollect(store.log(events))).toEqual(all.slice(0, head))

    // who had come to some position goes on from there, with what there is and what comes
    const tail = yield* store.subscribe(events, { after }).pipe(
      Stream.take(all.length - after),
      Stream.runCollect,
      Effect.forkChild
    )
    // what the dump has is not written again, what it lacks is
    yield* Effect.forEach(
      appends,
      (count, fiber) => Effect.forEach(range(count), (n) => write(store, "w", fiber, n)),
      { concurrency: "unbounded" }
    )
    const rest = yield* Fiber.join(tail)
    expect(rest.map(({ position }) => position)).toEqual(range(rest.length).map((i) => after + 1 + i))
    expect(rest.slice(0, head - after)).toEqual(all.slice(after, head))
    expect(rest.map(({ id }) => id).toSorted()).toEqual(all.slice(after).map(({ id }) => id).toSorted())

    yield* Tally.waitFor(all.length)
    expect(byId(yield* rowsOf(Tally))).toEqual(expected("w", appends))
    // it went on from the dump, and did not begin anew
    expect((yield* Tally.status).generation).toBe(1)

    const refused = yield* Effect.exit(execute(url, "delete from dunnock_events where position = 1"))
    expect(String(refused)).toContain("append-only")
    console.log(`${all.length} events, ${head} of them in the dump`)
  })

/** A database of a server, in which tables have other numbers than in that of the dump. */
const databaseFor = (server: Own, statements: Dump) =>
  Effect.gen(function* () {
    const { url } = yield* server.database
    for (const i of range(20)) yield* execute(url, `create table unrelated_${i} ()`)
    yield* restore(url, statements)
    return url
  })

test(
  "a dump that was made under load reads right in a fresh server, and is gone on with",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const old = yield* postgres.own
      const { url: from } = yield* old.database
      const dumped = yield* Effect.provide(source(from, old), open(from))
      const to = yield* databaseFor(yield* postgres.own, dumped.statements)
      yield* Effect.provide(restored(to, dumped), open(to))
    }))),
  times(60_000, 600_000)
)
