// What conditions hold of, kind by kind and operator by operator.
import * as Effect from "effect/Effect"
import type { Collection, Condition } from "../../repository/DocumentStore.ts"
import { type Case, equal } from "../Contract.ts"
import {
  any,
  boolean,
  del,
  found,
  later,
  number,
  numbers,
  type Open,
  put,
  type Services,
  text,
  things,
  topic
} from "./fixture.ts"
import {
  and,
  compare,
  type Holds,
  isNotNull,
  isNull,
  like,
  names,
  or,
  type Table,
  tables,
  within
} from "./tables.ts"

/** Runs a table of conditions. */
export const runs = (
  { documents }: Open,
  collection: Collection,
  [byId, , table]: Table
) =>
  Effect.gen(function* () {
    yield* documents.commit(Object.entries(byId).map(([id, data]) => put(id, data, { collection })))
    for (const [where, ids] of table) {
      const what = JSON.stringify(where)
      yield* equal(what, [...yield* found(documents, { where }, collection)].toSorted(), [...ids].toSorted())
      yield* equal(
        `count of ${what}`,
        yield* documents.count(collection, { where, deleted: "without" }),
        ids.length
      )
    }
  })

export const conditions: ReadonlyArray<Case<Services>> = [
  ...topic(
    "conditions",
    Object.fromEntries(
      Object.entries(tables).map(([what, table]) => [
        `on ${what} hold of what they say`,
        (open) => runs(open, things, table)
      ])
    )
  ),
  ...topic("conditions", {
    "on what the store keeps with documents": ({ documents }) =>
      Effect.gen(function* () {
        yield* documents.commit(["a", "b", "c"].map((id) => put(id, { $id: "x", $version: 9 })))
        yield* later(60_000)(documents.commit([put("b"), put("d")]))
        yield* later(60_000)(documents.commit([put("b")]))
        const [[a], [d]] = [yield* documents.get(things, ["a"]), yield* documents.get(things, ["d"])]
        const table: ReadonlyArray<Holds> = [
          [compare("eq", text("$id"))("b"), ["b"]],
          [compare("gt", text("$id"))("b"), ["c", "d"]],
          [within("in", text("$id"), "a", "d", "x"), ["a", "d"]],
          [like("_", text("$id")), ["a", "b", "c", "d"]],
          [compare("eq", number("$version"))(3), ["b"]],
          [compare("lt", number("$version"))(3), ["a", "c", "d"]],
          [compare("eq", number("$createdAt"))(a!.createdAt), ["a", "b", "c"]],
          [compare("gt", number("$createdAt"))(a!.createdAt), ["d"]],
          [compare("gte", number("$updatedAt"))(d!.updatedAt), ["b", "d"]],
          [isNull(text("$id")), []],
          [isNotNull(number("$updatedAt")), ["a", "b", "c", "d"]]
        ]
        for (const [where, ids] of table) {
          yield* equal(JSON.stringify(where), yield* found(documents, { where }), ids)
        }
      }),
    "find fields by their whole names, whatever these are made of": ({ documents }) =>
      Effect.gen(function* () {
        yield* documents.commit(names.map((name, n) => put(`${n}`, { [name]: name, all: n })))
        yield* documents.commit([put("nested", { a: { b: "a.b" }, plain: { x: "plain" } })])
        for (const [n, name] of names.entries()) {
          yield* equal(name, yield* found(documents, { where: compare("eq", text(name))(name) }), [`${n}`])
          yield* equal(
            `null ${name}`,
            yield* found(documents, { where: and(isNotNull(any(name)), isNotNull(number("all"))) }),
            [`${n}`]
          )
        }
      }),
    "are joined by and and or, one in the other": ({ documents }) =>
      Effect.gen(function* () {
        yield* documents.commit(
          numbers(20).map((n) =>
            put(`${100 + n}`, { n, even: n % 2 === 0, third: n % 3 === 0 ? "yes" : null })
          )
        )
        const n = number("n")
        const even = compare("eq", boolean("even"))(true)
        const third = compare("eq", text("third"))("yes")
        const table: ReadonlyArray<readonly [Condition, (n: number) => boolean]> = [
          [and(even, third), (n) => n % 6 === 0],
          [or(even, third), (n) => n % 2 === 0 || n % 3 === 0],
          [and(or(even, third), compare("lt", n)(5)), (n) => n < 5 && (n % 2 === 0 || n % 3 === 0)],
          [
            or(and(even, third), and(compare("gt", n)(17), compare("lt", n)(19))),
            (n) => n % 6 === 0 || n === 18
          ],
          [or(compare("eq", n)(1), and(compare("eq", n)(2), even)), (n) => n === 1 || n === 2],
          [and(compare("neq", text("third"))("yes"), even), (n) => n % 2 === 0 && n % 3 !== 0],
          [and(), () => true],
          [or(), () => false],
          [and(or(), even), () => false],
          [or(and(), even), () => true],
          [and(and(and(and(even)))), (n) => n % 2 === 0],
          [
            numbers(40).reduce<Condition>(
              (inner, i) => i % 2 === 0 ? and(inner, even) : or(inner, third),
              even
            ),
            (n) => n % 2 === 0 || n % 3 === 0
          ],
          [or(...numbers(400).map((i) => compare("eq", n)(i * 2))), (n) => n % 2 === 0],
          [and(...numbers(400).map((i) => compare("neq", n)(i * 2))), (n) => n % 2 === 1]
        ]
        for (const [i, [where, holds]] of table.entries()) {
          yield* equal(
            `condition ${i}`,
            yield* found(documents, { where }),
            numbers(20).filter(holds).map((n) => `${100 + n}`)
          )
        }
      }),
    "take thousands of values in a list": ({ documents }) =>
      Effect.gen(function* () {
        yield* documents.commit(numbers(3_000).map((n) => put(`${10_000 + n}`, { n, t: `text ${n}` })))
        const ns = numbers(2_000).map((i) => i * 2)
        const ids = numbers(1_500).map((i) => `${10_000 + i * 2}`)
        yield* equal("numbers", yield* found(documents, { where: within("in", number("n"), ...ns) }), ids)
        const texts = ns.map((n) => `text ${n}`)
        yield* equal("texts", yield* found(documents, { where: within("in", text("t"), ...texts) }), ids)
        yield* equal("ids", yield* found(documents, { where: within("in", text("$id"), ...ids) }), ids)
        const rest = yield* documents.count(things, {
          where: within("notIn", number("n"), ...ns),
          deleted: "without"
        })
        yield* equal("not in", rest, 1_500)
      }),
    "hold of deleted documents like of the others": ({ documents }) =>
      Effect.gen(function* () {
        yield* documents.commit([put("a", { f: 1 }), put("b", { f: 1 }), put("c", { f: 2 })])
        yield* documents.commit([del("a"), del("c")])
        const where = or(compare("eq", number("f"))(1), compare("eq", number("f"))(3))
        yield* equal("without", yield* found(documents, { where }), ["b"])
        yield* equal("with", yield* found(documents, { where, deleted: "with" }), ["a", "b"])
        yield* equal("only", yield* found(documents, { where, deleted: "only" }), ["a"])
        yield* equal("count", yield* documents.count(things, { where, deleted: "only" }), 1)
      })
  })
]
