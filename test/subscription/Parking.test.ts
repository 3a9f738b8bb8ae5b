import { expect, test } from "bun:test"
import { Stores } from "dunnock"
import { Effect } from "effect"
import type { StoredEvent } from "../../src/event/EventStoreDriver.ts"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import * as Parking from "../../src/subscription/Parking.ts"

const event = (stream: string, revision: number, position: number): StoredEvent => ({
  id: undefined,
  stream,
  revision,
  position,
  type: "Sent",
  version: 1,
  data: "{}",
  metadata: "{}",
  tags: [],
  recordedAt: 0
})

/** Writes what is due, and gives the length of what was written. */
const write = (documents: DocumentStore, parking: Parking.Parking) =>
  Effect.suspend(() => {
    const { writes, written } = parking.due()
    const length = writes.reduce((sum, write) => sum + (write.op === "put" ? write.data.length : 0), 0)
    return Effect.as(Effect.tap(documents.commit(writes), () => Effect.sync(written)), length)
  })

const run = <A, E>(body: (documents: DocumentStore) => Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(Effect.flatMap(Stores.makeMemory, ({ documents }) => body(documents)))

test("an error is written once, and stays while more events are held back, passed or read again", () =>
  run((documents) =>
    Effect.gen(function* () {
      const error = "down ".repeat(700)
      const parking = Parking.make("mails", 3, new Map())
      parking.park(event("a", 2, 7), error, 99)
      expect(yield* write(documents, parking)).toBeGreaterThan(error.length)
      expect(yield* write(documents, parking)).toBe(0)
      expect(parking.holds(event("a", 3, 9))).toBe(true)
      expect(yield* write(documents, parking)).toBeLessThan(200)

      const again = Parking.make("mails", 3, yield* Parking.all(documents, "mails", 3))
      expect(again.get("a")).toEqual({ revision: 2, position: 7, last: 9, count: 2 })
      again.passed(event("a", 2, 7), 1)
      expect(yield* write(documents, again)).toBeLessThan(200)
      const now = { stream: "a", shard: 3, revision: 3, position: 8, last: 9, count: 1, error, since: 99 }
      expect(yield* Parking.get(documents, "mails", "a")).toEqual(now)
      expect(yield* Parking.list(documents, "mails", { limit: 10, offset: 0 })).toEqual([now])

      again.park(event("a", 3, 9), "other", 100)
      yield* write(documents, again)
      expect((yield* Parking.get(documents, "mails", "a"))!.error).toBe("other")
      again.unpark("a")
      yield* write(documents, again)
      expect(yield* Parking.get(documents, "mails", "a")).toBeUndefined()
    })
  ))

test("what is parked of a shard is read page by page, without an offset and without the errors", () =>
  run((documents) =>
    Effect.gen(function* () {
      const count = 2_500
      for (const [name, shard] of [["mails", 0], ["mails", 1], ["other", 0]] as const) {
        const parking = Parking.make(name, shard, new Map())
        for (let i = 0; i < count; i++) parking.park(event(`${shard} ${i}`, 1, i + 1), "down", 0)
        yield* write(documents, parking)
      }
      const offsets: Array<number> = []
      const collections = new Set<string>()
      const watched: DocumentStore = {
        ...documents,
        get: (collection, ids) => {
          collections.add(collection.name)
          return documents.get(collection, ids)
        },
        find: (collection, selection) => {
          collections.add(collection.name)
          offsets.push(selection.offset)
          return documents.find(collection, selection)
        }
      }
      const found = yield* Parking.all(watched, "mails", 1)
      expect(found.size).toBe(count)
      expect(found.get("1 7")).toEqual({ revision: 1, position: 8, last: 8, count: 1 })
      expect(offsets).toEqual([0, 0, 0])
      expect([...collections]).toEqual([Parking.collection.name])
    })
  ))
