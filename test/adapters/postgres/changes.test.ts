/** How a process hears of what others append. */
import { expect } from "bun:test"
import { EventStore } from "dunnock"
import * as Postgres from "dunnock/postgres"
import { Effect, Fiber, Stream } from "effect"
import { events, range, write } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { postgres } from "../../services/mod.ts"
import { client } from "./client.ts"
import { places } from "./place.ts"

const test = testsOn("postgres, changes", postgres)
const { fresh } = places()

const opened = (options: Postgres.Options) =>
  Effect.flatMap(Postgres.make(options), ({ events }) => EventStore.make(events))

const listening =
  "select pid from pg_stat_activity where query ilike 'listen %' and datname = current_database()"

test("what is appended between the call and the wait is heard, as is what comes later", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const place = yield* fresh
    const [one, other] = [yield* opened(place), yield* opened(place)]
    for (const n of range(20)) {
      const changed = one.driver.changed()
      const heard = n % 2 === 0 ? yield* Effect.forkChild(changed) : undefined
      yield* write(other, "w", 0, n)
      yield* heard === undefined ? changed : Fiber.join(heard)
    }
  }))))

test("nothing is told while nothing is appended, and no connection listens before it is asked for", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const place = yield* fresh
    const store = yield* opened(place)
    const sql = yield* client(place)
    yield* store.head
    expect(yield* sql.unsafe(listening)).toEqual([])
    yield* store.driver.changed()
    yield* Effect.repeat(sql.unsafe(listening), { until: ({ length }) => length === 1 })
    yield* store.driver.changed()
    const quiet = yield* Effect.timeoutOption(store.driver.changed(), "100 millis")
    expect(quiet._tag).toBe("None")
  }))))

test(
  "a subscription goes on when its listening connection is broken again and again",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const place = yield* fresh
      const [one, other] = [yield* opened(place), yield* opened(place)]
      const sql = yield* client(place)
      const tail = yield* one.subscribe(events).pipe(Stream.take(90), Stream.runCollect, Effect.forkChild)
      for (const n of range(30)) {
        yield* write(other, "w", 0, n)
        if (n % 5 === 0) {
          yield* sql.unsafe(`select pg_terminate_backend(pid) from (${listening}) as listening`)
        }
      }
      const seen = yield* Fiber.join(tail)
      expect(seen.map(({ position }) => position)).toEqual(range(90).map((i) => i + 1))
    }))),
  20_000
)
