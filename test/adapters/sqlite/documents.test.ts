/** Collections of documents as tables of a SQLite file: how they come and go, and what goes wrong. */
import { describe, expect, test } from "bun:test"
import * as Sqlite from "dunnock/sqlite"
import { Effect, Result, type Scope } from "effect"
import { SqlError } from "effect/sql"
import { DatabaseSync } from "node:sqlite"
import * as SqliteClient from "../../../adapters/sqlite/SqliteClient.ts"
import * as SqliteDocuments from "../../../adapters/sqlite/SqliteDocuments.ts"
import * as SqliteEventStore from "../../../adapters/sqlite/SqliteEventStore.ts"
import type { Append, Inline } from "../../../src/event/EventStoreDriver.ts"
import { EventStoreError, InlineFailed } from "../../../src/event/EventStoreError.ts"
import {
  type Collection,
  type Condition,
  DocumentStore,
  type Put,
  type Selection
} from "../../../src/repository/DocumentStore.ts"
import { file } from "../../contract/scratch.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => () => Effect.runPromise(Effect.scoped(effect))

const plain: Collection = { name: "Plain", indexes: [] }
const byName: Collection = { name: "plain", indexes: [{ name: "name", kind: "text" }] }

const put = (id: string, data: string | object = {}, collection = plain): Put => ({
  op: "put",
  collection,
  id,
  expected: "any",
  data: typeof data === "string" ? data : JSON.stringify(data),
  position: 0,
  expiresAt: undefined
})

const everything: Selection = { where: undefined, sort: [], deleted: "with", limit: 1_000, offset: 0 }

/** The tables and indexes of documents in a file, by name. */
const schema = (filename: string): ReadonlyArray<string> => {
  const database = new DatabaseSync(filename)
  const rows = database.prepare(
    "select type || ' ' || name as entry from sqlite_schema where tbl_name like 'dunnock_doc_%' and sql is not null order by 1"
  ).all()
  database.close()
  return rows.map(({ entry }) => entry as string)
}

/** Somebody else does something to a file. */
const elsewhere = (filename: string, statement: string): void => {
  const database = new DatabaseSync(filename)
  database.exec(statement)
  database.close()
}

const event: Append = {
  streams: [{
    stream: "s",
    expected: "any",
    events: [{ id: undefined, type: "Happened", version: 1, data: "{}", metadata: "{}", tags: [] }]
  }],
  condition: undefined
}

/** Keeps a document whose data are given, in a collection. */
const keeping = (data: () => string | object, collection = plain): Inline => ({
  read: () => [{ collection, ids: ["kept"] }],
  write: (_, [found]) => [{ ...put("kept", data(), collection), expected: found?.[0]?.version ?? 0 }]
})

describe("a collection", () => {
  test(
    "is one table and an index of what expires, whatever the case of its name",
    run(Effect.gen(function* () {
      const filename = yield* file
      const { documents } = yield* Sqlite.make({ filename })
      expect(schema(filename)).toEqual([])
      expect(yield* documents.get(plain, ["a"])).toEqual([undefined])
      expect(schema(filename)).toEqual([])
      yield* documents.commit([put("a")])
      expect(schema(filename)).toEqual([
        expect.stringMatching(/^index dunnock_index_[0-9a-f]{16}$/),
        "table dunnock_doc_plain"
      ])
      yield* documents.commit([put("a"), put("b", {}, byName)])
      expect(yield* documents.count({ name: "PLAIN", indexes: [] }, everything)).toBe(2)
    }))
  )

  test(
    "gets an index that is declared later with the next use, and keeps what it has",
    run(Effect.gen(function* () {
      const filename = yield* file
      const { documents } = yield* Sqlite.make({ filename })
      yield* documents.commit([put("a", { name: "Ada" })])
      const before = schema(filename)
      expect((yield* documents.find(byName, everything)).map(({ id }) => id)).toEqual(["a"])
      expect(schema(filename).length).toBe(before.length + 1)
      yield* documents.find(plain, everything)
      expect(schema(filename).length).toBe(before.length + 1)
    }))
  )

  test(
    "that somebody else has dropped is read as empty, and is there again, with its indexes, when it is written to",
    run(Effect.gen(function* () {
      const filename = yield* file
      const { documents, events } = yield* Sqlite.make({ filename })
      yield* documents.commit([put("a", {}, byName)])
      const complete = schema(filename)
      const drop = () => elsewhere(filename, "drop table if exists dunnock_doc_plain")
      const uses = {
        get: documents.get(byName, ["a"]),
        find: documents.find(byName, everything),
        count: documents.count(byName, everything),
        clearExpired: documents.clearExpired(byName),
        commit: documents.commit([put("a", {}, byName)]),
        append: events.append([event], keeping(() => ({}), byName))
      }
      const given: Record<string, unknown> = {}
      for (const [name, use] of Object.entries(uses)) {
        drop()
        given[name] = yield* Effect.asSome(use as Effect.Effect<unknown, unknown>)
        const reads = ["get", "find", "count"].includes(name)
        expect(schema(filename), name).toEqual(reads ? [] : complete)
      }
      expect(given).toMatchObject({
        get: { value: [undefined] },
        find: { value: [] },
        count: { value: 0 },
        clearExpired: { value: 0 },
        commit: { value: [1] }
      })
      expect((yield* documents.get(byName, ["kept"]))[0]?.version).toBe(1)
      expect(yield* events.head).toBe(1)
    }))
  )

  test(
    "can be dropped without having been there, and made anew",
    run(Effect.gen(function* () {
      const filename = yield* file
      const { documents } = yield* Sqlite.make({ filename })
      yield* documents.drop(plain)
      yield* documents.commit([put("a")])
      yield* documents.drop(plain)
      expect(schema(filename)).toEqual([])
      expect(yield* documents.commit([put("a")])).toEqual([1])
    }))
  )
})

