// The order and the pages of what is found.
import * as Effect from "effect/Effect"
import type { Field, Selection } from "../../repository/DocumentStore.ts"
import { type Case, equal } from "../Contract.ts"
import { boolean, found, number, numbers, put, type Services, text, things, topic } from "./fixture.ts"

type Sort = Selection["sort"]

const by = (...fields: ReadonlyArray<readonly [Field, "asc" | "desc"]>): Sort =>
  fields.map(([field, direction]) => ({ field, direction }))

export const sorting: ReadonlyArray<Case<Services>> = topic("sorting", {
  "without a sort documents come in the order of their ids, by code points": ({ documents }) =>
    Effect.gen(function* () {
      const ids = ["", "a", "B", "ä", "\uffff", "😀", "10", "9", "_", "a b", "ab", "A", "Z"].filter((id) =>
        id !== ""
      )
      yield* documents.commit(ids.map((id) => put(id)))
      const sorted = ["10", "9", "A", "B", "Z", "_", "a", "a b", "ab", "ä", "\uffff", "😀"]
      yield* equal("found", yield* found(documents), sorted)
      const sort = by([text("$id"), "desc"])
      yield* equal("downwards", yield* found(documents, { sort }), sorted.toReversed())
    }),
  "numbers are sorted as numbers, texts by code points, false before true, absent values first": (
    { documents }
  ) =>
    Effect.gen(function* () {
      const rows: ReadonlyArray<readonly [string, unknown, unknown, unknown]> = [
        ["a", 10, "b", true],
        ["b", 9, "B", false],
        ["c", -1, "ä", null],
        ["d", null, "😀", true],
        ["e", 0.5, null, false],
        ["f", "7", "\uffff", 1],
        ["g", 100, "", "true"]
      ]
      yield* documents.commit(rows.map(([id, n, t, b]) => put(id, { n, t, b })))
      yield* documents.commit([put("h", {})])
      const table: ReadonlyArray<readonly [Sort, string]> = [
        [by([number("n"), "asc"]), "d f h c e b a g"],
        [by([number("n"), "desc"]), "g a b e c d f h"],
        [by([text("t"), "asc"]), "e h g b a c f d"],
        [by([text("t"), "desc"]), "d f c a b g e h"],
        [by([boolean("b"), "asc"]), "c f g h b e a d"],
        [by([boolean("b"), "desc"]), "a d b e c f g h"],
        [by([boolean("b"), "desc"], [number("n"), "desc"]), "a d b e g c f h"],
        [by([boolean("b"), "asc"], [text("$id"), "desc"]), "h g f c e b d a"],
        [by([number("none"), "desc"]), "a b c d e f g h"]
      ]
      for (const [sort, ids] of table) {
        yield* equal(JSON.stringify(sort), (yield* found(documents, { sort })).join(" "), ids)
      }
    }),
  "documents that are alike come in the order of their ids, upwards in any direction": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit(numbers(30).toReversed().map((n) => put(`${100 + n}`, { n: n % 3 })))
      for (const direction of ["asc", "desc"] as const) {
        const groups = direction === "asc" ? [0, 1, 2] : [2, 1, 0]
        yield* equal(
          direction,
          yield* found(documents, { sort: by([number("n"), direction]) }),
          groups.flatMap((group) => numbers(30).filter((n) => n % 3 === group).map((n) => `${100 + n}`))
        )
      }
    }),
  "what the store keeps with documents can be sorted by": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a"), put("b"), put("c")])
      yield* documents.commit([put("b"), put("c")])
      yield* documents.commit([put("b")])
      yield* equal("upwards", yield* found(documents, { sort: by([number("$version"), "asc"]) }), [
        "a",
        "c",
        "b"
      ])
      yield* equal("downwards", yield* found(documents, { sort: by([number("$version"), "desc"]) }), [
        "b",
        "c",
        "a"
      ])
    })
})

export const paging: ReadonlyArray<Case<Services>> = topic("paging", {
  "pages follow one another without gap or repeat": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit(numbers(25).map((n) => put(`${100 + n}`, { n: n % 4, all: true })))
      const where = { op: "eq", field: boolean("all"), value: true } as const
      for (const sort of [[], by([number("n"), "desc"]), by([number("none"), "asc"])]) {
        const all = yield* found(documents, { sort, where })
        yield* equal("all", all.length, 25)
        const pages: Array<ReadonlyArray<string>> = []
        for (let offset = 0; offset <= 30; offset += 7) {
          pages.push(yield* found(documents, { sort, where, limit: 7, offset }))
        }
        yield* equal("sizes", pages.map(({ length }) => length), [7, 7, 7, 4, 0])
        yield* equal<ReadonlyArray<string>>("pages", pages.flat(), all)
      }
    }),
  "a limit of nothing gives nothing, and the largest gives everything": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a"), put("b"), put("c")])
      yield* equal("none", yield* found(documents, { limit: 0 }), [])
      yield* equal("all", yield* found(documents, { limit: Number.MAX_SAFE_INTEGER }), ["a", "b", "c"])
      yield* equal("rest", yield* found(documents, { limit: Number.MAX_SAFE_INTEGER, offset: 1 }), ["b", "c"])
      yield* equal("beyond", yield* found(documents, { offset: Number.MAX_SAFE_INTEGER }), [])
    }),
  "thousands of documents are found at once, and counted": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit(numbers(5_000).map((n) => put(`${10_000 + n}`, { n })))
      const where = { op: "gte", field: number("n"), value: 1_000 } as const
      const all = yield* found(documents, { where })
      yield* equal("found", [all.length, all[0], all[3_999]], [4_000, "11000", "14999"])
      yield* equal("counted", yield* documents.count(things, { where, deleted: "without" }), 4_000)
    })
})
