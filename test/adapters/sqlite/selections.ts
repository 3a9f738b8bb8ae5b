/** Documents and selections of every sort, by chance: what a database finds is compared with what memory finds. */
import fc from "fast-check"
import type { Collection, Condition, Field, Put, Selection } from "../../../src/repository/DocumentStore.ts"

const names = [
  "a",
  "A",
  "a.b",
  'q"q',
  "b\\s",
  "é😀",
  "'",
  "$",
  "$.a",
  "[0]",
  "#",
  "?",
  " x y",
  "\n\u0001",
  "__proto__",
  "length"
]

const texts = [
  "",
  "a",
  "A",
  "ab",
  "abc",
  "a ",
  " ",
  "a*b",
  "a?b",
  "[a]",
  "]",
  "^",
  "%",
  "_",
  "\\",
  "é",
  "e\u0301",
  "😀",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "\u{10ffff}",
  "\n",
  "9",
  "10",
  "'",
  '"',
  "true",
  "null"
]

const text = fc.oneof(
  fc.constantFrom(...texts),
  fc.array(fc.constantFrom(...texts), { maxLength: 4 }).map((parts) => parts.join(""))
)

const numbers = [
  0,
  1,
  9,
  10,
  -1,
  0.1,
  0.1 + 0.2,
  2 ** 53,
  2 ** 60,
  -(2 ** 63),
  2 ** 64,
  1e21,
  5e-324,
  1.7976931348623157e308
]

const number = fc.oneof(
  fc.constantFrom(...numbers),
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n === 0 ? 0 : n)
)

const anything = fc.oneof(text, number, fc.boolean(), fc.constantFrom(null, {}, [], ["a"], { a: "a" }))

/** Fields of one kind each are declared, whatever the documents hold. */
const fields: ReadonlyArray<Field> = [
  ...names.map((name, i): Field => ({ name, kind: (["text", "number", "boolean"] as const)[i % 3]! })),
  { name: "$id", kind: "text" },
  { name: "$version", kind: "number" },
  { name: "$createdAt", kind: "number" }
]

const field = fc.constantFrom(...fields)

/** A collection with indexes on some of the fields. */
export const collection: fc.Arbitrary<Collection> = fc.subarray([...fields], { maxLength: 4 })
  .map((indexes) => ({ name: "Things", indexes }))

/** Documents to put into it, with different ids. */
export const puts = (collection: Collection): fc.Arbitrary<ReadonlyArray<Put>> =>
  fc.uniqueArray(
    fc.tuple(
      fc.oneof(fc.constantFrom(...texts.filter((id) => id !== "")), fc.uuid()),
      fc.dictionary(fc.constantFrom(...names), anything)
    ),
    {
      selector: ([id]) => id,
      maxLength: 25
    }
  ).map((all) =>
    all.map(([id, data]) => ({
      op: "put",
      collection,
      id,
      expected: "any",
      data: JSON.stringify(data),
      position: 0,
      expiresAt: undefined
    }))
  )

const valueOf = ({ kind }: Field): fc.Arbitrary<string | number | boolean> =>
  kind === "text" ? text : kind === "number" ? number : fc.boolean()

const pattern = fc.array(
  fc.oneof(
    fc.constantFrom("%", "_", "\\%", "\\_", "\\\\", "\\a", "\\😀"),
    text.map((part) => part.replaceAll(/[\\]/g, "\\\\"))
  ),
  { maxLength: 5 }
).map((parts) => parts.join(""))

const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    field.chain((field) =>
      fc.record({
        op: fc.constantFrom("eq", "neq", "gt", "gte", "lt", "lte"),
        field: fc.constant(field),
        value: valueOf(field)
      })
    ),
    field.chain((field) =>
      fc.record({
        op: fc.constantFrom("in", "notIn"),
        field: fc.constant(field),
        values: fc.array(valueOf(field), { maxLength: 5 })
      })
    ),
    fc.record({
      op: fc.constant("like"),
      field: fc.constantFrom(...fields.filter(({ kind }) => kind === "text")),
      pattern
    }),
    fc.record({
      op: fc.constantFrom("isNull", "isNotNull"),
      field: fc.oneof(field, fc.constantFrom(...names).map((name): Field => ({ name, kind: "any" })))
    }),
    fc.record({ op: fc.constantFrom("and", "or"), conditions: fc.array(tie("condition"), { maxLength: 4 }) })
  ) as fc.Arbitrary<Condition>
}))

/** What is asked for. */
export const selection: fc.Arbitrary<Selection> = fc.record({
  where: fc.option(condition, { nil: undefined }),
  sort: fc.array(fc.record({ field, direction: fc.constantFrom("asc", "desc") }), { maxLength: 3 }),
  deleted: fc.constantFrom("without", "with", "only"),
  limit: fc.constantFrom(0, 1, 3, 1000),
  offset: fc.constantFrom(0, 1, 5)
})
