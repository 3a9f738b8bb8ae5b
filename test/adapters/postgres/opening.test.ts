/** What a program is told that cannot open its database, and that any number of them can open a new one. */
import { expect } from "bun:test"
import { EventStore } from "dunnock"
import * as Postgres from "dunnock/postgres"
import { Effect, type Scope, Stream } from "effect"
import { createServer, type Socket } from "node:net"
import { listen } from "../../faults/Proxy.ts"
import { events, range, write } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { postgres } from "../../services/mod.ts"
import { client } from "./client.ts"
import { places } from "./place.ts"

const test = testsOn("postgres, opening", postgres)
const { fresh } = places()

const withUrl = (f: (url: URL) => void) =>
  Effect.map(postgres.url, (url) => {
    const changed = new URL(url)
    f(changed)
    return { url: changed.href }
  })

/** The URL of a server that does this with each connection. */
const serving = (
  serve: (socket: Socket) => void,
  search = ""
): Effect.Effect<Postgres.Options, never, Scope.Scope> =>
  Effect.map(
    listen(() =>
      createServer((socket) => {
        socket.on("error", () => {})
        serve(socket)
      })
    ),
    (port) => ({ url: `postgres://someone:secret@127.0.0.1:${port}/orders${search}` })
  )

const greeting = "4a0000000a382e302e333600080000005200000000"

const refusals: Readonly<
  Record<
    string,
    readonly [Effect.Effect<Postgres.Options, never, Scope.Scope>, reason: string, problem: string]
  >
> = {
  "a port where nobody is": [withUrl((url) => url.port = "1"), "Unavailable", "ECONNREFUSED"],
  "a URL that is undefined": [Effect.succeed({ url: undefined }), "CannotOpen", "the url is undefined"],
  "no connection at all": [
    Effect.succeed({ url: "postgres://localhost/x", maxConnections: NaN }),
    "CannotOpen",
    "maxConnections must be a whole number from 1 on, not NaN"
  ],
  "a wrong password": [
    withUrl((url) => url.password = "wrong"),
    "CannotOpen",
    'password authentication failed for user "postgres"'
  ],
  "no password": [withUrl((url) => url.password = ""), "CannotOpen", "password"],
  "a database that does not exist": [
    withUrl((url) => url.pathname = "/nowhere"),
    "CannotOpen",
    'database "nowhere" does not exist'
  ],
  "a URL of another database": [
    Effect.succeed({ url: "mysql://someone:secret@localhost/orders" }),
    "CannotOpen",
    'Unsupported connection URL protocol: "mysql:"'
  ],
  "a URL that is none": [Effect.succeed({ url: "secret" }), "CannotOpen", "Invalid URL"],
  "a web server": [
    serving((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))),
    "CannotOpen",
    "what answers there is not PostgreSQL"
  ],
  "a MySQL server": [
    serving((socket) => socket.write(Buffer.from(greeting, "hex"))),
    "CannotOpen",
    "what answers there is not PostgreSQL"
  ],
  "a server that hangs up": [serving((socket) => socket.destroy()), "Unavailable", "closed"],
  "a server that says nothing": [serving(() => {}, "?connect_timeout=1"), "Unavailable", "timed out"]
}

for (const [what, [options, reason, problem]] of Object.entries(refusals)) {
  test(`${what} is told as ${reason}, without the password`, () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.flatMap(options, Postgres.make))
      expect(error.reason._tag).toBe(reason as never)
      expect(error.message).toContain(problem)
      expect(error.message).toMatch(/^postgres[ :]/)
      expect(error.message).not.toContain("secret")
    }))))
}

test("a user who may not create tables is told so", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { url } = yield* postgres.database
    const role = `guest_${process.pid}`
    const admin = yield* client({ url })
    yield* admin.unsafe(`create role ${role} login password 'guest'`)
    yield* Effect.addFinalizer(() => Effect.ignore(admin.unsafe(`drop role ${role}`)))
    const error = yield* Effect.flip(Postgres.make({ url, username: role, password: "guest" }))
    expect(error.reason._tag).toBe("CannotOpen")
    expect(error.message).toContain("permission denied for schema public")
  }))))

test("a database of a newer version is refused", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { url } = yield* postgres.database
    yield* Effect.scoped(Postgres.make({ url }))
    const admin = yield* client({ url })
    yield* admin.unsafe("insert into dunnock_migrations (migration_id, name) values (99, 'future')")
    const error = yield* Effect.flip(Postgres.make({ url }))
    expect(error.reason._tag).toBe("CannotOpen")
    expect(error.message).toContain("its schema is version 99, newer than")
  }))))

test("many that open a new database at once set it up once, and all can write", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { url } = yield* postgres.database
    const stores = yield* Effect.forEach(range(12), () => Postgres.make({ url }), {
      concurrency: "unbounded"
    })
    expect(new Set(stores.map(({ events }) => events.store)).size).toBe(1)
    const typed = yield* Effect.forEach(stores, (stores) => EventStore.make(stores.events))
    yield* Effect.forEach(typed, (store, i) => write(store, `w${i}`, 0, 0), { concurrency: "unbounded" })
    const all = yield* Stream.runCollect(typed[0]!.log(events))
    expect(all.map(({ position }) => position)).toEqual(range(36).map((i) => i + 1))
  }))))

test("a client of the user's own serves as well", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { schema, url } = yield* fresh
    yield* Effect.scoped(Postgres.make({ url, schema }))
    const own = yield* client({ url, schema })
    const stores = yield* Postgres.make({ client: own })
    const store = yield* EventStore.make(stores.events)
    yield* write(store, "w", 0, 0)
    yield* write(store, "w", 0, 1)
    expect(
      (yield* Effect.flip(store.append(events, [
        { stream: "shared", expected: "none", events: [{ _tag: "Written", writer: "w", fiber: 0, n: 2 }] }
      ]))).reason._tag
    ).toBe("Conflict")
    const all = yield* Stream.runCollect(store.log(events))
    expect(all.map(({ position }) => position)).toEqual(range(6).map((i) => i + 1))
    const put = {
      op: "put",
      collection: { name: "things", indexes: [] },
      id: "a",
      expected: 0,
      data: "{}",
      position: 0,
      expiresAt: undefined
    } as const
    expect(yield* stores.documents.commit([put, { ...put, id: "b" }])).toEqual([1, 1])
    expect((yield* Effect.flip(stores.documents.commit([put]))).reason._tag).toBe("VersionConflict")
    expect(stores.events.name).not.toContain("secret")
  }))))
