// What conditions hold of, kind by kind and operator by operator.
import * as Effect from "effect/Effect"
import type { Collection, Condition, Field } from "../../repository/DocumentStore.ts"
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
  select,
  type Services,
  text,
  things,
  topic
} from "./fixture.ts"

/** Documents by id. Those from `null` on have a field `f` that is of no kind but `any`, or is not there. */
type Documents = Readonly<Record<string, object>>

const nothing: Documents = {
  null: { f: null },
  absent: { g: "a" },
  list: { f: ["a"] },
  object: { f: { f: "a" } }
}

const numbersById: Documents = {
  minus: { f: -5.5 },
  zero: { f: 0 },
  tenth: { f: 0.1 },
  one: { f: 1 },
  ten: { f: 10 },
  whole: { f: 9_007_199_254_740_991 },
  large: { f: 1e21 },
  ...nothing,
  digit: { f: "1" },
  true: { f: true }
}

const textsById: Documents = {
  empty: { f: "" },
  "1": { f: "1" },
  A: { f: "A" },
  "A ": { f: "A " },
  a: { f: "a" },
  "a ": { f: "a " },
  abc: { f: "abc" },
  ä: { f: "ä" },
  high: { f: "\uffff" },
  pair: { f: "😀" },
  ...nothing,
  number: { f: 1 },
  true: { f: true }
}

const booleansById: Documents = {
  yes: { f: true },
  no: { f: false },
  ...nothing,
  one: { f: 1 },
  zero: { f: 0 },
  text: { f: "true" }
}

const patternsById: Documents = {
  empty: { f: "" },
  a: { f: "a" },
  A: { f: "A" },
  ab: { f: "ab" },
  abc: { f: "abc" },
  aXbXc: { f: "aXbXc" },
  percent: { f: "100%" },
  thousand: { f: "1000" },
  underscore: { f: "a_c" },
  backslash: { f: "a\\c" },
  bracket: { f: "[a-z]" },
  star: { f: "a*c?" },
  lines: { f: "a\nb" },
  emoji: { f: "a😀c" },
  umlaut: { f: "aäc" },
  quote: { f: "it's" },
  spaced: { f: "a " },
  ...nothing,
  number: { f: 1 }
}

type Comparison = "eq" | "neq" | "gt" | "gte" | "lt" | "lte"

const compare = (op: Comparison, field: Field) => (value: string | number | boolean): Condition => ({
  op,
  field,
  value
})
const within = (
  op: "in" | "notIn",
  field: Field,
  ...values: ReadonlyArray<string | number | boolean>
): Condition => ({
  op,
  field,
  values
})
const like = (pattern: string, field: Field = text("f")): Condition => ({ op: "like", field, pattern })
const isNull = (field: Field): Condition => ({ op: "isNull", field })
const isNotNull = (field: Field): Condition => ({ op: "isNotNull", field })
const and = (...conditions: ReadonlyArray<Condition>): Condition => ({ op: "and", conditions })
const or = (...conditions: ReadonlyArray<Condition>): Condition => ({ op: "or", conditions })

/** A condition and the ids of what it holds of, with blanks between. */
type Holds = readonly [Condition, ReadonlyArray<string>]

const numeric = (op: Comparison) => compare(op, number("f"))
const textual = (op: Comparison) => compare(op, text("f"))
const logical = (op: Comparison) => compare(op, boolean("f"))

/** What there is, without these. */
const but = (documents: Documents, ...ids: ReadonlyArray<string>) =>
  Object.keys(documents).filter((id) => !ids.includes(id))

const none = Object.keys(nothing)

