// Bad input: each kind is refused with an error that names what and where, and nothing is written.
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { EventStore } from "../../event/EventStore.ts"
import type { EventStoreError } from "../../event/EventStoreError.ts"
import { type Case, equal, holds } from "../Contract.ts"
import { append, count, counted, events, labelled, log, opened, refused, topic } from "./fixture.ts"

type Attempt = (store: EventStore) => Effect.Effect<unknown, EventStoreError>

const writing = (stream: unknown, values: ReadonlyArray<unknown>, options: object = {}): Attempt => (store) =>
  append(store, stream as string, values as ReadonlyArray<ReturnType<typeof counted>>, options)

const condition = (condition: unknown): Attempt => (store) =>
  store.append(events, [{ stream: "s", events: count(1, 1) }], { condition: condition as never })

const attempts: { readonly [name: string]: readonly [at: string, attempt: Attempt] } = {
  "no stream at all": ["writes", (store) => store.append(events, [])],
  "an empty stream name": ["writes[0].stream", writing("", count(1, 1))],
  "a stream name that is not a text": ["writes[0].stream", writing(7, count(1, 1))],
  "a stream name that is missing": ["writes[0].stream", writing(undefined, count(1, 1))],
  "a stream name of 256 characters": ["writes[0].stream", writing("x".repeat(256), count(1, 1))],
  "a stream name with half a surrogate pair": ["writes[0].stream", writing("a\ud800", count(1, 1))],
  "a stream name with a NUL": ["writes[0].stream", writing("a\0b", count(1, 1))],
  "a stream named twice": [
    "writes[1].stream",
    (store) =>
      store.append(events, [{ stream: "s", events: count(1, 1) }, { stream: "s", events: count(2, 2) }])
  ],
  "no event": ["writes[0].events", writing("s", [])],
  "an event of an unknown type": ["writes[0].events[1]", writing("s", [counted(1), { _tag: "Nope" }])],
  "an event without a type": ["writes[0].events[0]", writing("s", [{ n: 1 }])],
  "an event that is null": ["writes[0].events[0]", writing("s", [null])],
  "an event that is a text": ["writes[0].events[0]", writing("s", ["Counted"])],
  "a field of the wrong type": ["writes[0].events[0]", writing("s", [{ _tag: "Counted", n: "1" }])],
  "a missing field": ["writes[0].events[0]", writing("s", [{ _tag: "Counted" }])],
  "an event of 10 MB": ["writes[0].events[0]", writing("s", [opened("x".repeat(10_000_000))])],
  "an empty tag": ["writes[0].events[0].tags[1]", writing("s", [labelled("a", "")])],
  "a tag of 256 characters": ["writes[0].events[0].tags[0]", writing("s", [labelled("x".repeat(256))])],
  "a tag with half a surrogate pair": ["writes[0].events[0].tags[0]", writing("s", [labelled("\udc00")])],
  "an empty id": ["writes[0].events[0].id", writing("s", count(1, 1), { ids: [""] })],
  "an id that is not a text": ["writes[0].events[0].id", writing("s", count(1, 1), { ids: [1] })],
  "an id used twice": ["writes[0].events[1].id", writing("s", count(1, 2), { ids: ["a", "a"] })],
  "fewer ids than events": ["writes[0].ids", writing("s", count(1, 2), { ids: ["a"] })],
  "a negative expected revision": ["writes[0].expected", writing("s", count(1, 1), { expected: -1 })],
  "a broken expected revision": ["writes[0].expected", writing("s", count(1, 1), { expected: 1.5 })],
  "an expected revision that is not a number": [
    "writes[0].expected",
    writing("s", count(1, 1), { expected: NaN })
  ],
  "an unknown expectation": ["writes[0].expected", writing("s", count(1, 1), { expected: "some" })],
  "a condition after a negative position": ["condition.after", condition({ query: {}, after: -1 })],
  "a condition without a position": ["condition.after", condition({ query: {} })],
  "a condition without a query": ["condition.query", condition({ query: [], after: 0 })],
  "reading an empty stream name": ["stream", (store) => Stream.runDrain(store.read(events, ""))],
  "reading from a negative revision": [
    "from",
    (store) => Stream.runDrain(store.read(events, "s", { from: -1 }))
  ],
  "reading a negative number of events": [
    "limit",
    (store) => Stream.runDrain(store.read(events, "s", { limit: -5 }))
  ],
  "reading as of a broken revision": [
    "atRevision",
    (store) => Stream.runDrain(store.read(events, "s", { atRevision: 0.5 }))
  ],
  "reading as of no time": [
    "atTime",
    (store) => Stream.runDrain(store.read(events, "s", { atTime: new Date("?") }))
  ],
  "reading sideways": [
    "direction",
    (store) => Stream.runDrain(store.read(events, "s", { direction: "sideways" as "forwards" }))
  ],
  "reading the log after no position": [
    "after",
    (store) => Stream.runDrain(store.log(events, { after: NaN }))
  ],
  "subscribing after a negative position": [
    "after",
    (store) => Stream.runDrain(store.subscribe(events, { after: -1 }))
  ]
}

export const badInput: ReadonlyArray<Case<EventStore>> = topic(
  "bad input",
  Object.fromEntries(
    Object.entries(attempts).map(([name, [at, attempt]]) => [
      `${name} is refused at ${at}`,
      (store) =>
        Effect.gen(function* () {
          const reason = yield* refused("InvalidInput", attempt(store))
          yield* equal("where", reason.at, at)
          yield* holds("it says what is wrong", reason.problem.length > 0)
          yield* equal("log", yield* log(store), [])
        })
    ])
  )
)
