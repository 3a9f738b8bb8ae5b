/** How often the stores wait for the server, counted on the wire. */
import { expect } from "bun:test"
import { Aggregate, EventStore } from "dunnock"
import * as Postgres from "dunnock/postgres"
import { Context, Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import * as Proxy from "../../faults/Proxy.ts"
import { testsOn } from "../../services/bun.ts"
import { postgres } from "../../services/mod.ts"
import { places } from "./place.ts"

const test = testsOn("postgres, round trips", postgres)
const { database, fresh } = places()

const Account = Aggregate.make("Account", {
  state: Schema.Struct({ balance: Schema.Int }),
  initial: { balance: 0 },
  events: { Deposited: { amount: Schema.Int } },
  commands: [Rpc.make("Deposit", { payload: { amount: Schema.Int } })],
  evolve: { Deposited: ({ balance }, { amount }) => ({ balance: balance + amount }) }
})

const AccountLive = Account.toLayer({
  Deposit: ({ command }) => [{ _tag: "Deposited", amount: command.amount }]
})

const event = (tags: ReadonlyArray<string> = [], id?: string) => ({
  id,
  type: "Deposited",
  version: 1,
  data: JSON.stringify({ amount: 1 }),
  tags,
  metadata: "{}"
})

const appending = (
  stream: string,
  expected: EventStore.Expected,
  events: ReadonlyArray<ReturnType<typeof event>> = [event()]
) => ({ condition: undefined, streams: [{ stream, expected, events }] })

const things = { name: "things", indexes: [] }
const put = (id: string, expected: number | "any", collection = things) =>
  ({ op: "put", collection, id, expected, data: "{}", position: 0, expiresAt: undefined }) as const

const opened = Effect.gen(function* () {
  const { schema, url } = yield* fresh
  const { port, trips } = yield* Proxy.counting(yield* database)
  const options = { url: Proxy.through(url, port), schema, maxConnections: 1 }
  /** The round trips of an effect. */
  const counted = <E>(effect: Effect.Effect<unknown, E>) =>
    Effect.suspend(() => {
      const before = trips()
      return Effect.map(effect, () => trips() - before)
    })
  return { options, counted }
})

test("a command is 2 round trips, and 1 when its aggregate is warm", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { counted, options } = yield* opened
    const live = yield* Layer.build(Layer.provideMerge(AccountLive, Postgres.layer(options)))
    const account = yield* Effect.provideContext(Account.client, live)
    expect(yield* counted(account("a").Deposit({ amount: 1 }))).toBe(2)
    for (const amount of [2, 3]) expect(yield* counted(account("a").Deposit({ amount }))).toBe(1)
    const [cold, others] = [account("b").Deposit({ amount: 1 }), ["c", "d", "e"].map((id) => account(id))]
    expect(yield* counted(cold)).toBe(2)
    yield* Effect.forEach(others, (other) => other.Deposit({ amount: 1 }))
    // They are committed together.
    const all = Effect.forEach(others, (other) => other.Deposit({ amount: 1 }), { concurrency: "unbounded" })
    expect(yield* counted(all)).toBe(1)
    expect(yield* Context.get(live, EventStore.EventStore).head).toBe(10)
  }))))

test("an append is 1 round trip, and 3 where its outcome is not as expected", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { counted, options } = yield* opened
    const { events } = yield* Postgres.make(options)
    const append = (...appends: ReadonlyArray<ReturnType<typeof appending>>) =>
      counted(events.append(appends))
    yield* append(appending("first", "none"))
    expect(yield* append(appending("a", "none"))).toBe(1)
    expect(yield* append(appending("a", 1))).toBe(1)
    expect(yield* append(appending("a", "exists"), appending("never seen", "any"))).toBe(1)
    expect(yield* append(appending("a", "any", [event(["x", "y"], "one"), event(["x"], "two")]))).toBe(1)
    expect(yield* append(...Array.from({ length: 100 }, (_, i) => appending(`s${i}`, "any")))).toBe(1)
    // A repeat, a conflict: asked, then asked again under the lock, then the transaction is ended.
    expect(yield* append(appending("a", "any", [event(["x", "y"], "one"), event(["x"], "two")]))).toBe(3)
    expect(yield* append(appending("a", 99))).toBe(3)
    const condition = { queries: [{ tags: ["z"] }], after: 0 }
    expect(yield* append({ ...appending("a", "any"), condition } as never)).toBe(2)
  }))))

test("an append that writes documents is 3 round trips", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { counted, options } = yield* opened
    const { events } = yield* Postgres.make(options)
    const inline = {
      read: () => [{ collection: things, ids: ["a", "b"] }],
      write: () => [put("a", "any"), put("b", "any")]
    }
    yield* events.append([appending("s", "any")], inline)
    expect(yield* counted(events.append([appending("s", "any")], inline))).toBe(3)
  }))))

test("a page of the log, a stream, documents: each is read in 1 round trip", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { counted, options } = yield* opened
    const { documents, events } = yield* Postgres.make(options)
    yield* events.append([appending("s", "any")])
    yield* documents.commit([put("a", "any")])
    const stream = { bare: false, stream: "s", direction: "forwards", from: 1, limit: 10 } as const
    expect(yield* counted(events.readLog({ after: 0, limit: 10, queries: [{ types: ["Deposited"] }] }))).toBe(
      1
    )
    expect(yield* counted(events.readLog({ after: 0, limit: 10, queries: [] }))).toBe(1)
    expect(yield* counted(events.readStream(stream))).toBe(1)
    expect(yield* counted(documents.get(things, ["a", "b"]))).toBe(1)
  }))))

test("documents of several collections are written in 1 round trip, and in 2 more where one is not as expected", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const { counted, options } = yield* opened
    const { documents } = yield* Postgres.make(options)
    const others = { name: "others", indexes: [] }
    yield* documents.commit([put("x", "any"), put("x", "any", others)])
    const puts = (...versions: ReadonlyArray<number | "any">) =>
      counted(
        Effect.result(
          documents.commit(
            versions.map((version, i) => put(`${i}`, version, i % 2 === 0 ? things : others))
          )
        )
      )
    expect(yield* puts(0, 0, "any", "any")).toBe(1)
    expect(yield* puts(1, 1, 1, 1, 0)).toBe(1)
    expect(yield* puts(2, 9, "any", 2)).toBe(3)
    expect((yield* documents.get(things, ["0", "2"])).map((document) => document?.version)).toEqual([2, 2])
    const check = { op: "check", collection: others, id: "1", expected: 2 } as const
    const remove = { op: "remove", collection: things, id: "0", expected: 2 } as const
    expect(yield* counted(documents.commit([check, remove, put("2", 2)]))).toBe(1)
  }))))
