// What is written, with its versions: one document, many, deleted, removed, expired.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import {
  type Collection,
  type ExpectedVersion,
  maxDocumentLength,
  type Write
} from "../../repository/DocumentStore.ts"
import { type Case, equal, holds } from "../Contract.ts"
import {
  check,
  dataOf,
  del,
  found,
  getOne,
  increment,
  later,
  mustGet,
  numbers,
  others,
  put,
  refused,
  remove,
  select,
  type Services,
  things,
  topic
} from "./fixture.ts"

/** Texts that differ, though some collations, patterns or quotings take them for the same or for something else. */
const texts = [
  "a",
  "A",
  "a ",
  " a",
  "ä",
  "a\u0308",
  "ss",
  "ß",
  "ı",
  "İ",
  "😀",
  "😁",
  "\uffff",
  "%",
  "_",
  "\\",
  "'",
  '"',
  "`",
  "$",
  "{}",
  "null",
  "1",
  "01",
  "1.0",
  "\t",
  "\n",
  "\u0001",
  "x".repeat(255),
  "é".repeat(255)
]

/** Values that JSON can say, with what databases are known to change. */
const values = {
  empty: "",
  quotes: `"'\`\\`,
  lines: "a\r\nb\tc\u0001\u001f\u007f\u2028",
  unicode: "äöü ß 日本語 😀 \u{10ffff} \uffff a\u0308",
  escape: "\\u0000 is not a NUL",
  zero: 0,
  small: 1e-7,
  third: 0.1 + 0.2,
  large: 1.7976931348623157e308,
  whole: 9_007_199_254_740_991,
  below: -9_007_199_254_740_991,
  beyond: 1e21,
  yes: true,
  no: false,
  nothing: null,
  list: [1, "two", [3], { four: [] }, null],
  nested: { a: { b: { c: [{}] } } },
  "": "no name",
  "a.b": 1,
  'a"b': 2,
  "$a": 3,
  "ключ": 4,
  "__proto": 5,
  constructor: 6
}

