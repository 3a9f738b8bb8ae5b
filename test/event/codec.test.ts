/** What is written is what is read, for events of every shape. */
import { describe, expect, test } from "bun:test"
import { Event } from "dunnock"
import { Option, Result, Schema } from "effect"
import fc from "fast-check"

type Any = Schema.Codec<unknown, unknown>

/** A schema with values of it. */
interface Shape {
  readonly schema: Any
  readonly values: fc.Arbitrary<unknown>
}

const shape = <A, I>(schema: Schema.Codec<A, I>, values: fc.Arbitrary<A>): Shape => ({
  schema: schema as unknown as Any,
  values
})

const texts = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("\ud834", "\udd1e", "\0", "\u2028", "\ufeff", "e\u0301", '"', "\\", "a")
  }),
  fc.constantFrom("NaN", "null", "12", "__proto__", "2026-11-20T00:00:00.000Z")
)
// JSON has no −0: it is read as 0
const numbers = fc.double().map((n) => n + 0)

const leaves = fc.constantFrom(
  shape(Schema.String, texts),
  shape(Schema.Number, numbers),
  shape(Schema.Int, fc.maxSafeInteger()),
  shape(Schema.Boolean, fc.boolean()),
  shape(Schema.BigInt, fc.bigInt()),
  shape(Schema.Date, fc.date({ noInvalidDate: true })),
  shape(Schema.Uint8Array, fc.uint8Array()),
  shape(Schema.Literals(["on", "off"]), fc.constantFrom("on" as const, "off" as const)),
  shape(
    Schema.Json,
    fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as Schema.Json)
  )
)

const fields = (inner: fc.Arbitrary<Shape>) =>
  fc.dictionary(
    fc.constantFrom("a", "b", "", "ünï ☃", "0"),
    fc.tuple(inner, fc.boolean()),
    { minKeys: 1, maxKeys: 4, noNullPrototype: true }
  )

/** A struct of these fields, each with whether it may be missing. */
const struct = (fields: Record<string, readonly [Shape, boolean]>, tag?: string): Shape => {
  const entries = Object.entries(fields)
  const schemas = entries.map((
    [key, [{ schema }, optional]]
  ) => [key, optional ? Schema.optionalKey(schema) : schema])
  const values = fc.record(Object.fromEntries(entries.map(([key, [{ values }]]) => [key, values])), {
    requiredKeys: entries.filter(([, [, optional]]) => !optional).map(([key]) => key),
    noNullPrototype: true
  })
  const tagged = tag === undefined ? {} : { _tag: Schema.Literal(tag) }
  return {
    schema: Schema.Struct({ ...Object.fromEntries(schemas), ...tagged }) as unknown as Any,
    values: tag === undefined ? values : values.map((value) => ({ ...value, _tag: tag }))
  }
}

const within = (inner: fc.Arbitrary<Shape>): fc.Arbitrary<Shape> =>
  fc.oneof(
    inner.map(({ schema, values }) => shape(Schema.Array(schema), fc.array(values, { maxLength: 4 }))),
    inner.map(({ schema, values }) => shape(Schema.Option(schema), values.map(Option.some))),
    inner.map(({ schema }) => shape(Schema.Option(schema), fc.constant(Option.none()))),
    inner.map(({ schema, values }) => shape(Schema.NullOr(schema), fc.option(values))),
    inner.map(({ schema, values }) =>
      shape(
        Schema.Record(Schema.String, schema),
        fc.dictionary(texts, values, { maxKeys: 4, noNullPrototype: true })
      )
    ),
    inner.map(({ schema, values }) =>
      shape(
        Schema.ReadonlyMap(Schema.String, schema),
        fc.array(fc.tuple(texts, values)).map((all) => new Map(all))
      )
    ),
    fc.tuple(inner, inner).map(([a, b]) =>
      shape(Schema.Tuple([a.schema, b.schema]), fc.tuple(a.values, b.values))
    ),
    fields(inner).map((of) => struct(of)),
    fc.tuple(fields(inner), fields(inner)).map(([a, b]) => {
      const [A, B] = [struct(a, "A"), struct(b, "B")]
      return shape(Schema.Union([A.schema, B.schema]), fc.oneof(A.values, B.values))
    })
  )

const shapes: fc.Arbitrary<Shape> = fc.oneof(
  leaves,
  within(fc.oneof(leaves, within(fc.oneof(leaves, within(leaves)))))
)

