// Documents that are written in the transaction of an append.
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Event from "../../event/Event.ts"
import type { EventStore, Write as EventWrite } from "../../event/EventStore.ts"
import type { Inline, StoredEvent } from "../../event/EventStoreDriver.ts"
import { EventStoreError, InlineFailed, type Reason } from "../../event/EventStoreError.ts"
import type { StoredDocument } from "../../repository/DocumentStore.ts"
import { Broken, type Case, equal, holds } from "../Contract.ts"
import {
  dataOf,
  del,
  found,
  getOne,
  later,
  mustGet,
  numbers,
  others,
  place,
  put,
  remove,
  type Services,
  things,
  topic,
  withStores
} from "./fixture.ts"

const events = Event.set({ Added: { n: Schema.Number } })
type Added = EventWrite<{ readonly _tag: "Added"; readonly n: number }>

const added = (...ns: ReadonlyArray<number>) => ns.map((n) => ({ _tag: "Added", n }) as const)

const append = (store: EventStore, stream: string, ns: ReadonlyArray<number>, options: Partial<Added> = {}) =>
  store.append(events, [{ stream, events: added(...ns), ...options }])

const nOf = ({ data }: StoredEvent): number => (JSON.parse(data) as { readonly n: number }).n

interface Sum {
  readonly n: number
  readonly events: number
}

const sumOf = (document: StoredDocument | undefined): Sum =>
  document === undefined ? { n: 0, events: 0 } : dataOf(document) as Sum

/** The sum of each stream, in a document with its name, written as of the version that was read. */
const sums: Inline = {
  read: (events) => [{ collection: things, ids: streamsOf(events) }],
  write: (events, [documents = []]) =>
    streamsOf(events).map((stream, i) => {
      const before = documents[i]
      const sum = events.filter((event) => event.stream === stream).reduce<Sum>(
        (sum, event) => ({ n: sum.n + nOf(event), events: sum.events + 1 }),
        sumOf(before)
      )
      const last = events.findLast((event) => event.stream === stream)!
      return put(stream, sum, { expected: before?.version ?? 0, position: last.position })
    })
}

const streamsOf = (events: ReadonlyArray<StoredEvent>) => [...new Set(events.map(({ stream }) => stream))]

/** The reason for which an append fails. */
const refusal = (effect: Effect.Effect<unknown, EventStoreError>): Effect.Effect<Reason, Broken> =>
  Effect.matchEffect(effect, {
    onSuccess: () => Effect.fail(new Broken({ message: "the append succeeded" })),
    onFailure: ({ reason }) => Effect.succeed(reason)
  })

/** Writes nothing but fails whenever a 13 is added. */
const superstitious: Inline = {
  read: () => [],
  write: (events) => {
    if (events.some((event) => nOf(event) === 13)) {
      throw new EventStoreError({ reason: new InlineFailed({ projection: "superstitious", problem: "13" }) })
    }
    return []
  }
}

