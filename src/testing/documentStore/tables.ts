// Documents, and which of them conditions hold of.
import type { Condition, Field } from "../../repository/DocumentStore.ts"
import { any, boolean, number, text } from "./fixture.ts"

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

export const compare = (op: Comparison, field: Field) => (value: string | number | boolean): Condition => ({
  op,
  field,
  value
})
export const within = (
  op: "in" | "notIn",
  field: Field,
  ...values: ReadonlyArray<string | number | boolean>
): Condition => ({
  op,
  field,
  values
})
export const like = (pattern: string, field: Field = text("f")): Condition => ({ op: "like", field, pattern })
export const isNull = (field: Field): Condition => ({ op: "isNull", field })
export const isNotNull = (field: Field): Condition => ({ op: "isNotNull", field })
export const and = (...conditions: ReadonlyArray<Condition>): Condition => ({ op: "and", conditions })
export const or = (...conditions: ReadonlyArray<Condition>): Condition => ({ op: "or", conditions })

/** A condition and the ids of what it holds of. */
export type Holds = readonly [Condition, ReadonlyArray<string>]

const numeric = (op: Comparison) => compare(op, number("f"))
export const textual = (op: Comparison) => compare(op, text("f"))
const logical = (op: Comparison) => compare(op, boolean("f"))

/** What there is, without these. */
const but = (documents: Documents, ...ids: ReadonlyArray<string>) =>
  Object.keys(documents).filter((id) => !ids.includes(id))

const none = Object.keys(nothing)

/** Documents, what to index of them, and conditions on them. */
export type Table = readonly [Documents, ReadonlyArray<Field>, ReadonlyArray<Holds>]

export const tables: Readonly<Record<string, Table>> = {
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

/** Names of fields that some stores could take for something else. */
export const names = [
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
