// What is written is there: single documents and collections.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Collection, maxDocumentLength } from "../../repository/DocumentStore.ts"
import { type Case, equal, holds } from "../Contract.ts"
import {
  check,
  dataOf,
  del,
  found,
  getOne,
  later,
  mustGet,
  others,
  put,
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
