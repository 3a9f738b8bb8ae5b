/** Any condition on any documents finds the same in every store, with indexes and without. */
import { expect, test } from "bun:test"
import { DocumentStore } from "dunnock"
import * as Memory from "dunnock/memory"
import * as Mysql from "dunnock/mysql"
import * as Postgres from "dunnock/postgres"
import * as Sqlite from "dunnock/sqlite"
import { Context, Effect, Layer, type Scope } from "effect"
import fc from "fast-check"
import { file } from "../contract/scratch.ts"
import { testsOn } from "../services/bun.ts"
import { mysql, postgres } from "../services/mod.ts"

type Store = DocumentStore.DocumentStore
type Field = DocumentStore.Field
type Condition = DocumentStore.Condition

// --- documents and conditions

const texts = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "A",
    "a ",
    "ab",
    "b",
    "ä",
    "a\u0308",
    "ß",
    "😀",
    "\uffff",
    "1",
    "true",
    "null",
    "%",
    "_",
    "\\",
    "'",
    '"',
    "\n"
  ),
  fc.string({
    unit: fc.constantFrom("a", "b", "A", "%", "_", "\\", "é", "😀", "\uffff", "[", "*", "?", "'"),
    maxLength: 4
  })
)
const numbers = fc.oneof(
  fc.constantFrom(0, 1, -1, 0.1, 0.5, 1e21, 1e-7, 9_007_199_254_740_991, -9_007_199_254_740_991, 10, 9),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }).map((n) => n + 0)
)
const values = fc.oneof(
  texts,
  numbers,
  fc.boolean(),
  fc.constantFrom<unknown>(null, [], ["a"], {}, { a: "a" }, [1])
)
const names = ["t", "n", "b", "x.y", '"q"'] as const
const documents = fc.array(
  fc.record(Object.fromEntries(names.map((name) => [name, values])), {
    requiredKeys: [],
    noNullPrototype: true
  }),
  { maxLength: 12 }
)

const name = fc.constantFrom(...names)
const fieldOf = (kind: DocumentStore.Kind): fc.Arbitrary<Field> => name.map((name) => ({ name, kind }))
const id: fc.Arbitrary<Field> = fc.constant({ name: "$id", kind: "text" })
const patterns = texts.filter((text) => /^(?:[^\\]|\\.)*$/su.test(text))

/** A field and values of its kind. */
const typed = <A>(
  then: (field: fc.Arbitrary<Field>, value: fc.Arbitrary<string | number | boolean>) => fc.Arbitrary<A>
) =>
  fc.oneof(
    then(fieldOf("text"), texts),
    then(fieldOf("number"), numbers),
    then(fieldOf("boolean"), fc.boolean()),
    then(id, texts)
  )

const leaves: fc.Arbitrary<Condition> = fc.oneof(
  typed((field, value) =>
    fc.record({ op: fc.constantFrom("eq", "neq", "gt", "gte", "lt", "lte"), field, value }, {
      noNullPrototype: true
    })
  ),
  typed((field, value) =>
    fc.record({ op: fc.constantFrom("in", "notIn"), field, values: fc.array(value, { maxLength: 4 }) }, {
      noNullPrototype: true
    })
  ),
  fc.record({ op: fc.constant("like"), field: fc.oneof(fieldOf("text"), id), pattern: patterns }, {
    noNullPrototype: true
  }),
  fc.record({
    op: fc.constantFrom("isNull", "isNotNull"),
    field: fc.constantFrom("text", "number", "boolean", "any").chain(fieldOf)
  }, { noNullPrototype: true })
)

const { condition: conditions } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: "small" },
    { arbitrary: leaves, weight: 3 },
    { arbitrary: joined("and", tie("condition")), weight: 1 },
    { arbitrary: joined("or", tie("condition")), weight: 1 }
  )
}))

function joined(op: "and" | "or", condition: fc.Arbitrary<Condition>): fc.Arbitrary<Condition> {
  return fc.array(condition, { maxLength: 3 }).map((conditions) => ({ op, conditions }))
}

