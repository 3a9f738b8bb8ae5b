import { expect } from "bun:test"
import * as Mysql from "dunnock/mysql"
import { Effect, type Scope } from "effect"
import type { Stores } from "../../../src/repository/Stores.ts"
import type { Collection, Write } from "../../../src/repository/DocumentStore.ts"
import { range } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { mysql } from "../../services/mod.ts"
import { connect, query } from "./store.ts"

const test = testsOn("mysql, documents", mysql)

const run = (body: (stores: Stores, url: string) => Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    yield* body(yield* Mysql.make({ url }), url)
  })))

const things: Collection = {
  name: "things",
  indexes: [{ name: "text", kind: "text" }, { name: "n", kind: "number" }, { name: "yes", kind: "boolean" }]
}

const put = (id: string, data: object | string = {}, expected: "any" | number = "any"): Write => ({
  op: "put",
  collection: things,
  id,
  expected,
  data: typeof data === "string" ? data : JSON.stringify(data),
  position: 0,
  expiresAt: undefined
})

const check = (id: string, expected: number): Write => ({ op: "check", collection: things, id, expected })

test("a declared field is found by its index", () =>
  run(({ documents }, url) =>
    Effect.gen(function* () {
      yield* documents.commit(
        range(2_000).map((n) => put(`${n}`, { text: `text ${n}`, n, yes: n === 7, more: "x".repeat(300) }))
      )
      const connection = yield* connect(url)
      yield* query(connection, "analyze table dunnock_doc_things")
      const columns = yield* query(
        connection,
        "select column_name as name, data_type as type from information_schema.columns where table_schema = database() and column_name like 'field%'"
      )
      const columnOf = (type: string) => columns.find((column) => column["type"] === type)!["name"] as string
      const conditions = [
        `${columnOf("longtext")} = 'text 7'`,
        `${columnOf("longtext")} >= 'text 998'`,
        `${columnOf("double")} = 7`,
        `${columnOf("double")} in (7, 8.5)`,
        `${columnOf("tinyint")} = true`
      ]
      for (const condition of conditions) {
        const [plan] = yield* query(
          connection,
          `explain select id from dunnock_doc_things where ${condition}`
        )
        expect([condition, plan!["key"]]).toEqual([condition, expect.stringContaining("dunnock_index_")])
      }
      const [sorted] = yield* query(
        connection,
        `explain select id from dunnock_doc_things order by ${columnOf("double")}, id limit 10`
      )
      expect(sorted!["key"]).toEqual(expect.stringContaining("dunnock_index_"))
    })
  ))

test("of commits that each write what the other has found to be absent, one happens", () =>
  run(({ documents }, url) =>
    Effect.gen(function* () {
      const other = (yield* Mysql.make({ url })).documents
      for (const i of range(20)) {
        const [a, b] = [`a${i}`, `b${i}`]
        const outcomes = yield* Effect.all([
          Effect.result(documents.commit([check(a, 0), put(b)])),
          Effect.result(other.commit([check(b, 0), put(a)]))
        ], { concurrency: "unbounded" })
        expect(outcomes.map(({ _tag }) => _tag).toSorted()).toEqual(["Failure", "Success"])
        expect((yield* documents.get(things, [a, b])).filter((document) => document !== undefined).length)
          .toBe(1)
      }
    })
  ))

test("what the server's JSON functions do not take is refused as bad input", () =>
  run(({ documents }) =>
    Effect.gen(function* () {
      const deep = `{"a":${"[".repeat(200)}${"]".repeat(200)}}`
      for (const data of [deep, "{", "nothing"]) {
        const { reason } = yield* Effect.flip(documents.commit([put("good"), put("bad", data)]))
        expect(reason._tag).toBe("InvalidInput")
      }
      expect(yield* documents.get(things, ["good", "bad"])).toEqual([undefined, undefined])
    })
  ))

test("a document is as it was written, to the last character", () =>
  run(({ documents }) =>
    Effect.gen(function* () {
      const data = '{ "b":1.50, "a":"\\u00e4 ☃ \\\\ \' \\" 😀 \\n", "b2":1e21,\t"a ":[ ] }'
      yield* documents.commit([put("a", data)])
      expect((yield* documents.get(things, ["a"]))[0]?.data).toBe(data)
    })
  ))
