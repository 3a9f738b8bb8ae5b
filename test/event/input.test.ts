/** Bad input that the contract does not hold: queries, tags functions and encoded events, alike on every adapter. */
import { describe, expect, test } from "bun:test"
import { Event, EventStore, type EventStoreError } from "dunnock"
import * as Memory from "dunnock/memory"
import * as Sqlite from "dunnock/sqlite"
import { Effect, Schema, Stream } from "effect"
import { file } from "../contract/scratch.ts"

const Counted = Event.make({ n: Schema.Int })
const events = Event.set({ Counted: Counted.pipe(Event.tagged(({ n }) => [`n:${n}`])) })
const one = { _tag: "Counted", n: 1 } as const

type Attempt = (store: EventStore.EventStore) => Effect.Effect<unknown, EventStoreError.EventStoreError>

const condition = (query: unknown): Attempt => (store) =>
  store.append(events, [{ stream: "s", events: [one] }], { condition: { query: query as never, after: 0 } })

const log = (options: object): Attempt => (store) => Stream.runDrain(store.log(events, options))

const subscribe = (options: object): Attempt => (store) => Stream.runDrain(store.subscribe(events, options))

const tagged = (tags: () => unknown): Attempt => (store) => {
  const set = Event.set({ Counted: Counted.pipe(Event.tagged(tags as never)) })
  return store.append(set, [{ stream: "s", events: [one] }])
}

const commit = (fields: object): Attempt => (store) => {
  const event = { id: undefined, type: "Counted", version: 1, data: '{"n":1}', metadata: "{}", tags: [] }
  return store.commit({
    streams: [{ stream: "s", expected: "any", events: [{ ...event, ...fields }] }],
    condition: undefined
  })
}

const attempts: Record<string, readonly [at: string, attempt: Attempt]> = {
  "a query that is null": ["condition.query[0]", condition([null])],
  "a query that is a text": ["condition.query[1]", condition([{}, "x"])],
  "a prefix that is a number": ["condition.query[0].streamPrefix", condition({ streamPrefix: 7 })],
  "a prefix with half a surrogate pair": [
    "condition.query[0].streamPrefix",
    condition({ streamPrefix: "\ud800" })
  ],
  "a prefix with a NUL": ["condition.query[0].streamPrefix", condition({ streamPrefix: "a\0" })],
  "tags that are a text": ["condition.query[0].tags", condition({ tags: "x" })],
  "tags that are null": ["condition.query[0].tags", condition({ tags: null })],
  "a tag that is a number": ["condition.query[1].tags[1]", condition([{}, { tags: ["x", 7] }])],
  "an empty tag": ["condition.query[0].tags[0]", condition({ tags: [""] })],
  "types that are a text": ["condition.query[0].types", condition({ types: "Counted" })],
  "a type that is an object": ["condition.query[0].types[0]", condition({ types: [{}] })],
  "a prefix of the log that is a number": ["streamPrefix", log({ streamPrefix: 7 })],
  "tags of the log that are a text": ["tags", log({ tags: "x" })],
  "a tag of the log that is an object": ["tags[0]", log({ tags: [{}] })],
  "a prefix to subscribe to that is a number": ["streamPrefix", subscribe({ streamPrefix: 7 })],
  "tags to subscribe to that are null": ["tags", subscribe({ tags: null })],
  "a tags function that gives a text": ["writes[0].events[0].tags", tagged(() => "x")],
  "a tags function that gives nothing": ["writes[0].events[0].tags", tagged(() => undefined)],
  "a tags function that throws": [
    "writes[0].events[0]",
    tagged(() => {
      throw new Error("no tags")
    })
  ],
  "an encoded event without a type": ["writes[0].events[0].type", commit({ type: "" })],
  "an encoded event of half a type": ["writes[0].events[0].type", commit({ type: "A\ud800" })]
}

const layers = {
  memory: Effect.succeed(Memory.layer),
  sqlite: Effect.map(file, (filename) => Sqlite.layer({ filename, synchronous: "OFF" }))
}

const withStore = <A>(
  adapter: keyof typeof layers,
  body: (store: EventStore.EventStore) => Effect.Effect<A, unknown>
) =>
  Effect.runPromise(Effect.scoped(
    Effect.flatMap(layers[adapter], (layer) =>
      Effect.provide(Effect.flatMap(EventStore.EventStore, body), layer))
  ))

for (const adapter of ["memory", "sqlite"] as const) {
  describe(`bad input, ${adapter}`, () => {
    for (const [name, [at, attempt]] of Object.entries(attempts)) {
      test(`${name} is refused at ${at}`, () =>
        withStore(adapter, (store) =>
          Effect.gen(function* () {
            yield* store.append(events, [{ stream: "before", events: [one] }])
            const { reason } = yield* Effect.flip(attempt(store))
            expect(reason).toMatchObject({ _tag: "InvalidInput", at })
            expect(yield* store.head).toBe(1)
          })))
    }
  })
}

// SQLite bounds the depth of an expression.
for (const adapter of ["memory", "sqlite"] as const) {
  test(`a condition of 2,000 queries, or of 2,000 tags, is decided, ${adapter}`, () =>
    withStore(adapter, (store) =>
      Effect.gen(function* () {
        yield* store.append(events, [{ stream: "before", events: [one] }])
        const tags = Array.from({ length: 2_000 }, (_, i) => `n:${i + 2}`)
        const queries = tags.map((tag) => ({ tags: [tag] }))
        const { reason } = yield* Effect.flip(condition([...queries, { tags: ["n:1"] }])(store))
        expect(reason._tag).toBe("ConditionFailed")
        yield* condition(queries)(store)
        yield* condition({ tags: ["n:1", ...tags] })(store)
        expect(yield* store.head).toBe(3)
      })))
}
