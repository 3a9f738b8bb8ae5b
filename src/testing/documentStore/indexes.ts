// Indexes change nothing but time.
import * as Effect from "effect/Effect"
import type { Collection, Field } from "../../repository/DocumentStore.ts"
import { type Case, equal } from "../Contract.ts"
import { runs } from "./conditions.ts"
import { found, number, numbers, put, select, type Services, text, topic } from "./fixture.ts"
import { compare, like, names, tables, textual, within } from "./tables.ts"

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