describe("an append with documents", () => {
  test(
    "whose projection fails leaves no event, no document, and no collection; the next one is written",
    run(Effect.gen(function* () {
      const filename = yield* file
      const { documents, events } = yield* Sqlite.make({ filename })
      const failing: Inline = {
        ...keeping(() => ({})),
        write: () => {
          throw new EventStoreError({ reason: new InlineFailed({ projection: "p", problem: "no" }) })
        }
      }
      const error = yield* Effect.flip(events.append([event], failing))
      expect(error.reason._tag).toBe("InlineFailed")
      expect([yield* events.head, schema(filename)]).toEqual([0, []])
      expect(yield* events.append([event], keeping(() => ({})))).toMatchObject([
        Result.succeed({ receipts: [{ revision: 1 }] })
      ])
      expect((yield* documents.get(plain, ["kept"]))[0]?.version).toBe(1)
    }))
  )

  test(
    "whose projection throws something else dies of it, and leaves nothing",
    run(Effect.gen(function* () {
      const { documents, events } = yield* Sqlite.make({ filename: yield* file })
      const broken = keeping(() => {
        throw new Error("a mistake")
      })
      const exit = yield* Effect.exit(events.append([event], broken))
      expect(String(exit)).toContain("a mistake")
      expect([yield* events.head, yield* documents.count(plain, everything)]).toEqual([0, 0])
    }))
  )

  test(
    "writes none of them when it is refused, and decides on what another process has written",
    run(Effect.gen(function* () {
      const filename = yield* file
      const [one, other] = [yield* Sqlite.make({ filename }), yield* Sqlite.make({ filename })]
      const first = { ...event, streams: [{ ...event.streams[0]!, expected: "none" as const }] }
      yield* one.events.append([first], keeping(() => ({ by: "one" })))
      const [outcome] = yield* other.events.append([first], keeping(() => ({ by: "other" })))
      expect(Result.isFailure(outcome!) && outcome.failure._tag).toBe("Conflict")
      yield* other.events.append([event], keeping(() => ({ by: "other" })))
      expect(yield* one.documents.get(plain, ["kept"])).toMatchObject([{
        version: 2,
        data: `{"by":"other"}`
      }])
    }))
  )
})

describe("data", () => {
  const deep = `{"a":${"[".repeat(2_000)}${"]".repeat(2_000)}}`

  test(
    "that is not JSON, or too deep, is refused with the document's name, and nothing is written",
    run(Effect.gen(function* () {
      const { documents, events } = yield* Sqlite.make({ filename: yield* file })
      for (const data of ["{oops}", deep]) {
        const error = yield* Effect.flip(documents.commit([put("good"), put("bad", data)]))
        expect(error.reason).toMatchObject({ _tag: "InvalidInput", at: `document "bad" of "Plain"` })
        const refusal = yield* Effect.flip(events.append([event], keeping(() => data)))
        expect(refusal.reason).toMatchObject({ _tag: "InvalidInput", at: `document "kept" of "Plain"` })
      }
      expect([yield* events.head, yield* documents.count(plain, everything)]).toEqual([0, 0])
    }))
  )

  test(
    "of many megabytes is kept",
    run(Effect.gen(function* () {
      const { documents } = yield* Sqlite.make({ filename: yield* file })
      const data = JSON.stringify({ name: "é".repeat(4_000_000) })
      yield* documents.commit([put("large", data, byName)])
      expect((yield* documents.get(byName, ["large"]))[0]?.data === data).toBe(true)
    }))
  )
})

