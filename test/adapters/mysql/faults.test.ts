import { expect } from "bun:test"
import { Deferred, Effect, Fiber, Stream } from "effect"
import * as MysqlDatabase from "../../../adapters/mysql/MysqlDatabase.ts"
import { events, idsOf, load, range, times, write } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { mysql } from "../../services/mod.ts"
import { connect, openStore, query } from "./store.ts"

const test = testsOn("mysql, faults", mysql)

test(
  "after the server has died and come back, what was acknowledged is there once, and the program goes on by itself",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const server = yield* mysql.own
      const { url } = yield* server.database
      const store = yield* openStore(url)
      const working = yield* load(store, "w", 6, "1 millis")
      const advanced = Effect.gen(function* () {
        const before = working.appends.map((count) => count + 20)
        while (working.appends.some((count, i) => count < before[i]!)) yield* Effect.sleep(5)
      })
      for (const _ of range(times(2, 20))) {
        yield* advanced
        yield* Effect.promise(() => server.end("SIGKILL"))
        yield* Effect.promise(() => server.startAgain())
      }
      yield* advanced
      yield* working.end
      const all = yield* Stream.runCollect(store.log(events))
      const written = working.appends.flatMap((count, fiber) =>
        range(count).flatMap((n) => idsOf("w", fiber, n))
      )
      expect(all.map(({ id }) => id).toSorted()).toEqual(written.toSorted())
    }))),
  times(60_000, 600_000)
)

test(
  "a lock that another holds for too long makes an append Unavailable, and one that is killed is tried again",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const { url } = yield* mysql.database
      const store = yield* openStore(url)
      const other = yield* connect(url)
      yield* query(other, "begin; select id from dunnock_store for update")
      const error = yield* Effect.flip(write(store, "w", 0, 0))
      expect([error.reason._tag, error.message]).toEqual([
        "Unavailable",
        expect.stringContaining("Lock wait")
      ])
      const waiting = yield* Effect.forkChild(write(store, "w", 0, 0))
      yield* Effect.sleep(50)
      yield* query(other, "rollback")
      expect((yield* Fiber.join(waiting)).map(({ position }) => position)).toEqual([2, 3])
    }))),
  30_000
)

test(
  "a client that hangs in a transaction holds up the others for a while, on MariaDB, and then fails itself",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const { url } = yield* mysql.database
      const store = yield* openStore(url)
      const database = yield* MysqlDatabase.make({ url })
      const isLocked = yield* Deferred.make<void>()
      const goesOn = yield* Deferred.make<void>()
      const hanging = yield* Effect.forkChild(
        database.transaction((transaction) =>
          Effect.gen(function* () {
            yield* transaction.run([["select id from dunnock_store for update", []]])
            yield* Deferred.succeed(isLocked, undefined)
            yield* Deferred.await(goesOn)
            yield* transaction.commit([["select 1", []]])
          })
        )
      )
      yield* Deferred.await(isLocked)
      yield* write(store, "w", 0, 0)
      yield* Deferred.succeed(goesOn, undefined)
      expect((yield* Fiber.await(hanging))._tag).toBe("Failure")
    }))),
  30_000
)
