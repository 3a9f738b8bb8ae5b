// Bad input fails with what is wrong and where, and nothing is written.
import * as Effect from "effect/Effect"
import {
  type Collection,
  type Condition,
  type DocumentStore,
  maxConditions,
  maxDocumentLength,
  type Selection,
  type Write
} from "../../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../../repository/DocumentStoreError.ts"
import { type Case, equal, holds } from "../Contract.ts"
import {
  any,
  boolean,
  found,
  number,
  numbers,
  put,
  refused,
  select,
  type Services,
  text,
  things,
  topic,
  where
} from "./fixture.ts"

type Attempt = (documents: DocumentStore) => Effect.Effect<unknown, DocumentStoreError>

const writes = (...writes: ReadonlyArray<unknown>): Attempt => (documents) =>
  documents.commit(writes as ReadonlyArray<Write>)
const finding = (selection: object): Attempt => (documents) =>
  documents.find(things, { ...select(), ...selection } as Selection)
const condition = (condition: object): Attempt => (documents) =>
  documents.find(things, where(condition as Condition))
const named = (name: string): Attempt => (documents) => documents.get({ name, indexes: [] }, ["a"])
const indexed = (...indexes: ReadonlyArray<unknown>): Attempt => (documents) =>
  documents.find({ name: "indexed", indexes } as Collection, select())
const raw = (data: unknown): Attempt => writes({ ...put("a"), data })

/** What is wrong, how it is tried, and where the error says it is. */
const attempts: ReadonlyArray<readonly [string, Attempt, string]> = [
  ["an empty id", writes(put("")), "writes[0].id"],
  ["an id that is too long", writes(put("x".repeat(256))), "writes[0].id"],
  ["an id with a NUL", writes(put("a\0b")), "writes[0].id"],
  ["an id with half of a surrogate pair", writes(put("\ud800")), "writes[0].id"],
  ["an id that is a number", writes({ ...put("a"), id: 7 }), "writes[0].id"],
  ["a document that is written twice", writes(put("a"), put("b"), put("a")), "writes[2].id"],
  [
    "a document that is written twice, under a name of its collection in capitals",
    writes(put("a"), put("a", {}, { collection: { name: "Things", indexes: [] } })),
    "writes[1].id"
  ],
  ["a version below 0", writes(put("a", {}, { expected: -1 })), "writes[0].expected"],
  ["a version that is no number", writes({ ...put("a"), expected: "1" }), "writes[0].expected"],
  ["a version that is not whole", writes(put("a"), put("b", {}, { expected: 1.5 })), "writes[1].expected"],
  ["a position below 0", writes(put("a", {}, { position: -1 })), "writes[0].position"],
  ["an expiry that is not whole", writes(put("a", {}, { expiresAt: 0.5 })), "writes[0].expiresAt"],
  ["data that are no JSON", raw("nonsense"), "writes[0].data"],
  ["data that are no object", raw("[1]"), "writes[0].data"],
  ["data that are no text", raw({}), "writes[0].data"],
  ["data with a NUL", raw(`{"a":"\\u0000"}`), "writes[0].data"],
  ["data with a NUL in a name", raw(`{"b":[{"a\\u0000":1}]}`), "writes[0].data"],
  ["data with half of a surrogate pair", raw(JSON.stringify({ a: "\ud800" })), "writes[0].data"],
  ["data that are too large", raw(`{"a":"${"x".repeat(maxDocumentLength)}"}`), "writes[0].data"],
  ["a collection without a name", named(""), "collection"],
  ["a collection whose name begins with a digit", named("1a"), "collection"],
  ["a collection whose name has a blank", named("a b"), "collection"],
  ["a collection whose name is SQL", named("a; drop table b"), "collection"],
  ["a collection whose name is too long", named("x".repeat(49)), "collection"],
  ["an index on a field twice", indexed(text("a"), text("a")), "the indexes of indexed[1]"],
  ["an index on a field of any kind", indexed(any("a")), "the indexes of indexed[0]"],
  ["an index on a field of no kind", indexed({ name: "a" }), "the indexes of indexed[0].kind"],
  ["an id to be got that is empty", (documents) => documents.get(things, ["a", ""]), "ids[1]"],
  ["a limit below 0", finding({ limit: -1 }), "limit"],
  ["a limit that is endless", finding({ limit: Infinity }), "limit"],
  ["an offset that is not whole", finding({ offset: 1.5 }), "offset"],
  [
    "a direction that is none",
    finding({ sort: [{ field: text("a"), direction: "up" }] }),
    "sort[0].direction"
  ],
  [
    "a sort by a field of any kind",
    finding({ sort: [{ field: any("a"), direction: "asc" }] }),
    "sort[0].field"
  ],
  ["a choice of the deleted that is none", finding({ deleted: "yes" }), "deleted"],
  ["an operator that is none", condition({ op: "near", field: text("a"), value: "b" }), "where"],
  ["a number compared with a text", condition({ op: "eq", field: number("a"), value: "1" }), "where.eq"],
  ["a text compared with a number", condition({ op: "lt", field: text("a"), value: 1 }), "where.lt"],
  ["a boolean compared with null", condition({ op: "neq", field: boolean("a"), value: null }), "where.neq"],
  ["a number that is none", condition({ op: "gt", field: number("a"), value: NaN }), "where.gt"],
  ["a field of any kind compared", condition({ op: "eq", field: any("a"), value: "1" }), "where.eq"],
  ["a value with a NUL", condition({ op: "eq", field: text("a"), value: "\0" }), "where.eq"],
  [
    "a list with a value of another kind",
    condition({ op: "in", field: text("a"), values: ["a", 1] }),
    "where.in[1]"
  ],
  ["a pattern for a number", condition({ op: "like", field: number("a"), pattern: "1" }), "where.like"],
  [
    "a pattern that ends too early",
    condition({ op: "like", field: text("a"), pattern: "a\\" }),
    "where.like"
  ],
  ["a field without a name", condition({ op: "isNull", field: text("") }), "where.field.name"],
  [
    "a field of another kind than it has",
    condition({ op: "isNull", field: text("$version") }),
    "where.field.kind"
  ],
  [
    "something within other conditions",
    condition({
      op: "or",
      conditions: [{ op: "and", conditions: [{ op: "isNull", field: { name: "a", kind: "x" } }] }]
    }),
    "where.or[0].and[0].field.kind"
  ],
  [
    "more conditions than are taken",
    condition({
      op: "or",
      conditions: numbers(maxConditions).map(() => ({ op: "isNull", field: text("a") }))
    }),
    "where"
  ]
]

export const badInput: ReadonlyArray<Case<Services>> = topic(
  "bad input of documents",
  Object.fromEntries(attempts.map(([what, attempt, at]) => [
    `${what} is refused, and nothing is written`,
    ({ documents }) =>
      Effect.gen(function* () {
        yield* documents.commit([put("kept")])
        const reason = yield* refused("InvalidInput", attempt(documents))
        yield* equal("at", reason.at, at)
        yield* holds(`says nothing: ${reason.problem}`, reason.problem.length > 5)
        yield* equal("found", yield* found(documents), ["kept"])
      })
  ]))
)
