import { expect } from "bun:test"
import { Effect, type Scope } from "effect"
import type { Inline } from "../../../src/event/EventStoreDriver.ts"
import type { Collection } from "../../../src/repository/DocumentStore.ts"
import * as Mysql from "dunnock/mysql"
import * as Proxy from "../../faults/Proxy.ts"
import { range } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { mysql } from "../../services/mod.ts"

const test = testsOn("mysql, round trips", mysql)

const event = (id?: string, tags: ReadonlyArray<string> = []) => ({
  id,
  type: "T",
  version: 1,
  data: "{}",
  metadata: "{}",
  tags
})

const run = (
  body: (
    stores: Effect.Success<ReturnType<typeof Mysql.make>>,
    trips: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<number, E>,
    other: Effect.Success<ReturnType<typeof Mysql.make>>
  ) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const database = yield* mysql.database
    const way = yield* Proxy.counting(database)
    const stores = yield* Mysql.make({ url: Proxy.through(database.url, way.port), maxConnections: 1 })
    const other = yield* Mysql.make({ url: database.url })
    const trips = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        const before = way.trips()
        return Effect.map(effect, () => way.trips() - before)
      })
    yield* body(stores, trips, other)
  })))

const things: Collection = { name: "things", indexes: [] }

test("an append takes one round trip once the heads are known, and two when somebody else has written", () =>
  run(({ events }, trips, other) =>
    Effect.gen(function* () {
      const append = (stream: string, expected: "any" | "none" | number, added = [event()]) =>
        events.append([{ streams: [{ stream, expected, events: added }], condition: undefined }])
      expect(yield* trips(append("a", "none"))).toBe(2)
      expect(yield* trips(append("a", 1))).toBe(1)
      expect(yield* trips(append("b", "none", [event("id", ["tag"]), event()]))).toBe(1)
      expect(yield* trips(append("b", 2))).toBe(1)
      expect(yield* trips(append("a", "any"))).toBe(1)
      expect(yield* trips(append("unknown", "any"))).toBe(2)
      // a conflict is looked at; nobody waits for the transaction to be rolled back
      expect(yield* trips(append("b", 2))).toBeLessThanOrEqual(2)
      yield* events.head
      const batch = range(200).map((i) => ({
        streams: [{ stream: `s${i}`, expected: "none" as const, events: [event(`id-${i}`)] }],
        condition: undefined
      }))
      expect(yield* trips(events.append(batch))).toBe(1)
      // somebody else: one that is refused, two that ask, and one again when nobody else writes
      yield* other.events.append([{
        streams: [{ stream: "x", expected: "any", events: [event()] }],
        condition: undefined
      }])
      expect(yield* trips(append("a", 3))).toBe(3)
      expect(yield* trips(append("a", 4))).toBe(2)
      expect(yield* trips(append("a", 5))).toBe(1)
      const condition = { queries: [{ tags: ["tag"] }, { tags: ["other"], types: ["T"] }], after: 1_000 }
      const conditional = [{
        streams: [{ stream: "a", expected: "any" as const, events: [event()] }],
        condition
      }]
      expect(yield* trips(events.append(conditional))).toBe(2)
    })
  ))

test("a stream that was read is known", () =>
  run(({ events }, trips, other) =>
    Effect.gen(function* () {
      const append = (stores: typeof other, stream: string, expected: number) =>
        stores.events.append([{ streams: [{ stream, expected, events: [event()] }], condition: undefined }])
      yield* append(other, "read", 0)
      yield* append({ events } as typeof other, "own", 0)
      const read = { bare: true, stream: "read", direction: "forwards", from: 1, limit: 10 } as const
      expect(yield* trips(events.readStream(read))).toBe(1)
      expect(yield* trips(append({ events } as typeof other, "read", 1))).toBe(1)
    })
  ))

test("documents are written in two round trips, and with an append in three", () =>
  run(({ documents, events }, trips) =>
    Effect.gen(function* () {
      const put = (id: string, data = "{}") =>
        ({
          op: "put",
          collection: things,
          id,
          expected: "any",
          data,
          position: 0,
          expiresAt: undefined
        }) as const
      yield* documents.commit([put("first")])
      expect(yield* trips(documents.commit(range(500).map((i) => put(`${i}`))))).toBe(2)
      expect(yield* trips(documents.get(things, ["1", "2"]))).toBe(1)
      const inline: Inline = {
        read: () => [{ collection: things, ids: ["1", "new"] }],
        write: () => [put("1", '{"n":1}'), put("new")]
      }
      const streams = [{ stream: "a", expected: "any" as const, events: [event()] }]
      expect(yield* trips(events.append([{ streams, condition: undefined }], inline))).toBe(3)
      expect((yield* documents.get(things, ["1", "new"])).map((document) => document?.version)).toEqual([
        2,
        1
      ])
    })
  ))