export const single: ReadonlyArray<Case<Services>> = topic("documents", {
  "a document that is put is there, at version 1, with its times": ({ documents }) =>
    Effect.gen(function* () {
      const from = yield* Clock.currentTimeMillis
      yield* equal("versions", yield* documents.commit([put("a", { n: 1 }, { position: 7 })]), [1])
      const to = yield* Clock.currentTimeMillis
      const { createdAt, data, updatedAt, ...rest } = yield* mustGet(documents, "a")
      yield* equal<object>("data", JSON.parse(data), { n: 1 })
      yield* equal<object>("the rest", rest, {
        id: "a",
        version: 1,
        position: 7,
        deletedAt: undefined,
        expiresAt: undefined
      })
      yield* equal("updated", updatedAt, createdAt)
      yield* holds(`created at ${createdAt}, not in ${from} … ${to}`, createdAt >= from && createdAt <= to)
    }),
  "a document that is put again is replaced whole and keeps the time of its creation": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a", { n: 1, old: true }, { position: 1 })])
      const first = yield* mustGet(documents, "a")
      yield* equal(
        "versions",
        yield* later(60_000)(documents.commit([put("a", { n: 2 }, { position: 9 })])),
        [2]
      )
      const second = yield* mustGet(documents, "a")
      yield* equal<unknown>("data", dataOf(second), { n: 2 })
      yield* equal("position", second.position, 9)
      yield* equal("version", second.version, 2)
      yield* equal("created", second.createdAt, first.createdAt)
      yield* holds("the time of the change did not change", second.updatedAt >= first.updatedAt + 60_000)
    }),
  "documents are given in the order of the ids that are asked for, also twice, and absent ones as undefined":
    (
      { documents }
    ) =>
      Effect.gen(function* () {
        yield* documents.commit(["a", "b", "c"].map((id) => put(id)))
        const ids = ["c", "none", "a", "c", "b"]
        const all = yield* documents.get(things, ids)
        yield* equal("ids", all.map((document) => document?.id), ["c", undefined, "a", "c", "b"])
        yield* equal("no ids", yield* documents.get(things, []), [])
      }),
  "whatever JSON can say is given as it was": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("values", values), put("empty", {})])
      yield* equal<unknown>("values", dataOf(yield* mustGet(documents, "values")), values)
      yield* equal<unknown>("empty", dataOf(yield* mustGet(documents, "empty")), {})
    }),
  "ids that look alike are ids of different documents": ({ documents }) =>
    Effect.gen(function* () {
      for (const [n, id] of texts.entries()) yield* documents.commit([put(id, { n }, { expected: 0 })])
      const all = yield* documents.get(things, texts)
      yield* equal<unknown>("numbers", all.map((one) => one && dataOf(one)), texts.map((_, n) => ({ n })))
      yield* equal("ids", all.map((one) => one?.id), texts)
      for (const id of texts) {
        yield* equal(
          `${JSON.stringify(id)} by condition`,
          yield* found(documents, {
            where: { op: "eq", field: { name: "$id", kind: "text" }, value: id }
          }),
          [id]
        )
      }
    }),
  "the largest document is stored": ({ documents }) =>
    Effect.gen(function* () {
      const data = { text: "x".repeat(maxDocumentLength - `{"text":""}`.length) }
      yield* documents.commit([put("large", data)])
      yield* equal("length", (yield* mustGet(documents, "large")).data.length >= maxDocumentLength, true)
    }),
  "collections are apart, and the case of their names makes no difference": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a", { n: 1 }), put("a", { n: 2 }, { collection: others })])
      yield* equal<unknown>("one", dataOf(yield* mustGet(documents, "a")), { n: 1 })
      yield* equal<unknown>("other", dataOf(yield* mustGet(documents, "a", others)), { n: 2 })
      const capital: Collection = { name: "THINGS", indexes: [] }
      yield* equal<unknown>("the same", dataOf(yield* mustGet(documents, "a", capital)), { n: 1 })
    }),
  "the longest name of a collection is taken, and a name that SQL has a meaning for": ({ documents }) =>
    Effect.gen(function* () {
      for (const name of ["x".repeat(48), `${"x".repeat(47)}y`, "select", "Table", "order_1"]) {
        const collection: Collection = { name, indexes: [{ name: "n", kind: "number" }] }
        yield* documents.commit([put("a", { name }, { collection })])
        yield* equal<unknown>(name, dataOf(yield* mustGet(documents, "a", collection)), { name })
      }
    }),
  "a collection that was never written is empty": ({ documents }) =>
    Effect.gen(function* () {
      yield* equal("got", yield* getOne(documents, "a"), undefined)
      yield* equal("found", yield* found(documents), [])
      yield* equal("counted", yield* documents.count(things, select()), 0)
      yield* equal("expired", yield* documents.clearExpired(things), 0)
      yield* documents.drop(things)
      yield* equal("written", yield* documents.commit([del("a"), remove("b"), check("c", 0)]), [0, 0, 0])
    }),
  "a collection that was dropped is empty and can be written again": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a"), put("b"), put("a", {}, { collection: others })])
      yield* documents.drop(things)
      yield* equal("found", yield* found(documents), [])
      yield* equal("the other", yield* found(documents, {}, others), ["a"])
      yield* equal("written again", yield* documents.commit([put("a", {}, { expected: 0 })]), [1])
      yield* equal("found again", yield* found(documents), ["a"])
    })
})

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

export const deletion: ReadonlyArray<Case<Services>> = topic("soft deletion", {
  "a deleted document keeps its data, and says since when it is deleted": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a", { n: 1 }, { position: 3 })])
      const before = yield* mustGet(documents, "a")
      yield* later(5_000)(documents.commit([del("a")]))
      const { data, deletedAt = 0, updatedAt, ...rest } = yield* mustGet(documents, "a")
      yield* equal<unknown>("data", JSON.parse(data), { n: 1 })
      yield* equal("position and creation", [rest.position, rest.createdAt], [3, before.createdAt])
      yield* holds("deleted too early", deletedAt >= before.createdAt + 5_000)
      yield* equal("updated", updatedAt, deletedAt)
    }),
  "a deleted document is found and counted only when it is asked for": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a"), put("b"), put("c")])
      yield* documents.commit([del("b")])
      for (
        const [deleted, ids] of [["without", ["a", "c"]], ["with", ["a", "b", "c"]], ["only", ["b"]]] as const
      ) {
        yield* equal<unknown>(deleted, yield* found(documents, { deleted }), ids)
        yield* equal(
          `count ${deleted}`,
          yield* documents.count(things, { where: undefined, deleted }),
          ids.length
        )
      }
    }),
  "a deleted document that is put is there again": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a", { n: 1 })])
      const { createdAt } = yield* mustGet(documents, "a")
      yield* documents.commit([del("a")])
      yield* equal("versions", yield* later(1_000)(documents.commit([put("a", { n: 2 }, { expected: 2 })])), [
        3
      ])
      const again = yield* mustGet(documents, "a")
      yield* equal("deleted and created", [again.deletedAt, again.createdAt], [undefined, createdAt])
      yield* equal("found", yield* found(documents), ["a"])
    }),
  "deleting what is deleted changes nothing": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a")])
      yield* documents.commit([del("a")])
      const before = yield* mustGet(documents, "a")
      yield* equal("versions", yield* later(1_000)(documents.commit([del("a"), del("none")])), [2, 0])
      yield* equal("document", yield* mustGet(documents, "a"), before)
    }),
  "a deleted document that is removed is gone": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a")])
      yield* documents.commit([del("a")])
      yield* documents.commit([remove("a")])
      yield* equal("with deleted", yield* found(documents, { deleted: "with" }), [])
    })
})

