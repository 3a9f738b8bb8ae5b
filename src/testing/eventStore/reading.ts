// Reading streams and the log, live subscriptions (promise 6), undecodable events (7), evolution (8), snapshots.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Event from "../../event/Event.ts"
import type { EventStore, LogOptions, ReadOptions } from "../../event/EventStore.ts"
import * as Metadata from "../../event/Metadata.ts"
import { type Case, equal, holds } from "../Contract.ts"
import {
  append,
  count,
  counted,
  events,
  labelled,
  log,
  numbers,
  opened,
  read,
  refused,
  topic
} from "./fixture.ts"

const ways: ReadonlyArray<readonly [string, ReadOptions, ReadonlyArray<number>]> = [
  ["forwards", {}, [1, 2, 3, 4, 5]],
  ["backwards", { direction: "backwards" }, [5, 4, 3, 2, 1]],
  ["from a revision", { from: 3 }, [3, 4, 5]],
  ["from revision 0", { from: 0 }, [1, 2, 3, 4, 5]],
  ["from past the end", { from: 6 }, []],
  ["backwards from a revision", { direction: "backwards", from: 3 }, [3, 2, 1]],
  ["backwards from past the end", { direction: "backwards", from: 9 }, [5, 4, 3, 2, 1]],
  ["backwards from revision 0", { direction: "backwards", from: 0 }, []],
  ["with a limit", { limit: 2 }, [1, 2]],
  ["with a limit of 0", { limit: 0 }, []],
  ["backwards with a limit", { direction: "backwards", limit: 2 }, [5, 4]],
  ["as of a revision", { atRevision: 2 }, [1, 2]],
  ["as of revision 0", { atRevision: 0 }, []],
  ["as of a revision to come", { atRevision: 9 }, [1, 2, 3, 4, 5]],
  ["backwards as of a revision with a limit", { direction: "backwards", atRevision: 4, limit: 2 }, [4, 3]]
]

export const streams: ReadonlyArray<Case<EventStore>> = [
  ...topic(
    "reading a stream",
    Object.fromEntries(ways.map(([name, options, expected]) => [
      name,
      (store) =>
        Effect.gen(function* () {
          yield* append(store, "other", count(8, 9))
          yield* append(store, "s", count(1, 5))
          yield* equal("read", numbers(yield* read(store, "s", options)), expected)
        })
    ]))
  ),
  ...topic("reading a stream", {
    "a stream without events is empty": (store) =>
      Effect.flatMap(read(store, "s"), (all) => equal("events", all, [])),
    "streams longer than a page are read whole, in either direction": (store) =>
      Effect.gen(function* () {
        for (let i = 0; i < 3; i++) yield* append(store, "s", count(i * 500 + 1, i * 500 + 500))
        const forwards = numbers(yield* read(store, "s"))
        yield* equal("forwards", forwards, Array.from({ length: 1500 }, (_, i) => i + 1))
        yield* equal(
          "backwards",
          numbers(yield* read(store, "s", { direction: "backwards" })),
          forwards.toReversed()
        )
        yield* equal("limit", (yield* read(store, "s", { limit: 1030 })).length, 1030)
        yield* equal("as of", (yield* read(store, "s", { atRevision: 1030 })).length, 1030)
      }),
    "as of a time gives the events recorded until then, and times never fall": (store) =>
      Effect.gen(function* () {
        for (let i = 1; i <= 4; i++) {
          yield* append(store, "s", count(i, i))
          yield* Effect.sleep("3 millis")
        }
        const all = yield* read(store, "s")
        for (const [i, { recordedAt }] of all.entries()) {
          yield* holds("a time fell", i === 0 || recordedAt >= all[i - 1]!.recordedAt)
          const until = all.filter((event) => event.recordedAt <= recordedAt)
          yield* equal(
            "as of a number",
            numbers(yield* read(store, "s", { atTime: recordedAt })),
            numbers(until)
          )
          yield* equal(
            "as of a Date",
            numbers(yield* read(store, "s", { atTime: new Date(recordedAt) })),
            numbers(until)
          )
        }
        yield* equal("before the first", yield* read(store, "s", { atTime: all[0]!.recordedAt - 1 }), [])
        const [newest] = yield* read(store, "s", {
          atTime: all[1]!.recordedAt,
          direction: "backwards",
          limit: 1
        })
        yield* equal(
          "newest as of a time",
          newest!.revision,
          all.findLast((e) => e.recordedAt <= all[1]!.recordedAt)!.revision
        )
      }),
    "an event comes back as it was written": (store) =>
      Effect.gen(function* () {
        const names = [
          "",
          "ünï ☃ 𝄞",
          "quote\"'\\",
          "line\nbreak\ttab",
          "nul\0 and half \ud800 pair",
          "x".repeat(500_000)
        ]
        yield* append(store, "ünï ☃ 𝄞", names.map(opened))
        const all = yield* read(store, "ünï ☃ 𝄞")
        yield* equal("names", all.map(({ data }) => data._tag === "Opened" ? data.name : ""), names)
        const odd = [0, -0, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, NaN, Infinity, -Infinity]
        yield* append(store, "n", odd.map(counted))
        yield* equal("numbers", numbers(yield* read(store, "n")).map(String), odd.map(String))
      }),
    "metadata is taken from the context, and tags from the event": (store) =>
      Effect.gen(function* () {
        const metadata = {
          correlationId: "c",
          causationId: "k",
          actor: "ann",
          tenant: "t",
          idempotencyKey: "i"
        }
        yield* append(store, "s", [labelled("b", "a")]).pipe(
          Metadata.provide({ actor: "bob" }),
          Metadata.provide(metadata)
        )
        const [event] = yield* read(store, "s")
        yield* equal("metadata", event!.metadata, { ...metadata, actor: "bob" })
        yield* equal("tags", event!.tags, ["b", "a"])
        yield* append(store, "s", [opened("x")])
        yield* equal("no metadata", (yield* read(store, "s"))[1]!.metadata, {})
      })
  })
]

