/** How SQLite finds documents: by the indexes that are declared. */
import { describe, expect, test } from "bun:test"
import * as Sqlite from "dunnock/sqlite"
import { Effect } from "effect"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"
import { indexOf } from "../../../adapters/sql/Collections.ts"
import { type DocumentStatements, statements } from "../../../adapters/sql/Documents.ts"
import * as SqliteDialect from "../../../adapters/sqlite/SqliteDialect.ts"
import type { Collection, Condition, Field, Selection } from "../../../src/repository/DocumentStore.ts"
import { file } from "../../contract/scratch.ts"

const odd: Field = { name: `it's "odd" \\ .[0]`, kind: "text" }
const city: Field = { name: "city", kind: "text" }
const total: Field = { name: "total", kind: "number" }
const paid: Field = { name: "paid", kind: "boolean" }
const created: Field = { name: "$createdAt", kind: "number" }
const version: Field = { name: "$version", kind: "number" }
const orders: Collection = { name: "Orders", indexes: [odd, city, total, paid, created, version] }

const select = (selection: Partial<Selection>): Selection => ({
  where: undefined,
  sort: [],
  deleted: "without",
  limit: 10,
  offset: 0,
  ...selection
})

/** What SQLite is going to do, a step a line. */
const planOf = (
  of: (sql: DocumentStatements) => readonly [string, ReadonlyArray<unknown>]
): Promise<string> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const filename = yield* file
    const { documents } = yield* Sqlite.make({ filename })
    yield* documents.clearExpired(orders)
    const [sql, parameters] = of(statements(SqliteDialect.documents))
    const database = new DatabaseSync(filename, { readOnly: true })
    const steps = database.prepare(`explain query plan ${sql}`).all(
      ...parameters as ReadonlyArray<SQLInputValue>
    )
    database.close()
    return steps.map(({ detail }) => detail).join("\n")
  })))

const conditions: ReadonlyArray<readonly [name: string, condition: Condition]> = [
  ["a text that is equal", { op: "eq", field: city, value: "Oslo" }],
  ["a text of an odd name", { op: "eq", field: odd, value: "Oslo" }],
  ["a text that is greater", { op: "gt", field: city, value: "Oslo" }],
  ["a text that begins so", { op: "like", field: city, pattern: "Os%" }],
  ["one of many texts", { op: "in", field: city, values: ["Oslo", "Bergen"] }],
  ["an absent text", { op: "isNull", field: city }],
  ["a number that is equal", { op: "eq", field: total, value: 1.5 }],
  ["a number that is at most", { op: "lte", field: total, value: 3 }],
  ["one of many numbers", { op: "in", field: total, values: [1, 2] }],
  ["a truth", { op: "eq", field: paid, value: true }],
  ["one of both truths", { op: "in", field: paid, values: [true] }],
  ["a time", { op: "gte", field: created, value: 1_700_000_000_000 }],
  ["a version", { op: "eq", field: version, value: 3 }]
]

describe("a declared index serves", () => {
  for (const [name, where] of conditions) {
    test(name, async () => {
      const index = indexOf(orders, "field" in where ? where.field : city)
      for (
        const where1 of [where, {
          op: "and",
          conditions: [where, { op: "neq", field: { name: "x", kind: "text" }, value: "" }]
        }] as const
      ) {
        const plan = await planOf((sql) => sql.find(orders, select({ where: where1 }), 0))
        expect(plan).toContain(`SEARCH dunnock_doc_orders USING INDEX ${index}`)
        const count = await planOf((sql) => sql.count(orders, { where: where1, deleted: "without" }, 0))
        expect(count).toContain(`SEARCH dunnock_doc_orders USING INDEX ${index}`)
      }
    })
  }

  test("the order by a field, of which nothing is sorted that is not asked for", async () => {
    const by = (field: Field, direction: "asc" | "desc") => select({ sort: [{ field, direction }] })
    for (const field of [city, odd, total, paid, created]) {
      const plan = await planOf((sql) => sql.find(orders, by(field, "asc"), 0))
      expect(plan).toBe(`SCAN dunnock_doc_orders USING INDEX ${indexOf(orders, field)}`)
      const downwards = await planOf((sql) => sql.find(orders, by(field, "desc"), 0))
      expect(downwards).toContain(`SCAN dunnock_doc_orders USING INDEX ${indexOf(orders, field)}`)
      expect(downwards).toContain("LAST TERM OF ORDER BY")
    }
    const within = { ...by(total, "asc"), where: { op: "gt", field: total, value: 3 } as const }
    expect(await planOf((sql) => sql.find(orders, within, 0))).toBe(
      `SEARCH dunnock_doc_orders USING INDEX ${indexOf(orders, total)} (<expr>>?)`
    )
  })

  test("both sides of an alternative", async () => {
    const where: Condition = {
      op: "or",
      conditions: [{ op: "eq", field: city, value: "Oslo" }, { op: "eq", field: total, value: 100 }]
    }
    const plan = await planOf((sql) => sql.find(orders, select({ where }), 0))
    expect(plan).toContain("MULTI-INDEX OR")
    expect(plan).not.toContain("SCAN dunnock_doc_orders")
  })
})

describe("an index that is always there serves", () => {
  const key = "INDEX sqlite_autoindex_dunnock_doc_orders_1 (id=?)"

  test("ids, one or many", async () => {
    expect(await planOf((sql) => sql.get(orders, ["a"], 0))).toContain(key)
    expect(await planOf((sql) => sql.get(orders, ["a", "b"], 0))).toContain(key)
    expect(await planOf((sql) => sql.states(orders, ["a", "b"]))).toContain(key)
    expect(await planOf((sql) => sql.delete(orders, ["a", "b"], 0))).toContain(key)
    expect(await planOf((sql) => sql.remove(orders, ["a", "b"]))).toContain(key)
  })

  test("the order of ids, in which documents come when no other is asked for", async () => {
    expect(await planOf((sql) => sql.find(orders, select({}), 0))).toBe(
      "SCAN dunnock_doc_orders USING INDEX sqlite_autoindex_dunnock_doc_orders_1"
    )
  })

  test("the documents that have expired", async () => {
    const index = indexOf(orders, { name: "$expiresAt", kind: "number" })
    expect(await planOf((sql) => sql.clearExpired(orders, 0))).toContain(
      `SEARCH dunnock_doc_orders USING INDEX ${index} (expires_at<?)`
    )
  })
})
