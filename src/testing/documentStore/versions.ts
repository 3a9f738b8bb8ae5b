// What is written only at an expected version, and whole or not at all.
import * as Effect from "effect/Effect"
import type { ExpectedVersion, Write } from "../../repository/DocumentStore.ts"
import { type Case, equal, holds } from "../Contract.ts"
import {
  check,
  dataOf,
  del,
  found,
  getOne,
  increment,
  mustGet,
  numbers,
  others,
  put,
  refused,
  remove,
  type Services,
  things,
  topic
} from "./fixture.ts"

const ops = {
  put: (id: string, expected: ExpectedVersion) => put(id, { new: true }, { expected }),
  delete: del,
  remove,
  check
}

/** What is there before the write, and its version. */
const states: ReadonlyArray<readonly [string, ReadonlyArray<Write>, number]> = [
  ["absent", [], 0],
  ["at version 1", [put("a", { n: 1 })], 1],
  ["at version 2", [put("a", { n: 1 }), put("a", { n: 2 })], 2],
  ["deleted at version 2", [put("a", { n: 1 }), del("a")], 2],
  ["removed", [put("a", { n: 1 }), remove("a")], 0]
]

/** The version after a write that is accepted. */
const after = (op: keyof typeof ops, state: string, version: number): number =>
  op === "remove"
    ? 0
    : op === "put"
    ? version + 1
    : op === "check" || version === 0 || state.startsWith("deleted")
    ? version
    : version + 1

export const versions: ReadonlyArray<Case<Services>> = [
  ...topic(
    "versions",
    Object.fromEntries((Object.keys(ops) as Array<keyof typeof ops>).map((op) => [
      `${op} happens if the version is as expected, and is refused otherwise`,
      ({ documents }) =>
        Effect.gen(function* () {
          for (const [state, writes, version] of states) {
            for (const expected of ["any", 0, 1, 2, 3] as const) {
              const what = `${op} of what is ${state}, expected ${expected}`
              for (const write of writes) yield* documents.commit([write])
              const before = yield* getOne(documents, "a")
              const attempt = documents.commit([ops[op]("a", expected)])
              if (expected === "any" || expected === version) {
                yield* equal(what, yield* attempt, [after(op, state, version)])
                yield* equal(
                  `version after ${what}`,
                  (yield* getOne(documents, "a"))?.version ?? 0,
                  after(op, state, version)
                )
              } else {
                const { _tag, ...conflict } = yield* refused("VersionConflict", attempt)
                yield* equal<object>(what, { ...conflict }, {
                  collection: "things",
                  id: "a",
                  expected,
                  actual: version
                })
                yield* equal(`after the refused ${what}`, yield* getOne(documents, "a"), before)
              }
              yield* documents.commit([remove("a")])
            }
          }
        })
    ]))
  ),
  ...topic("versions", {
    "of many that change a document at once, each knowing its version, none loses its change": (
      { documents }
    ) =>
      Effect.gen(function* () {
        yield* Effect.forEach(numbers(40), () => increment(documents, "n"), {
          concurrency: 10,
          discard: true
        })
        const { data, version } = yield* mustGet(documents, "n")
        yield* equal<unknown>("n", [JSON.parse(data), version], [{ n: 40 }, 40])
      }),
    "of many that create a document at once, one does": ({ documents }) =>
      Effect.gen(function* () {
        const outcomes = yield* Effect.forEach(
          numbers(20),
          (n) => Effect.result(documents.commit([put("a", { n }, { expected: 0 })])),
          { concurrency: "unbounded" }
        )
        const winners = numbers(20).filter((n) => outcomes[n]!._tag === "Success")
        yield* equal("winners", winners.length, 1)
        yield* equal<unknown>("stored", dataOf(yield* mustGet(documents, "a")), { n: winners[0] })
      })
  })
]

export const batches: ReadonlyArray<Case<Services>> = topic("batches", {
  "the versions are given in the order of the writes": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("old"), put("gone"), put("kept"), put("bin")])
      yield* documents.commit([put("old")])
      const writes = [
        put("z"),
        put("old"),
        remove("gone"),
        check("kept", 1),
        del("bin"),
        del("none"),
        put("a", {}, { collection: others })
      ]
      yield* equal("versions", yield* documents.commit(writes), [1, 3, 0, 1, 2, 0, 1])
      yield* equal("there", yield* found(documents), ["kept", "old", "z"])
    }),
  "when one write is refused, none happens": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("put", { n: 1 }), put("deleted"), put("removed")])
      const before = yield* documents.get(things, ["put", "deleted", "removed"])
      const good = [
        put("put", { n: 2 }),
        del("deleted"),
        remove("removed"),
        put("new"),
        put("new", {}, { collection: others })
      ]
      const bad = [check("put-no", 5), put("x", {}, { expected: 1 }), del("y", 1), remove("z", 1)]
      for (const write of bad) {
        for (const writes of [[...good, write], [write, ...good]]) {
          const { id } = yield* refused("VersionConflict", documents.commit(writes))
          yield* equal("named", id, write.id)
          yield* equal(
            `after ${write.op}`,
            yield* documents.get(things, ["put", "deleted", "removed"]),
            before
          )
          yield* equal("new", yield* getOne(documents, "new"), undefined)
          yield* equal("new in the other", yield* getOne(documents, "new", others), undefined)
        }
      }
    }),
  "nothing to write is nothing": ({ documents }) =>
    Effect.gen(function* () {
      yield* equal("versions", yield* documents.commit([]), [])
    }),
  "thousands of documents are written, changed and removed at once": ({ documents }) =>
    Effect.gen(function* () {
      const ids = numbers(5_000).map((n) => `document ${n}`)
      const first = yield* documents.commit(ids.map((id, n) => put(id, { n }, { expected: 0 })))
      yield* equal("first", first, ids.map(() => 1))
      const changes = ids.map((id, n) =>
        n % 3 === 0 ? put(id, { n: -n }, { expected: 1 }) : n % 3 === 1 ? del(id, 1) : remove(id, 1)
      )
      yield* equal("changes", yield* documents.commit(changes), ids.map((_, n) => n % 3 === 2 ? 0 : 2))
      const all = yield* documents.get(things, ids)
      yield* equal("there", all.filter((one) => one !== undefined).length, 3_334)
      yield* equal("deleted", all.filter((one) => one?.deletedAt !== undefined).length, 1_667)
      const wrong = all.some((one, n) => n % 3 === 0 && one?.data.replaceAll(" ", "") !== `{"n":${-n}}`)
      yield* holds("one has other data", !wrong)
      yield* refused("VersionConflict", documents.commit([...changes.slice(0, 4_000), check("none", 1)]))
    })
})