const written: ReadonlyArray<readonly [stream: string, ...tags: ReadonlyArray<string>]> = [
  ["a-1", "red", "big"],
  ["a-2"],
  ["b-1", "red"],
  ["b-2", "big"],
  ["a-3", "big", "red"]
]

const logWays: ReadonlyArray<
  readonly [string, LogOptions & { readonly limit?: number }, ReadonlyArray<string>]
> = [
  ["everything", {}, ["a-1", "a-2", "b-1", "b-2", "a-3"]],
  ["by stream prefix", { streamPrefix: "a-" }, ["a-1", "a-2", "a-3"]],
  ["by a prefix that holds wildcards", { streamPrefix: "_-" }, []],
  ["by one tag", { tags: ["red"] }, ["a-1", "b-1", "a-3"]],
  ["by all of its tags", { tags: ["red", "big"] }, ["a-1", "a-3"]],
  ["by tag and prefix", { tags: ["red"], streamPrefix: "b-" }, ["b-1"]],
  ["by an unknown tag", { tags: ["re"] }, []],
  ["with a limit", { limit: 2 }, ["a-1", "a-2"]],
  ["with a limit and a filter", { limit: 2, tags: ["red"] }, ["a-1", "b-1"]],
  ["with a limit of 0", { limit: 0 }, []]
]

export const theLog: ReadonlyArray<Case<EventStore>> = [
  ...topic(
    "reading the log",
    Object.fromEntries(logWays.map(([name, options, expected]) => [
      name,
      (store) =>
        Effect.gen(function* () {
          for (const [stream, ...tags] of written) yield* append(store, stream, [labelled(...tags)])
          const found = yield* log(store, options)
          yield* equal("streams", found.map(({ stream }) => stream), [...expected])
        })
    ]))
  ),
  ...topic("reading the log", {
    "only the asked types are read": (store) =>
      Effect.gen(function* () {
        yield* append(store, "s", [opened("x"), counted(1), opened("y"), counted(2)])
        const only = Event.set({ Opened: { name: Schema.String } })
        const names = yield* Stream.runCollect(store.log(only))
        yield* equal("names", names.map(({ data }) => data.name), ["x", "y"])
      }),
    "after a position": (store) =>
      Effect.gen(function* () {
        yield* append(store, "s", count(1, 5))
        const { position } = (yield* log(store))[2]!
        yield* equal("rest", numbers(yield* log(store, { after: position })), [4, 5])
        yield* equal("nothing", yield* log(store, { after: yield* store.head }), [])
        yield* equal("after the end", yield* log(store, { after: 1_000_000 }), [])
      }),
    "an empty log is at position 0": (store) =>
      Effect.gen(function* () {
        yield* equal("head", yield* store.head, 0)
        yield* equal("log", yield* log(store), [])
      }),
    "more than a page, with matches far apart": (store) =>
      Effect.gen(function* () {
        for (let i = 0; i < 4; i++) {
          yield* append(store, "s", count(1, 500))
          yield* append(store, `mark-${i}`, [labelled("mark")])
        }
        yield* equal("all", (yield* log(store)).length, 2004)
        yield* equal("marks", (yield* log(store, { tags: ["mark"] })).map(({ stream }) => stream), [
          "mark-0",
          "mark-1",
          "mark-2",
          "mark-3"
        ])
      })
  })
]

