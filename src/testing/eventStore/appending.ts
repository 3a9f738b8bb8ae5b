// Promises 1 to 3: atomic, conditional, idempotent.
import * as Effect from "effect/Effect"
import type { Case } from "../Contract.ts"
import { equal, holds } from "../Contract.ts"
import type { EventStore, Expected, Query } from "../../event/EventStore.ts"
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

export const atomic: ReadonlyArray<Case<EventStore>> = topic("atomic", {
  "an append to several streams is numbered in its order, with a receipt for each stream": (store) =>
    Effect.gen(function* () {
      const receipts = yield* store.append(events, [
        { stream: "a", events: count(1, 2) },
        { stream: "b", events: count(3, 3) }
      ])
      yield* equal(
        "receipts' streams and revisions",
        receipts.map(({ revision, stream }) => [stream, revision]),
        [
          ["a", 2],
          ["b", 1]
        ]
      )
      const all = yield* log(store)
      yield* equal("log", numbers(all), [1, 2, 3])
      yield* equal(
        "positions",
        [all[1]!.position, all[2]!.position],
        receipts.map(({ position }) => position)
      )
      yield* equal("head", yield* store.head, receipts[1]!.position)
    }),
  "when one stream of an append is not as expected, none is written": (store) =>
    Effect.gen(function* () {
      yield* append(store, "b", count(1, 1))
      yield* refused(
        "Conflict",
        store.append(events, [
          { stream: "a", expected: "none", events: count(2, 3) },
          { stream: "b", expected: "none", events: count(4, 4) }
        ])
      )
      yield* equal("log", numbers(yield* log(store)), [1])
      yield* equal("stream a", yield* read(store, "a"), [])
      yield* equal(
        "next revision of a",
        (yield* append(store, "a", count(5, 5), { expected: 0 })).revision,
        1
      )
    }),
  "appends made at once each keep their own outcome": (store) =>
    Effect.gen(function* () {
      yield* append(store, "taken", [opened("first")])
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 60 }, (_, i) => i),
        (i) =>
          Effect.result(
            i % 3 === 0
              ? append(store, "taken", count(i, i), { expected: "none" })
              : append(store, `own-${i}`, count(i, i), { expected: "none" })
          ),
        { concurrency: "unbounded" }
      )
      for (const [i, outcome] of outcomes.entries()) {
        yield* equal(`outcome of append ${i}`, outcome._tag, i % 3 === 0 ? "Failure" : "Success")
      }
      const written = new Set(numbers((yield* log(store)).slice(1)))
      yield* equal("events written", written.size, 40)
      yield* holds("a refused append was written", [...written].every((n) => n % 3 !== 0))
    })
})

const expectations: ReadonlyArray<readonly [Expected, number, boolean]> = [
  ["any", 0, true],
  ["any", 2, true],
  ["none", 0, true],
  ["none", 2, false],
  ["exists", 0, false],
  ["exists", 2, true],
  [0, 0, true],
  [0, 2, false],
  [2, 2, true],
  [1, 2, false],
  [3, 2, false],
  [1, 0, false]
]