export const expiry: ReadonlyArray<Case<Services>> = topic("expiry", {
  "a document that has expired is as good as absent": ({ documents }) =>
    Effect.gen(function* () {
      const expiresAt = (yield* Clock.currentTimeMillis) + 60_000
      yield* documents.commit([put("a", {}, { expiresAt }), put("b")])
      yield* equal("expires", (yield* mustGet(documents, "a")).expiresAt, expiresAt)
      yield* equal("before", yield* found(documents), ["a", "b"])
      yield* later(61_000)(Effect.gen(function* () {
        yield* equal("got", yield* getOne(documents, "a"), undefined)
        yield* equal("found", yield* found(documents), ["b"])
        yield* equal("found with deleted", yield* found(documents, { deleted: "with" }), ["b"])
        yield* equal("counted", yield* documents.count(things, select()), 1)
        yield* equal("nothing to do", yield* documents.commit([del("a", 0)]), [0])
        yield* equal("checked", yield* documents.commit([check("a", 0)]), [0])
        const conflict = yield* refused("VersionConflict", documents.commit([put("a", {}, { expected: 1 })]))
        yield* equal("actual", conflict.actual, 0)
        yield* equal("again", yield* documents.commit([put("a", { n: 2 }, { expected: 0 })]), [1])
        const { createdAt, expiresAt: forever } = yield* mustGet(documents, "a")
        yield* equal("expires", forever, undefined)
        yield* holds("it keeps the time of the creation of what has expired", createdAt >= expiresAt)
      }))
    }),
  "a document that was deleted expires as well": ({ documents }) =>
    Effect.gen(function* () {
      const expiresAt = (yield* Clock.currentTimeMillis) + 60_000
      yield* documents.commit([put("a", {}, { expiresAt })])
      yield* documents.commit([del("a")])
      yield* equal("kept", (yield* mustGet(documents, "a")).expiresAt, expiresAt)
      yield* equal("before", yield* found(documents, { deleted: "only" }), ["a"])
      yield* equal("after", yield* later(61_000)(found(documents, { deleted: "only" })), [])
    }),
  "putting a document again says anew when it expires": ({ documents }) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* documents.commit(
        ["longer", "never", "same"].map((id) => put(id, {}, { expiresAt: now + 60_000 }))
      )
      yield* documents.commit([put("longer", {}, { expiresAt: now + 600_000 }), put("never")])
      yield* equal("found", yield* later(61_000)(found(documents)), ["longer", "never"])
      yield* equal("found later", yield* later(601_000)(found(documents)), ["never"])
    }),
  "clearing removes what has expired, and nothing else": ({ documents }) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* documents.commit([
        put("short", {}, { expiresAt: now + 60_000 }),
        put("long", {}, { expiresAt: now + 600_000 }),
        put("never"),
        put("short", {}, { expiresAt: now + 60_000, collection: others })
      ])
      yield* equal("nothing yet", yield* documents.clearExpired(things), 0)
      yield* equal("one", yield* later(61_000)(documents.clearExpired(things)), 1)
      yield* equal("none left", yield* later(61_000)(documents.clearExpired(things)), 0)
      // Seen from before it expired, it is not there either.
      yield* equal("there", yield* found(documents), ["long", "never"])
      yield* equal("the other", yield* found(documents, {}, others), ["short"])
    })
})