const tables: Readonly<Record<string, readonly [Documents, ReadonlyArray<Field>, ReadonlyArray<Holds>]>> = {
  numbers: [numbersById, [number("f")], [
    [numeric("eq")(1), ["one"]],
    [numeric("eq")(0.1), ["tenth"]],
    [numeric("eq")(-5.5), ["minus"]],
    [numeric("eq")(9_007_199_254_740_991), ["whole"]],
    [numeric("eq")(9_007_199_254_740_990), []],
    [numeric("eq")(1e21), ["large"]],
    [numeric("eq")(2), []],
    [numeric("neq")(1), but(numbersById, "one")],
    [numeric("gt")(1), ["ten", "whole", "large"]],
    [numeric("gte")(1), ["one", "ten", "whole", "large"]],
    [numeric("lt")(1), ["minus", "zero", "tenth"]],
    [numeric("lte")(1), ["minus", "zero", "tenth", "one"]],
    [numeric("gt")(9), ["ten", "whole", "large"]],
    [numeric("lt")(-1e300), []],
    [within("in", number("f"), 1, 10, 3), ["one", "ten"]],
    [within("notIn", number("f"), 1, 10, 3), but(numbersById, "one", "ten")],
    [within("in", number("f")), []],
    [within("notIn", number("f")), but(numbersById)],
    [isNull(number("f")), [...none, "digit", "true"]],
    [isNotNull(number("f")), but(numbersById, ...none, "digit", "true")]
  ]],
  texts: [textsById, [text("f")], [
    [textual("eq")("a"), ["a"]],
    [textual("eq")(""), ["empty"]],
    [textual("eq")("1"), ["1"]],
    [textual("eq")("a\u0308"), []],
    [textual("neq")("a"), but(textsById, "a")],
    [textual("gt")("a"), ["a ", "abc", "ä", "high", "pair"]],
    [textual("gte")("a"), ["a", "a ", "abc", "ä", "high", "pair"]],
    [textual("lt")("a"), ["empty", "1", "A", "A "]],
    [textual("lte")("A"), ["empty", "1", "A"]],
    [textual("gt")("ä"), ["high", "pair"]],
    // By UTF-16 units a pair is less than U+FFFF; by code points it is greater.
    [textual("gt")("\uffff"), ["pair"]],
    [textual("lt")("😀"), ["empty", "1", "A", "A ", "a", "a ", "abc", "ä", "high"]],
    [textual("lt")(""), []],
    [within("in", text("f"), "a", "A ", "", "none", "'"), ["empty", "A ", "a"]],
    [within("notIn", text("f"), "a", "A ", "", "none"), but(textsById, "empty", "A ", "a")],
    [within("in", text("f")), []],
    [within("notIn", text("f")), but(textsById)],
    [isNull(text("f")), [...none, "number", "true"]],
    [isNotNull(text("f")), but(textsById, ...none, "number", "true")]
  ]],
  booleans: [booleansById, [boolean("f")], [
    [logical("eq")(true), ["yes"]],
    [logical("eq")(false), ["no"]],
    [logical("neq")(true), but(booleansById, "yes")],
    [logical("neq")(false), but(booleansById, "no")],
    [logical("gt")(false), ["yes"]],
    [logical("gte")(false), ["yes", "no"]],
    [logical("lt")(true), ["no"]],
    [logical("lte")(false), ["no"]],
    [within("in", boolean("f"), true), ["yes"]],
    [within("in", boolean("f"), true, false), ["yes", "no"]],
    [within("notIn", boolean("f"), true), but(booleansById, "yes")],
    [isNull(boolean("f")), [...none, "one", "zero", "text"]],
    [isNotNull(boolean("f")), ["yes", "no"]]
  ]],
  "fields of any kind": [{ ...textsById, no: { f: false } }, [], [
    [isNull(any("f")), ["null", "absent"]],
    [isNotNull(any("f")), but({ ...textsById, no: {} }, "null", "absent")],
    [isNull(any("none")), but({ ...textsById, no: {} })]
  ]],
  patterns: [patternsById, [text("f")], [
    [like("a"), ["a"]],
    [like("a%"), [
      "a",
      "ab",
      "abc",
      "aXbXc",
      "underscore",
      "backslash",
      "star",
      "lines",
      "emoji",
      "umlaut",
      "spaced"
    ]],
    [like("%c"), ["abc", "aXbXc", "underscore", "backslash", "emoji", "umlaut"]],
    [like("%b%"), ["ab", "abc", "aXbXc", "lines"]],
    [like("a%b%c"), ["abc", "aXbXc"]],
    [like("a_"), ["ab", "spaced"]],
    [like("a_c"), ["abc", "underscore", "backslash", "emoji", "umlaut"]],
    [like("a__"), ["abc", "underscore", "backslash", "lines", "emoji", "umlaut"]],
    [like("a\\_c"), ["underscore"]],
    [like("100\\%"), ["percent"]],
    [like("100_"), ["percent", "thousand"]],
    [like("100%"), ["percent", "thousand"]],
    [like("a\\\\c"), ["backslash"]],
    [like("\\a\\b"), ["ab"]],
    [like("[a-z]"), ["bracket"]],
    [like("[%"), ["bracket"]],
    [like("a*c?"), ["star"]],
    [like("*"), []],
    [like("it's"), ["quote"]],
    [like("A"), ["A"]],
    [like(""), ["empty"]],
    [like("%"), but(patternsById, ...none, "number")],
    [like("%%"), but(patternsById, ...none, "number")],
    [like("_%"), but(patternsById, ...none, "number", "empty")],
    [like("ä"), []],
    [like("%ä%"), ["umlaut"]],
    [like("a "), ["spaced"]]
  ]]
}