export const conditional: ReadonlyArray<Case<EventStore>> = [
  ...topic(
    "conditional",
    Object.fromEntries(expectations.map(([expected, revision, accepted]) => [
      `a stream at revision ${revision} that is expected ${JSON.stringify(expected)} is ${
        accepted ? "" : "not "
      }written`,
      (store) =>
        Effect.gen(function* () {
          if (revision > 0) yield* append(store, "s", count(1, revision))
          const attempt = append(store, "s", count(9, 9), { expected })
          if (accepted) {
            yield* equal("revision", (yield* attempt).revision, revision + 1)
          } else {
            const { actual, expected: named, stream } = yield* refused("Conflict", attempt)
            yield* equal("conflict", { stream, expected: named, actual }, {
              stream: "s",
              expected,
              actual: revision
            })
          }
          yield* equal("events", (yield* read(store, "s")).length, revision + (accepted ? 1 : 0))
        })
    ]))
  ),
  ...topic("conditional", {
    "when several writers race to create the same streams, exactly one wins on each": (store) =>
      Effect.gen(function* () {
        const streams = Array.from({ length: 20 }, (_, i) => `s-${i}`)
        const wins = yield* Effect.forEach(
          Array.from({ length: 8 }, (_, writer) => writer),
          (writer) =>
            Effect.forEach(
              streams,
              (stream) => Effect.result(append(store, stream, [opened(`w${writer}`)], { expected: "none" })),
              { concurrency: "unbounded" }
            ),
          { concurrency: "unbounded" }
        )
        for (const [i, stream] of streams.entries()) {
          yield* equal(
            `winners of ${stream}`,
            wins.filter((outcomes) => outcomes[i]!._tag === "Success").length,
            1
          )
          yield* equal(`events of ${stream}`, (yield* read(store, stream)).length, 1)
        }
      }),
    "an append fails if an event that matches its condition's types exists after the position": (store) =>
      Effect.gen(function* () {
        const { position } = yield* append(store, "a", [opened("x")])
        const write = (after: number, types: ReadonlyArray<string>) =>
          store.append(events, [{ stream: "b", events: count(1, 1) }], {
            condition: { query: { types }, after }
          })
        const reason = yield* refused("ConditionFailed", write(position - 1, ["Counted", "Opened"]))
        yield* equal("what it names", [reason.position, reason.stream, reason.type, reason.after], [
          position,
          "a",
          "Opened",
          position - 1
        ])
        yield* equal("stream b", yield* read(store, "b"), [])
        yield* write(position, ["Opened"])
        yield* refused("ConditionFailed", write(position, ["Counted"]))
      }),
    "a condition asks for all of its tags, in streams with its prefix, and for any of its queries": (store) =>
      Effect.gen(function* () {
        yield* append(store, "course-1", [labelled("course:1", "student:7")])
        let n = 0
        const write = (query: Query | ReadonlyArray<Query>) =>
          store.append(events, [{ stream: `w-${n++}`, events: count(n, n) }], {
            condition: { query, after: 0 }
          })
        yield* refused("ConditionFailed", write({ tags: ["course:1"] }))
        yield* refused("ConditionFailed", write({ tags: ["student:7", "course:1"], types: ["Labelled"] }))
        yield* refused("ConditionFailed", write({ streamPrefix: "course-" }))
        yield* refused(
          "ConditionFailed",
          write([{ tags: ["nobody"] }, { streamPrefix: "course-", types: ["Labelled"] }])
        )
        yield* write({ tags: ["course:1", "student:8"] })
        yield* write({ tags: ["course:1"], types: ["Opened"] })
        yield* write({ streamPrefix: "COURSE-" })
        yield* write({ streamPrefix: "course_" })
        yield* write({ streamPrefix: "course-1", tags: ["course:"] })
      }),
    "when several writers race for a tag under a condition, exactly one wins": (store) =>
      Effect.gen(function* () {
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 30 }, (_, i) => i),
          (i) =>
            Effect.result(
              store.append(events, [{ stream: `claim-${i}`, events: [labelled("seat:1")] }], {
                condition: { query: { tags: ["seat:1"] }, after: 0 }
              })
            ),
          { concurrency: "unbounded" }
        )
        yield* equal("winners", outcomes.filter(({ _tag }) => _tag === "Success").length, 1)
        yield* equal("claims", (yield* log(store, { tags: ["seat:1"] })).length, 1)
      })
  })
]