describe("a condition", () => {
  const n = { name: "n", kind: "number" } as const

  test(
    "of 500 parts, side by side or within each other, is decided",
    run(Effect.gen(function* () {
      const { documents } = yield* Sqlite.make({ filename: yield* file })
      yield* documents.commit([put("a", { n: 7 }), put("b", { n: 499 }), put("c", { n: 1_000 })])
      const parts = Array.from({ length: 499 }, (_, i): Condition => ({ op: "eq", field: n, value: i }))
      const within = parts.slice(0, 249).reduce<Condition>(
        (inner, part, i) => ({ op: i % 2 === 0 ? "or" : "and", conditions: [part, inner] }),
        { op: "gt", field: n, value: 0 }
      )
      const ids = (where: Condition) =>
        Effect.map(documents.find(plain, { ...everything, where }), (all) => all.map(({ id }) => id))
      expect(yield* ids({ op: "or", conditions: parts })).toEqual(["a"])
      expect(yield* ids({ op: "and", conditions: parts })).toEqual([])
      expect((yield* ids(within)).length).toBeLessThanOrEqual(3)
    }))
  )

  test(
    "on one of 50,000 values is decided",
    run(Effect.gen(function* () {
      const { documents } = yield* Sqlite.make({ filename: yield* file })
      yield* documents.commit([put("a", { n: 49_999 }), put("b", { n: 50_000 })])
      const values = Array.from({ length: 50_000 }, (_, i) => i)
      const where: Condition = { op: "in", field: n, values }
      expect((yield* documents.find(plain, { ...everything, where })).map(({ id }) => id)).toEqual(["a"])
    }))
  )

  test(
    "on a pattern as long as they may be is decided",
    run(Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const documents = yield* DocumentStore
        const long = "[*?".repeat(3_333)
        yield* documents.commit([put("a", { name: `${long}x` }), put("b", { name: long })])
        const like = (pattern: string) =>
          documents.find(plain, {
            ...everything,
            where: { op: "like", field: { name: "name", kind: "text" }, pattern }
          })
        expect((yield* like(`${long}_`)).map(({ id }) => id)).toEqual(["a"])
        expect((yield* Effect.flip(like(`${long}${long}_`))).reason._tag).toBe("InvalidInput")
      })
      yield* Effect.provide(program, Sqlite.layer({ filename: yield* file }))
    }))
  )
})

describe("an I/O error", () => {
  /** Stores on a connection, a statement of which that begins so fails. */
  const failingAt = (beginning: string) =>
    Effect.gen(function* () {
      const filename = yield* file
      yield* Effect.scoped(Sqlite.make({ filename }))
      const { connection } = yield* SqliteClient.make({ filename })
      let failing = true
      const failed = (sql: string) => {
        if (!failing || !sql.startsWith(beginning)) return
        failing = false
        const cause = Object.assign(new Error("disk I/O error"), { errcode: 10 })
        throw new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause, operation: "execute" }) })
      }
      const faulty: SqliteClient.SqliteConnection = {
        ...connection,
        run: (sql, parameters) => (failed(sql), connection.run(sql, parameters)),
        values: (sql, parameters) => (failed(sql), connection.values(sql, parameters))
      }
      return SqliteEventStore.make(faulty, "sqlite", "store", SqliteDocuments.make(faulty, "sqlite", "store"))
    })

  test(
    "while the revision of a stream is read before a single insert means that nothing was written",
    run(Effect.gen(function* () {
      const events = yield* failingAt("select max(revision)")
      expect((yield* Effect.flip(events.append([event]))).reason._tag).toBe("Unavailable")
      expect(yield* events.head).toBe(0)
    }))
  )

  test(
    "of the single insert itself leaves open whether it was written",
    run(Effect.gen(function* () {
      const events = yield* failingAt("insert into dunnock_events")
      expect((yield* Effect.flip(events.append([event]))).reason._tag).toBe("OutcomeUnknown")
    }))
  )
})