const names = [
  "plain",
  "two words",
  "a.b",
  'a"b',
  "a'b",
  "a`b",
  "a\\b",
  "a$b",
  "$x",
  "[0]",
  "*",
  "?",
  "%",
  "#",
  "0",
  "-",
  "select",
  "ключ",
  "😀",
  "Plain",
  "a:b",
  "a,b",
  "a/b",
  "{}",
  "constructor"
]

/** Runs a table of conditions. */
const runs = (
  { documents }: Open,
  collection: Collection,
  [byId, , table]: readonly [Documents, ReadonlyArray<Field>, ReadonlyArray<Holds>]
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

/** Everything again on a collection with indexes. */
export const indexes: ReadonlyArray<Case<Services>> = [
  ...topic(
    "indexes",
    Object.fromEntries(
      Object.entries(tables).map(([what, table]) => [
        `change nothing for ${what}`,
        (open) => runs(open, { name: "indexed", indexes: table[1] }, table)
      ])
    )
  ),
  ...topic("indexes", {
    "change nothing for fields of whatever name": ({ documents }) =>
      Effect.gen(function* () {
        const some = names.slice(0, 20)
        const collection: Collection = { name: "indexed", indexes: some.map(text) }
        yield* documents.commit(some.map((name, n) => put(`${n}`, { [name]: name }, { collection })))
        for (const [n, name] of some.entries()) {
          const where = compare("eq", text(name))(name)
          yield* equal(name, yield* found(documents, { where }, collection), [`${n}`])
        }
      }),
    "change nothing for what the store keeps with documents": ({ documents }) =>
      Effect.gen(function* () {
        const collection: Collection = {
          name: "indexed",
          indexes: [text("$id"), number("$version"), number("$createdAt"), number("$updatedAt")]
        }
        yield* documents.commit([put("a", {}, { collection }), put("b", {}, { collection })])
        yield* documents.commit([put("b", {}, { collection })])
        const where = compare("gt", number("$version"))(1)
        yield* equal("found", yield* found(documents, { where }, collection), ["b"])
        const sort = [{ field: number("$updatedAt"), direction: "asc" }, {
          field: text("$id"),
          direction: "desc"
        }] as const
        yield* equal("count", (yield* documents.find(collection, select({ sort }))).length, 2)
      }),
    "can be added later, and others be declared the next time": ({ documents }) =>
      Effect.gen(function* () {
        const declared = (...indexes: ReadonlyArray<Field>): Collection => ({ name: "indexed", indexes })
        const where = compare("eq", text("f"))("a")
        const collections = [
          declared(),
          declared(text("f")),
          declared(number("f"), text("g")),
          declared(),
          declared(text("g"), text("f"))
        ]
        for (const [n, collection] of collections.entries()) {
          yield* documents.commit([
            put(`${n}`, { f: "a", g: "b" }, { collection }),
            put(`x${n}`, { f: n }, { collection })
          ])
          for (const each of collections) {
            yield* equal(
              `found after ${n}`,
              yield* found(documents, { where }, each),
              numbers(n + 1).map(String)
            )
          }
        }
      }),
    "take texts that are long, and alike in what they begin with": ({ documents }) =>
      Effect.gen(function* () {
        const collection: Collection = { name: "indexed", indexes: [text("f")] }
        const long = (end: string) => `${"é".repeat(20_000)}${end}`
        yield* documents.commit(["b", "a", "c"].map((end) => put(end, { f: long(end) }, { collection })))
        yield* documents.commit([put("short", { f: "s" }, { collection })])
        yield* equal("eq", yield* found(documents, { where: textual("eq")(long("b")) }, collection), ["b"])
        yield* equal("gt", yield* found(documents, { where: textual("gt")(long("a")) }, collection), [
          "b",
          "c"
        ])
        yield* equal("lt", yield* found(documents, { where: textual("lt")(long("b")) }, collection), [
          "a",
          "short"
        ])
        yield* equal(
          "in",
          yield* found(documents, { where: within("in", text("f"), long("c"), "s") }, collection),
          ["c", "short"]
        )
        yield* equal("like", yield* found(documents, { where: like("%éa") }, collection), ["a"])
        const sort = [{ field: text("f"), direction: "desc" }] as const
        yield* equal("sort", yield* found(documents, { sort }, collection), ["c", "b", "a", "short"])
      })
  })
]
