/** Promise 8: events written by older definitions are brought to the current version, however they are read. */
import { describe, expect, test } from "bun:test"
import { Event, EventStore } from "dunnock"
import * as Memory from "dunnock/memory"
import * as Sqlite from "dunnock/sqlite"
import { Context, Effect, Layer, Result, Schema, Stream } from "effect"
import fc from "fast-check"
import { file } from "../contract/scratch.ts"

// Four definitions of an order, as they were deployed one after the other, beside an event that never changed.
const first = Event.make({ item: Schema.String })
const second = first.pipe(
  Event.next({ items: Schema.Array(Schema.String) }, ({ item }) => ({ items: [item] }))
)
const third = second.pipe(
  Event.next(
    { lines: Schema.Array(Schema.Struct({ item: Schema.String, count: Schema.Int })) },
    ({ items }) => ({ lines: items.map((item) => ({ item, count: 1 })) })
  )
)
const fourth = third.pipe(
  Event.next(
    { lines: Schema.ReadonlyMap(Schema.String, Schema.Int), total: Schema.BigInt },
    ({ lines }) => ({
      lines: new Map(lines.map(({ count, item }) => [item, count])),
      total: BigInt(lines.reduce((sum, { count }) => sum + count, 0))
    })
  )
)
const Noted = { note: Schema.String }
const definitions = [first, second, third, fourth].map((Ordered) => Event.set({ Ordered, Noted }))
const current = Event.set({ Ordered: fourth, Noted })

/** An event of some definition, and what it is by the newest, worked out by hand. */
const events = fc.oneof(
  fc.string().map((item) => ({ version: 1, data: { item }, now: order([[item, 1]]) })),
  fc.array(fc.string(), { maxLength: 3 }).map((items) => ({
    version: 2,
    data: { items },
    now: order(items.map((item) => [item, 1]))
  })),
  fc.array(fc.tuple(fc.string(), fc.nat(9)), { maxLength: 3 }).map((lines) => ({
    version: 3,
    data: { lines: lines.map(([item, count]) => ({ item, count })) },
    now: order(lines)
  })),
  fc.tuple(fc.array(fc.tuple(fc.string(), fc.nat(9)), { maxLength: 3 }), fc.bigInt()).map((
    [lines, total]
  ) => ({
    version: 4,
    data: { lines: new Map(lines), total },
    now: { _tag: "Ordered", lines: new Map(lines), total }
  })),
  fc.string().map((note) => ({ version: 0, data: { note }, now: { _tag: "Noted", note } }))
)

const order = (lines: ReadonlyArray<readonly [string, number]>) => ({
  _tag: "Ordered",
  lines: new Map(lines),
  total: BigInt(lines.reduce((sum, [, count]) => sum + count, 0))
})

const layers = {
  memory: Effect.succeed(Memory.layer),
  sqlite: Effect.map(file, (filename) => Sqlite.layer({ filename, synchronous: "OFF" }))
}

describe("promise 8: evolution", () => {
  for (const [adapter, layer] of Object.entries(layers)) {
    test(
      `on ${adapter}, reading page by page, at once and one by one give the same, whoever wrote it`,
      () =>
        fc.assert(
          fc.asyncProperty(
            fc.array(events, { minLength: 1, maxLength: 30 }),
            fc.integer({ min: 1, max: 7 }),
            (written, page) =>
              Effect.runPromise(Effect.scoped(Effect.gen(function* () {
                const store = Context.get(
                  yield* Layer.build(Layer.fresh(yield* layer)),
                  EventStore.EventStore
                )
                for (const { data, version } of written) {
                  const set = definitions[version === 0 ? 3 : version - 1]!
                  const event = { _tag: version === 0 ? "Noted" : "Ordered", ...data } as never
                  yield* store.append(set, [{ stream: "s", events: [event] }])
                }
                const expected: ReadonlyArray<unknown> = written.map(({ now }) => now)
                const values = (options: EventStore.ReadOptions) =>
                  Effect.map(
                    Stream.runCollect(store.read(current, "s", options)),
                    (all) => all.map(({ data }) => data)
                  )

                expect<unknown>(yield* values({})).toStrictEqual(expected)
                expect<unknown>((yield* values({ direction: "backwards" })).toReversed()).toStrictEqual(
                  expected
                )
                const paged: Array<unknown> = []
                for (let from = 1; from <= written.length; from += page) {
                  paged.push(...(yield* values({ from, limit: page })))
                }
                expect(paged).toStrictEqual([...expected])
                const { events: stored } = yield* store.driver.readLog({ after: 0, limit: 99, queries: [] })
                expect<unknown>(stored.map((event) => Event.decode(current, event))).toStrictEqual(expected)
                // what was written is not rewritten
                expect(stored.map(({ version }) => version)).toEqual(
                  written.map(({ version }) => version || 1)
                )
                const logged = yield* Stream.runCollect(store.log(current))
                expect<unknown>(logged.map(({ data }) => data)).toStrictEqual(expected)
              })))
          ),
          { numRuns: adapter === "memory" ? 200 : 40 }
        ),
      20_000
    )
  }

  test("a stream longer than a page is upcast like a short one", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const items = Array.from({ length: 1_300 }, (_, i) => `${i}`)
        yield* store.append(definitions[0]!, [{
          stream: "s",
          events: items.map((item) => ({ _tag: "Ordered", item }) as never)
        }])
        const read = yield* Stream.runCollect(store.read(current, "s"))
        expect<unknown>(read.map(({ data }) => data)).toStrictEqual(items.map((item) => order([[item, 1]])))
      }).pipe(Effect.provide(Memory.layer))
    ))

  test("an upcast may give the same frozen value for every event, which is left as it is", () => {
    const constant = Object.freeze({ currency: "EUR" })
    const old = Event.make({ owner: Schema.String })
    const set = Event.set({ A: old.pipe(Event.next({ currency: Schema.String }, () => constant)) })
    const { data } = Result.getOrThrow(
      Event.encode(Event.set({ A: old }), { _tag: "A", owner: "ann" } as const)
    )
    for (let i = 0; i < 2; i++) {
      expect(Event.decode(set, { type: "A", version: 1, data })).toStrictEqual({ _tag: "A", currency: "EUR" })
    }
    expect<object>(constant).toStrictEqual({ currency: "EUR" })
  })

  test("tags are those of the definition that wrote the event", () => {
    const tagged = first.pipe(Event.tagged(({ item }) => [`item:${item}`]))
    const retagged = tagged.pipe(
      Event.next({ items: Schema.Array(Schema.String) }, ({ item }) => ({ items: [item] })),
      Event.tagged(({ items }) => items.map((item) => `items:${item}`))
    )
    const tags = (set: Event.Set<never>, event: unknown) =>
      Result.getOrThrow(Event.encode(set, event as never)).tags
    expect(tags(Event.set({ O: tagged }) as never, { _tag: "O", item: "a" })).toEqual(["item:a"])
    expect(tags(Event.set({ O: retagged }) as never, { _tag: "O", items: ["a", "b"] })).toEqual([
      "items:a",
      "items:b"
    ])
  })
})