export const idempotent: ReadonlyArray<Case<EventStore>> = [
  ...topic(
    "idempotent",
    Object.fromEntries((["any", "none", "exists", 1] as const).map((expected) => [
      `the same ids appended again under the expectation ${
        JSON.stringify(expected)
      } give the first receipt and no second copy`,
      (store) =>
        Effect.gen(function* () {
          if (expected !== "none") yield* append(store, "s", [opened("first")])
          const again = append(store, "s", count(1, 2), { expected, ids: ["id-1", "id-2"] })
          const first = yield* again
          yield* equal("receipt at once", yield* again, first)
          yield* append(store, "s", count(3, 3))
          yield* equal("receipt after others wrote", yield* again, first)
          yield* equal("log", numbers((yield* log(store)).filter(({ type }) => type === "Counted")), [
            1,
            2,
            3
          ])
        })
    ]))
  ),
  ...topic("idempotent", {
    "appends in one group are decided by what is there: a repeat is one, and what exists does": (store) =>
      Effect.gen(function* () {
        yield* append(store, "t", count(1, 1), { expected: "none", ids: ["first"] })
        yield* append(store, "s", count(1, 1))
        yield* append(store, "u", count(1, 1))
        const group: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          append(store, "t", count(2, 2), { expected: 1 }),
          append(store, "t", count(1, 1), { expected: "none", ids: ["first"] }),
          append(store, "u", count(2, 2), { expected: 1 }),
          store.append(events, [
            { stream: "s", events: count(2, 2) },
            { stream: "u", expected: 1, events: count(3, 3) }
          ]),
          append(store, "s", count(3, 3), { expected: "exists" })
        ]
        const exits = yield* Effect.all(group.map((one) => Effect.exit(one)), { concurrency: "unbounded" })
        yield* equal("outcomes", exits.map(({ _tag }) => _tag), [
          "Success",
          "Success",
          "Success",
          "Failure",
          "Success"
        ])
        for (const stream of ["t", "u", "s"]) {
          yield* equal(stream, (yield* read(store, stream)).length, 2)
        }
      }),
    "the same append made many times at once is written once": (store) =>
      Effect.gen(function* () {
        const receipts = yield* Effect.forEach(
          Array.from({ length: 20 }),
          () =>
            store.append(events, [
              { stream: "a", expected: "none", events: count(1, 1), ids: ["x"] },
              { stream: "b", expected: "none", events: count(2, 2), ids: ["y"] }
            ]),
          { concurrency: "unbounded" }
        )
        for (const receipt of receipts) yield* equal("receipt", receipt, receipts[0]!)
        yield* equal("log", numbers(yield* log(store)), [1, 2])
      }),
    "a repeat gives the first receipt even when the condition no longer holds": (store) =>
      Effect.gen(function* () {
        const claim = store.append(events, [{ stream: "a", events: [labelled("seat:1")], ids: ["x"] }], {
          condition: { query: { tags: ["seat:1"] }, after: 0 }
        })
        yield* equal("second receipt", yield* claim, yield* claim)
      }),
    "an id used by another event is refused, naming where it is, and nothing is written": (store) =>
      Effect.gen(function* () {
        yield* append(store, "a", count(1, 2), { ids: ["x", "y"] })
        const cases = {
          "in another stream": append(store, "b", count(3, 3), { ids: ["x"] }),
          "beside a new id": append(store, "a", count(3, 4), { ids: ["x", "new"] }),
          "after a new id": append(store, "a", count(3, 4), { ids: ["new", "x"] }),
          "in another order": append(store, "a", count(3, 4), { ids: ["y", "x"] }),
          "under another expectation": append(store, "a", count(3, 4), { ids: ["x", "y"], expected: 2 })
        }
        for (const [name, attempt] of Object.entries(cases)) {
          const { existingStream, id } = yield* refused("DuplicateEventId", attempt)
          yield* holds(
            `${name}: names ${id} in ${existingStream}`,
            "xy".includes(id) && existingStream === "a"
          )
        }
        yield* equal("log", numbers(yield* log(store)), [1, 2])
      }),
    "an event can be found by its id": (store) =>
      Effect.gen(function* () {
        yield* append(store, "a", count(1, 2), { ids: ["x", "y"] })
        const found = yield* store.driver.find("y")
        yield* equal("found", [found?.stream, found?.revision, found?.data], ["a", 2, '{"n":2}'])
        yield* equal("not found", yield* store.driver.find("z"), undefined)
      }),
    "an event without an id gets one, by which it is found and refused to others": (store) =>
      Effect.gen(function* () {
        yield* append(store, "a", count(1, 2))
        const [first, second] = yield* read(store, "a")
        yield* holds("ids differ", first!.id.length > 0 && first!.id !== second!.id)
        yield* equal("found", (yield* store.driver.find(second!.id))?.revision, 2)
        const { existingRevision } = yield* refused(
          "DuplicateEventId",
          append(store, "b", count(3, 3), { ids: [second!.id] })
        )
        yield* equal("where it is", existingRevision, 2)
        const next = first!.id.slice(0, -`${first!.position}`.length) + (second!.position + 7)
        yield* holds("an id that is to come looks different", next !== first!.id)
        yield* refused("InvalidInput", append(store, "b", count(3, 3), { ids: [next] }))
        yield* equal("not found", yield* store.driver.find(next), undefined)
      })
  })
]

export const ordered: ReadonlyArray<Case<EventStore>> = topic("ordered", {
  "with many writers, positions grow, revisions have no gap, and receipts tell them": (store) =>
    Effect.gen(function* () {
      const receipts = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, i) => i),
        (i) => append(store, `s-${i % 7}`, [counted(i), counted(i)]),
        { concurrency: 32 }
      )
      const all = yield* log(store)
      yield* equal("events", all.length, 400)
      const revisions = new Map<string, number>()
      let position = 0
      for (const event of all) {
        yield* holds(`position ${event.position} after ${position}`, event.position > position)
        position = event.position
        yield* equal(`revision in ${event.stream}`, event.revision, (revisions.get(event.stream) ?? 0) + 1)
        revisions.set(event.stream, event.revision)
      }
      for (const { position, revision, stream } of receipts) {
        const event = all.find((event) => event.position === position)
        yield* equal("receipt", [event?.stream, event?.revision], [stream, revision])
      }
    }),
  "the events of one append stand side by side": (store) =>
    Effect.gen(function* () {
      yield* Effect.forEach(Array.from({ length: 20 }, (_, i) => i), (i) =>
        append(store, `s-${i}`, count(i * 10, i * 10 + 4)), { concurrency: "unbounded" })
      const all = numbers(yield* log(store))
      for (let i = 0; i < all.length; i += 5) {
        yield* equal(
          "run",
          all.slice(i, i + 5),
          [0, 1, 2, 3, 4].map((n) =>
            all[i]! + n
          )
        )
      }
    })
})