export const inline: ReadonlyArray<Case<Services>> = [
  ...topic("inline", {
    "documents are written with the append, and are there when it returns": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* store.addInline(sums)
        const [receipt] = yield* append(store, "a", [1, 2])
        const first = yield* mustGet(documents, "a")
        yield* equal<unknown>("sum", dataOf(first), { n: 3, events: 2 })
        yield* equal("version and position", [first.version, first.position], [1, receipt!.position])
        yield* append(store, "a", [5])
        const second = yield* mustGet(documents, "a")
        yield* equal<unknown>("next sum", dataOf(second), { n: 8, events: 3 })
        yield* equal("created", [second.version, second.createdAt], [2, first.createdAt])
      }),
    "what is given are the events as they are in the log, and the position before them": (
      { events: store }
    ) =>
      Effect.gen(function* () {
        const seen: Array<{ readonly events: ReadonlyArray<StoredEvent>; readonly before: number }> = []
        yield* append(store, "a", [1])
        yield* store.addInline({
          read: () => [],
          write: (events, _, before) => {
            seen.push({ events, before })
            return []
          }
        })
        const before = yield* store.head
        yield* store.append(events, [
          { stream: "b", events: added(1, 2), ids: ["one", "two"] },
          { stream: "a", events: added(3) }
        ])
        const last = seen[seen.length - 1]
        if (last === undefined) return yield* new Broken({ message: "it was not asked what to write" })
        const { events: logged } = yield* store.driver.readLog({ after: before, limit: 10, queries: [] })
        yield* equal("before", last.before, before)
        yield* equal<unknown>("events", last.events.map(fields), logged.map(fields))
      }),
    "an append that is refused writes no documents": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* store.addInline(sums)
        yield* append(store, "a", [1])
        const { _tag } = yield* refusal(append(store, "a", [2], { expected: "none" }))
        yield* equal("reason", _tag, "Conflict")
        yield* equal<unknown>("sum", dataOf(yield* mustGet(documents, "a")), { n: 1, events: 1 })
      }),
    "an append that is repeated writes no documents again": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* store.addInline(sums)
        const first = yield* append(store, "a", [1, 2], { ids: ["x", "y"] })
        yield* equal("receipts", yield* append(store, "a", [1, 2], { ids: ["x", "y"] }), first)
        yield* equal<unknown>("sum", dataOf(yield* mustGet(documents, "a")), { n: 3, events: 2 })
      }),
    "when it fails, neither events nor documents are written": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* store.addInline(sums)
        yield* store.addInline(superstitious)
        yield* append(store, "a", [1])
        const head = yield* store.head
        const { _tag, message } = yield* refusal(append(store, "a", [2, 13]))
        yield* equal("reason", _tag, "InlineFailed")
        yield* equal("names it", message.includes("superstitious"), true)
        yield* equal("head", yield* store.head, head)
        yield* equal<unknown>("sum", dataOf(yield* mustGet(documents, "a")), { n: 1, events: 1 })
        yield* append(store, "a", [3])
        yield* equal<unknown>("next sum", dataOf(yield* mustGet(documents, "a")), { n: 4, events: 2 })
        yield* equal(
          "events",
          (yield* store.driver.readLog({ after: 0, limit: 9, queries: [] })).events.length,
          2
        )
      }),
    "when it writes what is not at the version it expects, nothing is written": (
      { documents, events: store }
    ) =>
      Effect.gen(function* () {
        yield* documents.commit([put("kept"), put("taken")])
        yield* store.addInline({
          read: () => [],
          write: () => [put("kept", { n: 2 }), put("new"), put("taken", {}, { expected: 0 })]
        })
        yield* refusal(append(store, "a", [1]))
        yield* equal("head", yield* store.head, 0)
        yield* equal<unknown>("kept", dataOf(yield* mustGet(documents, "kept")), {})
        yield* equal("new", yield* getOne(documents, "new"), undefined)
      }),
    "when it writes a document twice, the append is refused": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* store.addInline({ read: () => [], write: () => [put("a"), put("a")] })
        const { _tag } = yield* refusal(append(store, "a", [1]))
        yield* equal("reason", _tag, "InvalidInput")
        yield* equal("written", [yield* store.head, (yield* found(documents)).length], [0, 0])
      }),
    "of appends made at once each sees the documents of those before": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* store.addInline(sums)
        yield* store.addInline(superstitious)
        const outcomes = yield* Effect.forEach(
          numbers(60),
          (i) =>
            Effect.result(
              i === 20
                ? append(store, `s${i % 3}`, [13])
                : i % 10 === 1
                ? append(store, "s0", [1_000], { expected: 1_000 })
                : append(store, `s${i % 3}`, [1])
            ),
          { concurrency: "unbounded" }
        )
        yield* equal("written", outcomes.filter(({ _tag }) => _tag === "Success").length, 53)
        const written = numbers(60).filter((i) => i !== 20 && i % 10 !== 1)
        for (const s of [0, 1, 2]) {
          const n = written.filter((i) => i % 3 === s).length
          yield* equal(`sum of s${s}`, sumOf(yield* getOne(documents, `s${s}`)), { n, events: n })
        }
      }),
    "the position before is that of the last event that was written, without a gap": (
      { documents, events: store }
    ) =>
      Effect.gen(function* () {
        yield* store.addInline(chain)
        yield* Effect.forEach(
          numbers(30),
          (i) => append(store, `s${i}`, [1, 2], i % 5 === 0 ? { expected: 7 } : {}).pipe(Effect.exit),
          { concurrency: "unbounded", discard: true }
        )
        yield* links(documents)
        yield* equal("head", (yield* store.head) > 0, true)
      }),
    "documents of several collections are read and written, deleted and removed": (
      { documents, events: store }
    ) =>
      Effect.gen(function* () {
        yield* documents.commit([
          put("deleted", { n: 1 }),
          put("removed"),
          put("bin"),
          put("past", {}, { expiresAt: 1 }),
          put("x", { n: 5 }, { collection: others })
        ])
        yield* documents.commit([del("bin")])
        const seen: Array<unknown> = []
        yield* store.addInline({
          read: () => [
            { collection: things, ids: ["none", "deleted", "bin", "past"] },
            { collection: others, ids: ["x"] },
            { collection: things, ids: [] }
          ],
          write: (_, documents) => {
            seen.push(documents.map((each) =>
              each.map((one) => one && [one.id, one.version, one.deletedAt !== undefined])
            ))
            return [del("deleted"), remove("removed"), put("y", {}, { collection: others })]
          }
        })
        yield* append(store, "a", [1])
        yield* equal("read", seen[seen.length - 1], [
          [undefined, ["deleted", 1, false], ["bin", 2, true], undefined],
          [["x", 1, false]],
          []
        ])
        yield* equal("things", yield* found(documents, { deleted: "with" }), ["bin", "deleted"])
        yield* equal("others", yield* found(documents, {}, others), ["x", "y"])
      }),
    "hundreds of events and documents are written at once": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* store.addInline(sums)
        const streams = numbers(500).map((i) => ({ stream: `s${1_000 + i}`, events: added(i, 1) }))
        for (const round of [1, 2]) {
          yield* store.append(events, streams)
          const all = yield* documents.get(things, streams.map(({ stream }) => stream))
          yield* equal(
            `sums of round ${round}`,
            all.map(sumOf),
            numbers(500).map((i) => ({ n: (i + 1) * round, events: 2 * round }))
          )
        }
      }),
    "each of several gets the documents it asked for": ({ documents, events: store }) =>
      Effect.gen(function* () {
        const copy = (from: string, to: string): Inline => ({
          read: () => [{ collection: things, ids: [from] }],
          write: (_, [documents]) => [put(to, documents?.[0] && dataOf(documents[0]) as object)]
        })
        yield* documents.commit([put("a", { is: "a" }), put("b", { is: "b" })])
        yield* store.addInline(copy("a", "copy of a"))
        yield* store.addInline(copy("b", "copy of b"))
        yield* append(store, "s", [1])
        yield* equal<unknown>("a", dataOf(yield* mustGet(documents, "copy of a")), { is: "a" })
        yield* equal<unknown>("b", dataOf(yield* mustGet(documents, "copy of b")), { is: "b" })
      }),
    "it ends with its scope": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.andThen(store.addInline(sums), append(store, "a", [1])))
        yield* append(store, "a", [2])
        yield* equal("sum", sumOf(yield* getOne(documents, "a")), { n: 1, events: 1 })
      }),
    "documents that it wrote are written like any other": ({ documents, events: store }) =>
      Effect.gen(function* () {
        yield* store.addInline(sums)
        yield* append(store, "a", [1])
        yield* later(1_000)(documents.commit([put("a", { n: 10, events: 0 }, { expected: 1 })]))
        yield* append(store, "a", [1])
        yield* equal("sum", sumOf(yield* getOne(documents, "a")), { n: 11, events: 1 })
        yield* equal("versions", yield* documents.commit([del("a", 3)]), [4])
      })
  }),
  ...place("shared", {
    "sums that two keep inline count every event once": (layer) =>
      withStores(layer, (one) =>
        withStores(layer, (other) =>
          Effect.gen(function* () {
            yield* one.events.addInline(sums)
            yield* other.events.addInline(sums)
            yield* one.events.addInline(chain)
            yield* other.events.addInline(chain)
            const writers = [one, other].flatMap((open) => numbers(30).map(() => open))
            yield* Effect.forEach(writers, (open) => append(open.events, "s", [1]), {
              concurrency: "unbounded",
              discard: true
            })
            yield* equal("sum", sumOf(yield* getOne(one.documents, "s")), { n: 60, events: 60 })
            yield* links(other.documents)
          })))
  })
]

const fields = ({ data, id, position, recordedAt, revision, stream, tags, type, version }: StoredEvent) => ({
  data: JSON.parse(data) as unknown,
  id,
  position,
  recordedAt,
  revision,
  stream,
  tags,
  type,
  version
})

/** Keeps of each transaction where it began and ended. */
const chain: Inline = {
  read: () => [],
  write: (events, _, before) => {
    const [first, last] = [events[0]!.position, events[events.length - 1]!.position]
    return [put(String(first), { before, first, last }, { collection: others, expected: 0 })]
  }
}

/** Each transaction began where another one ended. */
const links = (documents: Parameters<typeof getOne>[0]) =>
  Effect.gen(function* () {
    const all = yield* documents.find(others, {
      where: undefined,
      sort: [{ field: { name: "first", kind: "number" }, direction: "asc" }],
      deleted: "without",
      limit: 1_000,
      offset: 0
    })
    let end = 0
    for (const document of all) {
      const { before, first, last } = dataOf(document) as Record<"before" | "first" | "last", number>
      yield* equal(`before ${first}`, before, end)
      yield* holds(`${first} is not after ${before}`, first > before)
      end = last
    }
    yield* holds("nothing was written", all.length > 0)
  })