export const subscription: ReadonlyArray<Case<EventStore>> = topic("subscription", {
  "catches up and goes live with no gap and no repeat while others write": (store) =>
    Effect.gen(function* () {
      yield* append(store, "old", count(1, 700))
      const reader = yield* store.subscribe(events).pipe(
        Stream.take(1000),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* Effect.forEach(
        Array.from({ length: 300 }, (_, i) => i),
        (i) => append(store, `new-${i % 5}`, count(i, i)),
        { concurrency: 16 }
      )
      const seen = yield* Fiber.join(reader)
      yield* equal("the same as the log", seen.map(({ id }) => id), (yield* log(store)).map(({ id }) => id))
    }),
  "from a position sees only what comes after it, as it is written": (store) =>
    Effect.gen(function* () {
      yield* append(store, "s", count(1, 3))
      const reader = yield* store.subscribe(events, { after: yield* store.head }).pipe(
        Stream.take(2),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* Effect.sleep("5 millis")
      yield* append(store, "s", count(4, 4))
      yield* Effect.sleep("5 millis")
      yield* append(store, "s", count(5, 6))
      yield* equal("seen", numbers(yield* Fiber.join(reader)), [4, 5])
    }),
  "sees only what it asks for": (store) =>
    Effect.gen(function* () {
      const reader = yield* store.subscribe(events, { tags: ["x"], streamPrefix: "a-" }).pipe(
        Stream.take(2),
        Stream.runCollect,
        Effect.forkChild
      )
      for (const stream of ["a-1", "b-1", "a-2"]) {
        yield* append(store, stream, [counted(1), labelled("y"), labelled("x")])
      }
      yield* equal("seen", (yield* Fiber.join(reader)).map(({ revision, stream }) => [stream, revision]), [
        ["a-1", 3],
        ["a-2", 3]
      ])
    }),
  "can be interrupted while it waits, and others go on": (store) =>
    Effect.gen(function* () {
      const follow = store.subscribe(events).pipe(Stream.take(1), Stream.runCollect)
      const [first, second] = [yield* Effect.forkChild(follow), yield* Effect.forkChild(follow)]
      yield* Effect.sleep("5 millis")
      yield* Fiber.interrupt(first)
      yield* append(store, "s", count(1, 1))
      yield* equal("seen", numbers(yield* Fiber.join(second)), [1])
    })
})

const put = (
  store: EventStore,
  fields: { readonly type: string; readonly version?: number; readonly data: string }
) =>
  Effect.flatMap(store.head, (head) =>
    store.commit({
      streams: [{
        stream: "s",
        expected: "any",
        events: [{ id: `raw-${head}`, version: 1, tags: [], metadata: "{}", ...fields }]
      }],
      condition: undefined
    }))

const undecodables = {
  "of an unknown type": { type: "Vanished", data: "{}" },
  "of an unknown version": { type: "Counted", version: 2, data: '{"n":1}' },
  "of version 0": { type: "Counted", version: 0, data: '{"n":1}' },
  "whose data does not fit": { type: "Counted", data: '{"n":"one"}' },
  "whose data is missing a field": { type: "Counted", data: "{}" }
}

export const undecodable: ReadonlyArray<Case<EventStore>> = topic(
  "undecodable",
  Object.fromEntries(
    Object.entries(undecodables).map(([name, fields]) => [
      `an event ${name} fails the reading with its stream, revision and type, after the events before it`,
      (store) =>
        Effect.gen(function* () {
          yield* append(store, "s", count(1, 2))
          yield* put(store, fields)
          yield* append(store, "s", count(3, 3))
          const seen: Array<number> = []
          const reason = yield* refused(
            "Undecodable",
            Stream.runForEach(
              store.read(events, "s"),
              (event) => Effect.sync(() => seen.push(...numbers([event])))
            )
          )
          yield* equal("seen before it", seen, [1, 2])
          yield* equal("what it names", [reason.stream, reason.revision, reason.type, reason.version], [
            "s",
            3,
            fields.type,
            "version" in fields ? fields.version : 1
          ])
          yield* holds("it gives the issue", reason.issue.length > 0)
          yield* equal("after it", numbers(yield* read(store, "s", { from: 4 })), [3])
        })
    ])
  )
)

export const evolution: ReadonlyArray<Case<EventStore>> = topic("evolution", {
  "events written by older definitions are brought to the current version through the chain": (store) =>
    Effect.gen(function* () {
      const first = Event.make({ owner: Schema.String })
      const second = first.pipe(
        Event.next({ owner: Schema.String, cents: Schema.Int }, ({ owner }) => ({ owner, cents: 0 }))
      )
      const third = second.pipe(
        Event.next(
          { owners: Schema.Array(Schema.String), opened: Schema.Date, cents: Schema.Int },
          ({ cents, owner }) => ({
            owners: [owner],
            opened: new Date(0),
            cents
          })
        )
      )
      const sets = [
        Event.set({ Account: first }),
        Event.set({ Account: second }),
        Event.set({ Account: third })
      ] as const
      const opened = new Date(86_400_000)
      yield* store.append(sets[0], [{ stream: "s", events: [{ _tag: "Account", owner: "ann" }] }])
      yield* store.append(sets[1], [{ stream: "s", events: [{ _tag: "Account", owner: "bob", cents: 5 }] }])
      yield* store.append(sets[2], [{
        stream: "s",
        events: [{ _tag: "Account", owners: ["cy"], opened, cents: 7 }]
      }])
      const all = yield* Stream.runCollect(store.read(sets[2], "s"))
      yield* equal("versions", all.map(({ version }) => version), [1, 2, 3])
      yield* equal(
        "values",
        all.map(({ data: { cents, opened, owners } }) => [owners[0], opened.getTime(), cents]),
        [
          ["ann", 0, 0],
          ["bob", 0, 5],
          ["cy", 86_400_000, 7]
        ]
      )
      yield* refused("Undecodable", Stream.runDrain(store.read(sets[1], "s")))
      yield* refused("Undecodable", Stream.runDrain(store.read(sets[0], "s", { from: 2 })))
    }),
  "an upcast that throws or makes something else than its version fails as undecodable": (store) =>
    Effect.gen(function* () {
      const old = Event.make({ n: Schema.Number })
      yield* store.append(Event.set({ E: old }), [{ stream: "s", events: [{ _tag: "E", n: 1 }] }])
      const wrong = Event.set({
        E: old.pipe(Event.next({ n: Schema.String }, (({ n }: { n: number }) => ({ n })) as never))
      })
      yield* refused("Undecodable", Stream.runDrain(store.read(wrong, "s")))
      const throwing = Event.set({
        E: old.pipe(Event.next({ n: Schema.String }, () => {
          throw new Error("cannot upcast")
        }))
      })
      const { issue } = yield* refused("Undecodable", Stream.runDrain(store.read(throwing, "s")))
      yield* holds(`the issue is named: ${issue}`, issue.includes("cannot upcast"))
    })
})

export const snapshots: ReadonlyArray<Case<EventStore>> = topic("snapshots", {
  "the newest snapshot of a stream is kept": (store) =>
    Effect.gen(function* () {
      const { readSnapshot, writeSnapshot } = store.driver
      yield* equal("at first", yield* readSnapshot("s"), undefined)
      const snapshot = { revision: 3, position: 7, fingerprint: "f", state: '{"a":"ünï ☃"}' }
      yield* writeSnapshot("s", snapshot)
      yield* equal("once written", yield* readSnapshot("s"), snapshot)
      yield* writeSnapshot("s", { ...snapshot, revision: 9 })
      yield* equal("once replaced", (yield* readSnapshot("s"))?.revision, 9)
      yield* equal("of another stream", yield* readSnapshot("t"), undefined)
    })
})
