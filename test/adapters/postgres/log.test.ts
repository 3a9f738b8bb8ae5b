/** What the database itself sees to: that the log is only appended to, and that nobody holds it for long. */
import { expect } from "bun:test"
import { EventStore } from "dunnock"
import * as Postgres from "dunnock/postgres"
import { Effect, Fiber, Stream } from "effect"
import * as Proxy from "../../faults/Proxy.ts"
import { events, range, write } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { postgres } from "../../services/mod.ts"
import { client } from "./client.ts"
import { places } from "./place.ts"

const test = testsOn("postgres, log", postgres)
const { database, fresh } = places()

const opened = (options: Postgres.Options) =>
  Effect.flatMap(Postgres.make(options), ({ events }) => EventStore.make(events))

test("update, delete and truncate of events and their tags are refused, unless a function lets them through", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const place = yield* fresh
    const store = yield* opened(place)
    yield* write(store, "w", 0, 0)
    const sql = yield* client(place)
    for (const table of ["dunnock_events", "dunnock_event_tags"]) {
      for (
        const change of [`update ${table} set position = 9`, `delete from ${table}`, `truncate ${table}`]
      ) {
        const { reason } = yield* Effect.flip(sql.unsafe(change))
        expect((reason.cause as Error).message, change).toBe(`${table} is append-only`)
      }
    }
    const kept = yield* Stream.runCollect(store.log(events))
    expect(kept.length).toBe(3)
    yield* sql.withTransaction(Effect.andThen(
      sql.unsafe("select set_config('dunnock.may_change', 'yes', true)"),
      sql.unsafe("delete from dunnock_events where position = 1")
    ))
    expect((yield* Effect.flip(sql.unsafe("delete from dunnock_events"))).reason._tag).toBe("ConstraintError")
  }))))

test("what is recorded never has an earlier time than what was recorded before, whatever the clocks say", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const place = yield* fresh
    const [ahead, behind] = [yield* opened(place), yield* opened(place)]
    const sql = yield* client(place)
    yield* write(ahead, "w", 0, 0)
    const late = Date.now() + 3_600_000
    yield* sql.unsafe(`insert into dunnock_events
      select 4, 'late', 1, null, 'Written', 1, '{"writer":"w","fiber":0,"n":0}', null, null, ${late}`)
    yield* write(behind, "w", 0, 1)
    const condition = { query: { tags: ["none"] }, after: 0 }
    const one = { stream: "s", events: [{ _tag: "Written", writer: "w", fiber: 0, n: 0 }] } as const
    yield* behind.append(events, [one], { condition })
    const times = (yield* Stream.runCollect(ahead.log(events))).map(({ recordedAt }) => recordedAt)
    expect(times.slice(3)).toEqual(range(5).map(() => late))
    expect(times[2]).toBeLessThan(late)
  }))))

test("an append that waits too long for the log is Unavailable, and writes nothing", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const place = yield* fresh
    const store = yield* opened(place)
    yield* write(store, "w", 0, 0)
    const sql = yield* client(place)
    const [{ name }] = (yield* sql.unsafe<{ readonly name: string }>(
      "select 'dunnock_append'::regproc::regprocedure::text as name"
    )) as [{ readonly name: string }]
    yield* sql.unsafe(`alter function ${name} set lock_timeout = '100ms'`)
    const other = yield* opened(place)
    yield* sql.withTransaction(Effect.gen(function* () {
      yield* sql.unsafe("select newest from dunnock_lock()")
      const { isRetryable, message, reason } = yield* Effect.flip(write(other, "w", 0, 1))
      expect([reason._tag, isRetryable]).toEqual(["Unavailable", true])
      expect(message).toContain("lock timeout")
      expect(yield* other.head).toBe(3)
    }))
    yield* write(other, "w", 0, 1)
    expect(yield* other.head).toBe(6)
  }))))

/** A way to the server on which nothing more of a client arrives once it has asked for the lock of the log. */
const stalling = Effect.flatMap(database, (to) =>
  Proxy.relay(to, () => {
    let isGone = false
    return {
      asked: (bytes) => {
        const isPassed = !isGone
        isGone ||= bytes.includes("from dunnock_lock()")
        return isPassed
      }
    }
  }))

test(
  "a transaction that is left open by a client that is gone without a word ends by itself, and others go on",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const place = yield* fresh
      const store = yield* opened({ ...place, url: Proxy.through(place.url, yield* stalling) })
      const direct = yield* opened(place)
      const sql = yield* client(place)
      const condition = { query: { tags: ["none"] }, after: 0 }
      const one = { stream: "s", events: [{ _tag: "Written", writer: "w", fiber: 0, n: 0 }] } as const
      const lost = yield* Effect.forkChild(Effect.exit(store.append(events, [one], { condition })))
      // It has the lock, and waits for what its client does not send.
      const holds = sql.unsafe<{ readonly n: number }>(
        "select count(*)::int as n from pg_stat_activity where state = 'idle in transaction'"
      )
      yield* Effect.repeat(holds, { until: ([row]) => row!.n === 1 })
      yield* write(direct, "w", 0, 0)
      expect((yield* Fiber.join(lost))._tag).toBe("Failure")
      expect((yield* Stream.runCollect(direct.log(events))).length).toBe(3)
    }))),
  20_000
)
