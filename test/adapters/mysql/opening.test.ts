import { expect } from "bun:test"
import * as Mysql from "dunnock/mysql"
import { Effect, type Scope } from "effect"
import { createServer as createHttpServer } from "node:http"
import { createServer, type Server } from "node:net"
import { listen } from "../../faults/Proxy.ts"
import { range, write } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { mysql } from "../../services/mod.ts"
import { connect, openStore, query } from "./store.ts"

const test = testsOn("mysql, opening", mysql)

const scoped = <A>(body: Effect.Effect<A, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(body))

const refusal = (url: string, options: Mysql.Options) =>
  Effect.map(
    Effect.flip(Effect.scoped(Mysql.make({ url, connectTimeout: "500 millis", ...options }))),
    ({ message, reason: { _tag } }): readonly [string, string] => [_tag, message]
  )

test("what cannot be opened is refused with a reason that says why", () =>
  scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    const cases: ReadonlyArray<readonly [Mysql.Options, string, string]> = [
      [{ port: 1 }, "Unavailable", "ECONNREFUSED"],
      [{ host: "nowhere.invalid" }, "Unavailable", "nowhere.invalid"],
      [{ password: "wrong" }, "CannotOpen", "Access denied"],
      [{ database: "missing" }, "CannotOpen", "create it first"],
      [{ database: "" }, "CannotOpen", "no database is named"],
      [{ url: "nothing" }, "CannotOpen", "not a URL"],
      [{ url: undefined }, "CannotOpen", "the url is undefined"],
      [{ maxConnections: 0 }, "CannotOpen", "maxConnections must be a whole number from 1 on, not 0"]
    ]
    for (const [options, tag, part] of cases) {
      expect(yield* refusal(url, options)).toEqual([tag, expect.stringContaining(part)])
    }
  })))

test("a server of another kind is named as such, in time", () =>
  scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    const kinds: ReadonlyArray<() => Server> = [
      () => createServer(),
      () => createHttpServer((_, response) => void response.end("hello")),
      () => createServer((socket) => void socket.on("error", () => {}).write("SSH-2.0-OpenSSH_9.2p1\r\n")),
      () =>
        createServer((socket) =>
          void socket.on("error", () => {}).write(Buffer.from([5, 0, 0, 0, 9, 1, 2, 3, 4]))
        )
    ]
    for (const kind of kinds) {
      const options = { host: "127.0.0.1", port: yield* listen(kind) }
      expect(yield* refusal(url, options)).toEqual(["Unavailable", expect.stringContaining("MySQL")])
    }
  })))

test("a password is not told to anybody", () =>
  scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    const error = yield* Effect.flip(Effect.scoped(Mysql.make({ url, password: "hush-hush" })))
    expect(JSON.stringify(error) + String(error)).not.toContain("hush-hush")
  })))

test("many that open an empty database at once all succeed, and there is one store", () =>
  scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    const stores = yield* Effect.forEach(range(8), () => openStore(url), { concurrency: "unbounded" })
    expect(new Set(stores.map(({ driver }) => driver.store)).size).toBe(1)
    yield* Effect.forEach(stores, (store, i) => write(store, `w${i}`, 0, 0), { concurrency: "unbounded" })
    expect(yield* stores[0]!.head).toBe(24)
  })))

test("what was cut short when the tables were made is finished the next time", () =>
  scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    const first = yield* Effect.scoped(openStore(url))
    const connection = yield* connect(url)
    const shown = (sql: string) => Effect.map(query(connection, sql), (rows) => JSON.stringify(rows))
    const tables = ["dunnock_events", "dunnock_event_tags", "dunnock_store", "dunnock_snapshots"]
    const definitions = () =>
      Effect.forEach(tables, (table) => shown(`show create table ${table}`)).pipe(
        Effect.zip(
          shown(
            "select trigger_name, action_statement from information_schema.triggers where trigger_schema = database() order by 1"
          )
        )
      )
    const whole = yield* definitions()
    const cuts = [
      "drop table dunnock_snapshots; delete from dunnock_migrations where migration_id = 3",
      "drop trigger dunnock_events_no_delete; drop table dunnock_store, dunnock_snapshots; delete from dunnock_migrations",
      "drop table dunnock_event_tags, dunnock_store, dunnock_snapshots, dunnock_migrations; drop index dunnock_events_id on dunnock_events",
      "delete from dunnock_migrations"
    ]
    for (const cut of cuts) {
      yield* query(connection, cut)
      yield* Effect.scoped(openStore(url))
      expect(yield* definitions()).toEqual(whole)
    }
    expect(yield* shown("select count(*) as n from dunnock_store")).toBe('[{"n":1}]')
    expect(first.driver.store.length).toBe(36)
  })))

test("a schema that is newer than the program is refused", () =>
  scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    yield* Effect.scoped(openStore(url))
    yield* query(
      yield* connect(url),
      "insert into dunnock_migrations (migration_id, name) values (99, 'later')"
    )
    expect(yield* refusal(url, {})).toEqual(["CannotOpen", expect.stringContaining("version 99, newer")])
  })))

test("events cannot be changed or removed", () =>
  scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    const store = yield* openStore(url)
    yield* write(store, "w", 0, 0)
    const connection = yield* connect(url)
    for (const sql of ["update dunnock_events set data = '{}'", "delete from dunnock_events"]) {
      expect(yield* Effect.flip(query(connection, sql))).toContain("append-only")
    }
    expect(yield* store.head).toBe(3)
  })))

test("names are told apart by every code point, in a database of another character set", () =>
  scoped(Effect.gen(function* () {
    const { url } = yield* mysql.database
    const store = yield* openStore(url)
    const names = [
      "a",
      "A",
      "a ",
      "ä",
      "a\u0308",
      "ａ",
      "😀",
      "😁",
      "\u{10ffff}".repeat(127),
      "é".repeat(255)
    ]
    const event = { type: "T", version: 1, data: '{"text":"ünï ☃ 😀"}', metadata: "{}" }
    for (const name of names) {
      yield* store.commit({
        streams: [{ stream: name, expected: "none", events: [{ ...event, id: name, tags: [name] }] }],
        condition: undefined
      })
    }
    for (const [i, name] of names.entries()) {
      const options = { bare: false, stream: name, direction: "forwards", from: 1, limit: 9 } as const
      const [read] = yield* store.driver.readStream(options)
      expect([read?.stream, read?.id, read?.tags, read?.data]).toEqual([name, name, [name], event.data])
      const page = yield* store.driver.readLog({ after: 0, limit: 99, queries: [{ tags: [name] }] })
      expect(page.events.map(({ position }) => position)).toEqual([i + 1])
    }
  })))