const selections = fc.record({
  where: fc.option(conditions, { nil: undefined }),
  sort: fc.array(
    fc.record({
      field: fc.oneof(fc.constantFrom("text", "number", "boolean").chain(fieldOf), id),
      direction: fc.constantFrom("asc", "desc")
    }, { noNullPrototype: true }),
    { maxLength: 2 }
  ),
  deleted: fc.constantFrom("without", "with", "only"),
  limit: fc.oneof({ arbitrary: fc.constant(1_000), weight: 3 }, { arbitrary: fc.nat(5), weight: 1 }),
  offset: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat(5), weight: 1 })
}, { noNullPrototype: true }) satisfies fc.Arbitrary<DocumentStore.Selection>

const indexes = fc.uniqueArray(fc.constantFrom("text", "number", "boolean").chain(fieldOf), {
  selector: ({ name }) => name,
  maxLength: 3
})

// --- stores

const ids = ["a", "B", "ä", "a ", "😀", "\uffff", "%", "10", "9", "b", "_", "'"]

/** What every selection finds among the documents, and how many it counts. */
const outcomes = (
  store: Store,
  collection: DocumentStore.Collection,
  all: ReadonlyArray<object>,
  asked: ReadonlyArray<DocumentStore.Selection>
) =>
  Effect.gen(function* () {
    yield* store.commit(all.map((data, i) => ({
      op: "put",
      collection,
      id: ids[i]!,
      expected: 0,
      data: JSON.stringify(data),
      position: 0,
      expiresAt: undefined
    })))
    const deleted = all.flatMap((_, i) => i % 4 === 3 ? [ids[i]!] : [])
    yield* store.commit(deleted.map((id) => ({ op: "delete", collection, id, expected: 1 })))
    const found = yield* Effect.forEach(asked, (selection) =>
      Effect.all({
        found: Effect.map(store.find(collection, selection), (found) => found.map(({ id }) => id)),
        count: store.count(collection, selection)
      }))
    yield* store.drop(collection)
    return found
  })

const open = (layer: Layer.Layer<Store, unknown>): Effect.Effect<Store, unknown, Scope.Scope> =>
  Effect.map(Layer.build(Layer.fresh(layer)), Context.get(DocumentStore.DocumentStore))

const agree = (layer: Layer.Layer<Store, unknown>, numRuns: number) =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const memory = yield* open(Memory.layer)
    const store = yield* open(layer)
    const property = fc.asyncProperty(
      documents,
      indexes,
      fc.array(selections, { minLength: 1, maxLength: 8 }),
      async (all, indexes, asked) => {
        const bare = { name: "bare", indexes: [] }
        const expected = await Effect.runPromise(outcomes(memory, bare, all, asked))
        const actual = await Effect.runPromise(outcomes(store, bare, all, asked))
        const indexed = await Effect.runPromise(outcomes(store, { name: "indexed", indexes }, all, asked))
        asked.forEach((selection, i) => {
          expect({ selection, ...actual[i] }).toEqual({ selection, ...expected[i]! })
          expect({ selection, indexed: true, ...indexed[i] }).toEqual({
            selection,
            indexed: true,
            ...expected[i]!
          })
        })
      }
    )
    yield* Effect.promise(() => fc.assert(property, { numRuns, seed: 4 }))
  })))

/** Longer by a flag: `DUNNOCK_RUNS=5000 bun test test/repository/conditions.test.ts`. */
const runs = (count: number): number => Number(process.env.DUNNOCK_RUNS ?? count)

/** Runs it on a store of a place. */
const on = <A>(
  place: Effect.Effect<A, unknown, Scope.Scope>,
  layer: (place: A) => Layer.Layer<Store, unknown>,
  count: number
) =>
() =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(place, (place) => Effect.promise(() => agree(layer(place), runs(count)))))
  )

test(
  "memory and SQLite find the same",
  on(file, (filename) => Sqlite.layer({ filename, synchronous: "OFF" }), 200),
  600_000
)
testsOn("conditions", postgres)(
  "memory and PostgreSQL find the same",
  on(postgres.database, ({ url }) => Postgres.layer({ url }), 60),
  600_000
)
testsOn("conditions", mysql)(
  "memory and MySQL find the same",
  on(mysql.database, ({ url }) => Mysql.layer({ url }), 20),
  600_000
)
