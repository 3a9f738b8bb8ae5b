/** What lies between the stores and the server: pools of somebody else's, and ways that break without a word. */
import { expect } from "bun:test"
import { EventStore } from "dunnock"
import * as Postgres from "dunnock/postgres"
import { Deferred, Effect, Fiber, Queue, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Socket } from "node:net"
import * as Changes from "../../../adapters/postgres/changes.ts"
import * as PostgresDatabase from "../../../adapters/postgres/PostgresDatabase.ts"
import * as Proxy from "../../faults/Proxy.ts"
import { write } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { postgres } from "../../services/mod.ts"
import { client } from "./client.ts"
import { places } from "./place.ts"

const test = testsOn("postgres, connections", postgres)
const { database, fresh } = places()

const opened = (options: Postgres.Options) =>
  Effect.flatMap(Postgres.make(options), ({ events }) => EventStore.make(events))

/** A fresh place to which a way leads on which is listened. */
const way = (
  listening: (client: Socket) => Proxy.Ears
): Effect.Effect<{ readonly url: string; readonly schema: string }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { schema, url } = yield* fresh
    const port = yield* Proxy.relay(yield* database, listening)
    return { url: Proxy.through(url, port), schema }
  })

const known = ["user", "database", "application_name", "client_encoding", "DateStyle", "TimeZone"]

/** Refuses what pgbouncer refuses, in its words. */
const pgbouncer = way((client) => ({
  asked: (bytes, isFirst) => {
    if (!isFirst) return true
    const texts = bytes.subarray(8).toString().split("\0")
    const unknown = texts.find((text, i) => i % 2 === 0 && text !== "" && !known.includes(text))
    if (unknown === undefined) return true
    const fields = Buffer.from(`SFATAL\0C08P01\0Munsupported startup parameter: ${unknown}\0\0`)
    const head = Buffer.from([0x45, 0, 0, 0, 0])
    head.writeUInt32BE(fields.length + 4, 1)
    client.end(Buffer.concat([head, fields]))
    return false
  }
}))

test("a pool in between that takes no settings does not matter, with a schema neither", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const place = yield* pgbouncer
    const store = yield* opened(place)
    yield* write(store, "w", 0, 0)
    const { url } = yield* database
    const sql = yield* client({ url, schema: place.schema })
    expect(yield* sql.unsafe("select count(*)::int as n from dunnock_events")).toEqual([{ n: 3 }])
  }))))

test("a client with settings that the pool in between does not take cannot open, and is told why", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const own = yield* client(yield* pgbouncer)
    const { reason } = yield* Effect.flip(Postgres.make({ client: own }))
    expect(reason._tag).toBe("CannotOpen")
    expect(reason.message).toContain("unsupported startup parameter: search_path")
  }))))

test("whatever the database's own settings are, appends are isolated and limited as they must be", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { database: name, url } = yield* postgres.database
    const sql = yield* client({ url })
    yield* sql.unsafe(`alter database ${name} set default_transaction_isolation = 'serializable'`)
    yield* sql.unsafe(`alter database ${name} set lock_timeout = 0`)
    const stores = [yield* opened({ url }), yield* opened({ url })]
    const writing = stores.flatMap((store, i) => [0, 1, 2, 3].map((n) => write(store, `w${i}`, n, 0)))
    yield* Effect.all(writing, { concurrency: "unbounded" })
    expect(yield* stores[0]!.head).toBe(24)
    const db = yield* PostgresDatabase.make({ url })
    const settings = ["default_transaction_isolation", "lock_timeout", "idle_in_transaction_session_timeout"]
    const rows = yield* PostgresDatabase.run(db, "read", [
      `select ${settings.map((name) => `current_setting('${name}')`).join(", ")}`,
      []
    ])
    expect(rows).toEqual([["read committed", "10s", "5s"]])
  }))))

test("a client of the user's own in another isolation is refused", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { database: name, url } = yield* postgres.database
    const admin = yield* client({ url })
    yield* admin.unsafe(`alter database ${name} set default_transaction_isolation = 'repeatable read'`)
    const { reason } = yield* Effect.flip(Postgres.make({ client: yield* client({ url }) }))
    expect(reason._tag).toBe("CannotOpen")
    expect(reason.message).toContain('must be "read committed", not "repeatable read"')
  }))))

for (const isOwn of [false, true]) {
  test(
    `a server that no longer answers is not waited for for ever, ${
      isOwn ? "on a client of the user's own" : "and the connection is not used again"
    }`,
    () =>
      Effect.runPromise(
        Effect.scoped(Effect.gen(function* () {
          let isDead = false
          let swallowed = yield* Deferred.make<void>()
          const place = yield* way(() => ({
            asked: (_, isFirst) => {
              if (isFirst) return true
              if (isDead) Deferred.doneUnsafe(swallowed, Effect.void)
              return !isDead
            }
          }))
          // It makes the schema, which a client does not.
          yield* Effect.scoped(Postgres.make(place))
          const store = yield* opened(isOwn ? { client: yield* client(place) } : place)
          yield* write(store, "w", 0, 0)
          for (
            const [action, reason] of [
              [write(store, "w", 1, 0), "OutcomeUnknown"],
              [
                store.driver.readStream({
                  stream: "w",
                  bare: true,
                  direction: "forwards",
                  from: 1,
                  limit: 9
                }),
                "Unavailable"
              ]
            ] as const
          ) {
            isDead = true
            const fiber = yield* Effect.forkChild(
              Effect.flip(
                action as Effect.Effect<
                  unknown,
                  { readonly reason: { readonly _tag: string; readonly message: string } }
                >
              )
            )
            yield* Deferred.await(swallowed)
            yield* TestClock.adjust("60 seconds")
            const error = yield* Fiber.join(fiber)
            expect(error.reason._tag).toBe(reason)
            expect(error.reason.message).toContain("timed out")
            isDead = false
            swallowed = yield* Deferred.make<void>()
            yield* write(store, reason, 0, 0)
          }
        })).pipe(Effect.provide(TestClock.layer()))
      ),
    30_000
  )
}

test("what is told by a connection of one's own is known from what others tell", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { url } = yield* database
    const [own, other] = [yield* PostgresDatabase.make({ url }), yield* PostgresDatabase.make({ url })]
    const told = yield* own.listen("dunnock_test")
    const notify = ["notify dunnock_test", []] as const
    yield* PostgresDatabase.run(own, "commit", notify)
    yield* PostgresDatabase.run(other, "commit", notify)
    expect(own.isOwn((yield* Queue.take(told)).processId)).toBe(true)
    expect(own.isOwn((yield* Queue.take(told)).processId)).toBe(false)
  }))))

test("what this process has told wakes nobody, and what others tell does", () =>
  Effect.runPromise(
    Effect.scoped(Effect.gen(function* () {
      const told = yield* Queue.unbounded<Changes.Word>()
      const changed = yield* Changes.make(Effect.succeed(told), (id) => id === 1)
      yield* changed().pipe(Effect.raceFirst(TestClock.adjust("50 millis")))
      const heard = yield* Effect.forkChild(changed(), { startImmediately: true })
      yield* Queue.offer(told, { processId: 1 })
      yield* TestClock.adjust("500 millis")
      expect(heard.pollUnsafe()).toBeUndefined()
      yield* Queue.offerAll(told, [{ processId: 1 }, { processId: 2 }])
      yield* Fiber.join(heard)
    })).pipe(Effect.provide(TestClock.layer()))
  ))