const encode = (field: Any, value: unknown) => {
  const set = Event.set({ Shaped: { field } })
  return { set, result: Event.encode(set, { _tag: "Shaped", field: value } as const) }
}

const roundTrip = (field: Any, value: unknown) => {
  const { result, set } = encode(field, value)
  const encoded = Result.getOrThrow(result)
  return Event.decode(set, encoded).field
}

describe("what is encoded and decoded is the same", () => {
  test("for events of every shape", () => {
    const samples = shapes.chain(({ schema, values }) => fc.tuple(fc.constant(schema), values))
    fc.assert(
      fc.property(samples, ([schema, value]) => expect(roundTrip(schema, value)).toStrictEqual(value)),
      { numRuns: 1_000 }
    )
  })

  test("for recursive events", () => {
    interface Tree {
      readonly value: number
      readonly children: ReadonlyArray<Tree>
    }
    const Tree = Schema.Struct({
      value: Schema.Number,
      children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
    })
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.record({
        value: numbers,
        children: fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie("tree"), { maxLength: 3 }))
      }, { noNullPrototype: true })
    }))
    fc.assert(
      fc.property(
        tree,
        (value) => expect<unknown>(roundTrip(Tree as unknown as Any, value)).toStrictEqual(value)
      )
    )
  })

  test("and the event that was given is not touched", () => {
    const set = Event.set({ E: { list: Schema.Array(Schema.Date), key: Schema.optionalKey(Schema.String) } })
    const event = Object.freeze(
      { _tag: "E", list: Object.freeze([new Date(1)]) as unknown as Date[] } as const
    )
    const encoded = Result.getOrThrow(Event.encode(set, event))
    expect(Event.decode(set, encoded)).toStrictEqual({ _tag: "E", list: [new Date(1)] })
    expect(event).toStrictEqual({ _tag: "E", list: [new Date(1)] })
  })

  test("whatever the type is called, if it is a name", () => {
    fc.assert(fc.property(texts, (type) => {
      if (type === "__proto__") return
      const make = () => Event.set({ [type]: { n: Schema.Int }, other: {} })
      if (type === "" || type.includes("\0") || !type.isWellFormed()) {
        return expect(make).toThrow("the event type")
      }
      const encoded = Result.getOrThrow(Event.encode(make(), { _tag: type, n: 1 } as never))
      expect<unknown>(Event.decode(make(), encoded)).toStrictEqual({ n: 1, _tag: type })
    }))
    expect(() => Event.set({ ["x".repeat(256)]: {} })).toThrow("256 characters")
  })
})

describe("an event that cannot be kept as it is, is refused and says where", () => {
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  const refused: Record<string, readonly [schema: Any, value: unknown]> = {
    "an invalid Date": [Schema.Date as unknown as Any, new Date(NaN)],
    "a bigint in JSON": [Schema.Json as unknown as Any, { deep: [1n] }],
    "a bigint in an unknown": [Schema.Unknown as unknown as Any, { deep: [1n] }],
    "a function": [Schema.Unknown as unknown as Any, () => 1],
    "a fraction where a whole number is asked for": [Schema.Int as unknown as Any, 1.5],
    "NaN where a whole number is asked for": [Schema.Int as unknown as Any, NaN],
    "undefined where a text is asked for": [Schema.String as unknown as Any, undefined]
  }
  for (const [name, [field, value]] of Object.entries(refused)) {
    test(name, () => {
      const problem = Result.getOrThrow(Result.flip(encode(field, value).result))
      expect(problem).toContain('"Shaped"')
      expect(problem).toContain('["field"]')
    })
  }

  test("a cyclic value", () => {
    const problem = Result.getOrThrow(Result.flip(encode(Schema.Unknown as unknown as Any, cyclic).result))
    expect(problem).toContain('"Shaped"')
  })
})

test("a field cannot be called _tag, which is the event's type", () => {
  expect(() => Event.make({ _tag: Schema.String } as Schema.Struct.Fields)).toThrow("_tag")
  expect(() => Event.set({ E: { _tag: Schema.String } as Schema.Struct.Fields })).toThrow("_tag")
})

test("two sets with different events of the same type cannot be merged", () => {
  const shared = Event.set({ A: { n: Schema.Int } })
  expect(Event.merge(shared, Event.set({ B: {} }), shared).types).toEqual(["A", "B"])
  expect(() => Event.merge(shared, Event.set({ A: { n: Schema.Int } }))).toThrow('"A"')
})
