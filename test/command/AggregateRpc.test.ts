// The same program works in process, over rpc in memory, and over rpc through a socket on loopback.
import { describe, expect, test } from "bun:test"
import { Aggregate, AggregateError, AggregateRpc, EventStore, EventStoreError, Metadata } from "dunnock"
import * as Memory from "dunnock/memory"
import { Faults } from "dunnock/testing"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import { FetchHttpClient, HttpEffect, HttpMiddleware } from "effect/http"
import { Rpc, RpcClient, RpcMiddleware, RpcSerialization, RpcServer } from "effect/rpc"
import { Account, check, type Handlers, handlers, InsufficientFunds } from "./fixture.ts"

type Driver = Parameters<typeof Faults.wrap>[0]
type Fetch = (request: Request) => Promise<Response>

const live = (driver: Driver, changed: Partial<Handlers> = {}) =>
  Account.toLayer({ ...handlers, ...changed }, { attempts: 3 }).pipe(
    Layer.provide(EventStore.layer(Effect.succeed(driver)))
  )

/** Serves accounts as a web handler. */
const serve = (driver: Driver, changed?: Partial<Handlers>) =>
  Effect.gen(function* () {
    const handlers = AggregateRpc.layerHandlers(Account).pipe(Layer.provide(live(driver, changed)))
    const context = yield* Layer.build(Layer.merge(handlers, RpcSerialization.layerNdjson))
    const effect = RpcServer.toHttpEffect(AggregateRpc.group(Account), { disableFatalDefects: true })
    return HttpEffect.toWebHandler(yield* Effect.provideContext(effect, context), HttpMiddleware.tracer)
  })

/** Commands to accounts by way of a web handler. */
const through = (url: string, fetch: Fetch) =>
  AggregateRpc.layerClient(Account).pipe(
    Layer.provide(RpcClient.layerProtocolHttp({ url })),
    Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson]),
    Layer.provide(
      Layer.succeed(
        FetchHttpClient.Fetch,
        ((input, init) => fetch(new Request(input, init))) as typeof globalThis.fetch
      )
    )
  )

const listen = (fetch: Fetch) =>
  Effect.acquireRelease(
    Effect.sync(() => Bun.serve({ port: 0, hostname: "127.0.0.1", fetch })),
    (server) => Effect.promise(() => server.stop(true))
  )

type Way = (driver: Driver, changed?: Partial<Handlers>) => Layer.Layer<Aggregate.Handler<"Account">>

const ways: { readonly [name: string]: Way } = {
  "in process": live,
  "over rpc in memory": (driver, changed) =>
    Layer.unwrap(Effect.map(serve(driver, changed), (handler) => through("http://bank/", handler))),
  "over rpc on loopback": (driver, changed) =>
    Layer.unwrap(Effect.gen(function* () {
      const server = yield* listen(yield* serve(driver, changed))
      return through(`${server.url}`, fetch)
    }))
}

for (const [name, way] of Object.entries(ways)) {
  const remote = name !== "in process"

  const works = (
    what: string,
    program: (driver: Driver) => Effect.Effect<unknown, unknown, Aggregate.Handler<"Account">>,
    options: { readonly changed?: Partial<Handlers>; readonly wrap?: (driver: Driver) => Driver } = {}
  ) =>
    check(
      what,
      Effect.flatMap(Memory.make, ({ events: driver }) =>
        Effect.provide(program(driver), way(options.wrap?.(driver) ?? driver, options.changed)))
    )

  describe(name, () => {
    works("commands give their receipts and change the state", (driver) =>
      Effect.gen(function* () {
        const account = yield* Account.client
        yield* account("a").Open({ owner: "ünï ☃ 𝄞" })
        yield* account("b").Open({ owner: "bob" })
        yield* account("a").Deposit({ amount: 5 })
        expect(yield* account("a").Close()).toEqual({ stream: "Account-a", revision: 4, position: 5 })
        const { state } = yield* Effect.provide(Account.state("a"), EventStore.layer(Effect.succeed(driver)))
        expect(state).toEqual({ balance: 0, open: false })
      }))

    works("an error of a command is of its class", () =>
      Effect.gen(function* () {
        const account = yield* Account.client
        yield* account("a").Deposit({ amount: 2 })
        const failed = yield* account("a").Withdraw({ amount: 3 }).pipe(
          Effect.as(0),
          Effect.catchTag("InsufficientFunds", (error) => Effect.succeed(error))
        )
        expect(failed).toBeInstanceOf(InsufficientFunds)
        expect(failed).toMatchObject({ balance: 2 })
      }))

    const badCommands: { readonly [name: string]: readonly [string, string, unknown, object?] } = {
      "an empty id": ["", "Deposit", { amount: 1 }],
      "an id that is too long": ["x".repeat(300), "Deposit", { amount: 1 }],
      "an id that is not a text": [7 as never, "Deposit", { amount: 1 }],
      "an unknown command": ["a", "Destroy", { amount: 1 }],
      "a wrong payload": ["a", "Deposit", { amount: "1" }],
      "a missing payload": ["a", "Deposit", undefined],
      "an idempotency key that is too long": ["a", "Deposit", { amount: 1 }, {
        idempotencyKey: "x".repeat(300)
      }]
    }
    for (const [what, [id, command, payload, options]] of Object.entries(badCommands)) {
      works(`${what} is refused as InvalidCommand`, () =>
        Effect.gen(function* () {
          const { execute } = yield* Account.service
          const error = yield* Effect.flip(execute(id, command, payload, options))
          expect(error).toBeInstanceOf(AggregateError.AggregateError)
          expect(error).toMatchObject({
            reason: { _tag: "InvalidCommand", aggregate: "Account", id: String(id), command },
            isRetryable: false
          })
          expect((error as Error).message).toContain(`command "${command}" for Account "${id}": `)
          yield* (yield* Account.client)("a").Deposit({ amount: 1 })
        }))
    }

    works("a decision that cannot be stored is refused as InvalidDecision", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip((yield* Account.client)("a").Close())
        expect(error).toBeInstanceOf(AggregateError.AggregateError)
        expect(error).toMatchObject({ reason: { _tag: "InvalidDecision", command: "Close" } })
      }), { changed: { Close: () => [{ _tag: "Vanished" }] as never } })

    works("a race that is always lost is TooManyConflicts", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip((yield* Account.client)("a").Deposit({ amount: 1 }))
        expect(error).toMatchObject({ reason: { _tag: "TooManyConflicts", attempts: 3 }, isRetryable: true })
      }), { wrap: (driver) => Faults.wrap(driver, () => "conflict") })

    const reasons: ReadonlyArray<EventStoreError.Reason> = [
      new EventStoreError.ConditionFailed({ after: 1, position: 2, stream: "s", type: "T" }),
      new EventStoreError.DuplicateEventId({
        id: "i",
        stream: "s",
        existingStream: "t",
        existingRevision: 4
      }),
      new EventStoreError.Undecodable({
        stream: "s",
        revision: 1,
        position: 2,
        type: "T",
        version: 3,
        issue: "no"
      }),
      new EventStoreError.Unavailable({ store: "db", problem: "it is locked" }),
      new EventStoreError.Unavailable({
        store: "db",
        problem: "it is locked",
        cause: new Error("SQLITE_BUSY")
      }),
      new EventStoreError.OutcomeUnknown({ store: "db", problem: "it broke" }),
      new EventStoreError.CannotOpen({ store: "db", problem: "not a database" })
    ]
    for (const reason of reasons) {
      works(
        `an EventStoreError says why: ${reason._tag}${"cause" in reason ? " with a cause" : ""}`,
        () =>
          Effect.gen(function* () {
            const error = yield* Effect.flip((yield* Account.client)("a").Deposit({ amount: 1 }))
            expect(error).toBeInstanceOf(EventStoreError.EventStoreError)
            const { cause: _, ...fields } = { ...reason } as { cause?: unknown }
            expect(error).toMatchObject({
              reason: fields,
              isRetryable: new EventStoreError.EventStoreError({ reason }).isRetryable,
              message: reason.message
            })
            expect((error as EventStoreError.EventStoreError).reason).toBeInstanceOf(reason.constructor)
          }),
        {
          wrap: (driver) => ({
            ...driver,
            append: () => Effect.fail(new EventStoreError.EventStoreError({ reason }))
          })
        }
      )
    }

    works("a handler that throws is a defect, and others go on", () =>
      Effect.gen(function* () {
        const account = yield* Account.client
        const exit = yield* Effect.exit(account("a").Close())
        expect(String(exit)).toContain("Die")
        expect(String(exit)).toContain("a bug in the handler")
        expect(yield* account("a").Deposit({ amount: 1 })).toMatchObject({ revision: 1 })
      }), {
      changed: {
        Close: () => {
          throw new Error("a bug in the handler")
        }
      }
    })

    works(
      "a command with an idempotency key, given or from the metadata, is carried out once",
      (driver) =>
        Effect.gen(function* () {
          const account = yield* Account.client
          const key = { idempotencyKey: "k-1" }
          const first = yield* account("a").Deposit({ amount: 1 }, key)
          expect(yield* account("a").Deposit({ amount: 1 }, key)).toEqual(first)
          expect(yield* account("a").Deposit({ amount: 1 }).pipe(Metadata.provide(key))).toEqual(first)
          expect(yield* driver.head).toBe(1)
          expect(yield* account("a").Deposit({ amount: 1 })).toMatchObject({ revision: 2 })
        })
    )

    works("many commands at once are all carried out", (driver) =>
      Effect.gen(function* () {
        const account = yield* Account.client
        yield* Effect.forEach(
          Array.from({ length: 40 }, (_, i) => i),
          (i) => account(`a-${i % 4}`).Deposit({ amount: 1 }),
          { concurrency: "unbounded" }
        )
        expect(yield* driver.head).toBe(40)
      }))

    if (remote) {
      works("the trace of the caller reaches the events", (driver) =>
        Effect.gen(function* () {
          const account = yield* Account.client
          const traceId = yield* Effect.gen(function* () {
            yield* account("a").Deposit({ amount: 1 })
            return (yield* Effect.currentSpan).traceId
          }).pipe(Effect.withSpan("request"))
          const [event] = yield* driver.readStream({
            bare: false,
            stream: "Account-a",
            direction: "forwards",
            from: 1,
            limit: 1
          })
          expect(JSON.parse(event!.metadata).traceparent).toStartWith(`00-${traceId}-`)
        }))
    }
  })
}

describe("a connection that is lost", () => {
  /** A server that hangs up instead of answering while `cut` says so: before or after the command is carried out. */
  const shaky = (driver: Driver, cut: () => "before" | "after" | undefined) =>
    Effect.gen(function* () {
      const handler = yield* serve(driver)
      const serving: { server?: ReturnType<typeof Bun.serve>; port: number } = { port: 0 }
      const start = () => {
        serving.server = Bun.serve({
          port: serving.port,
          hostname: "127.0.0.1",
          fetch: async (request) => {
            const when = cut()
            const response = when === "before" ? undefined : await handler(request)
            if (when === undefined) return response!
            await serving.server!.stop(true)
            return new Response()
          }
        })
        serving.port = serving.server.port!
      }
      yield* Effect.acquireRelease(Effect.sync(start), () =>
        Effect.promise(async () => serving.server!.stop(true)))
      return { url: `http://127.0.0.1:${serving.port}/`, restart: Effect.sync(start) }
    })

  for (const [when, events] of [["before", 0], ["after", 1]] as const) {
    check(
      `${when} the command was carried out fails it with OutcomeUnknown, and a repeat with its key gives one copy`,
      Effect.gen(function* () {
        const { events: driver } = yield* Memory.make
        let cut: "before" | "after" | undefined = when
        const { restart, url } = yield* shaky(driver, () => cut)
        yield* Effect.gen(function* () {
          const account = yield* Account.client
          const deposit = account("a").Deposit({ amount: 1 }, { idempotencyKey: "k" })
          const error = yield* Effect.flip(deposit)
          expect(error).toBeInstanceOf(EventStoreError.EventStoreError)
          expect(error).toMatchObject({ reason: { _tag: "OutcomeUnknown", store: "rpc" }, isRetryable: true })
          expect(yield* driver.head).toBe(events)
          cut = undefined
          yield* restart
          expect(yield* deposit).toEqual({ stream: "Account-a", revision: 1, position: 1 })
          expect(yield* deposit).toEqual({ stream: "Account-a", revision: 1, position: 1 })
          expect(yield* driver.head).toBe(1)
        }).pipe(Effect.provide(through(url, fetch)))
      })
    )
  }

  const answers: { readonly [name: string]: () => Response } = {
    "an answer of another server": () => new Response("<html>", { status: 200 }),
    "an answer that ends too early": () => new Response("", { status: 200 }),
    "a gateway that has lost its server": () => new Response("bad gateway", { status: 502 })
  }
  for (const [name, answer] of Object.entries(answers)) {
    check(
      `or ${name} fails it with OutcomeUnknown`,
      Effect.gen(function* () {
        const error = yield* Effect.flip((yield* Account.client)("a").Deposit({ amount: 1 }))
        expect(error).toMatchObject({
          _tag: "EventStoreError",
          reason: { _tag: "OutcomeUnknown", store: "rpc" }
        })
      }).pipe(Effect.provide(through("http://bank/", async () => answer())))
    )
  }
})

describe("the group of rpcs", () => {
  class Denied extends Schema.TaggedError<Denied>()("Denied", { actor: Schema.String }) {}

  /** Lets in who says a name, which becomes the actor of the events. */
  class Authenticated
    extends RpcMiddleware.Service<Authenticated>()("test/Authenticated", { error: Denied }) {}
  const AuthenticatedLive = Layer.succeed(Authenticated, (effect, { headers }) => {
    const actor = headers["x-actor"] ?? ""
    return actor === "eve" || actor === ""
      ? Effect.fail(new Denied({ actor }))
      : Metadata.provide({ actor })(effect)
  })

  const Audience = Context.Service<"Audience", string>("test/Audience")

  const Door = Aggregate.make("Door", {
    state: Schema.Boolean,
    initial: false,
    events: { Opened: {}, Knocked: {} },
    commands: [
      Rpc.make("Open").middleware(Authenticated).annotate(Audience, "staff"),
      Rpc.make("Knock", { payload: { times: Schema.Number } })
    ],
    evolve: { Opened: () => true, Knocked: (open) => open }
  })
  const DoorLive = Door.toLayer({
    Open: () => [{ _tag: "Opened" }],
    Knock: ({ command }) => Array.from({ length: command.times }, () => ({ _tag: "Knocked" }) as const)
  })

  test("holds every command under the aggregate's name, with its annotations", () => {
    const { requests } = AggregateRpc.group(Door)
    expect([...requests.keys()]).toEqual(["Door.Open", "Door.Knock"])
    const open = requests.get("Door.Open")!
    expect(Context.getOption(open.annotations, Audience as never)).toMatchObject({ value: "staff" })
    expect(Context.getOption(requests.get("Door.Knock")!.annotations, Audience as never)).toMatchObject({
      _tag: "None"
    })
  })

  check(
    "runs the middleware of a command, around it and with its errors, and only of that command",
    Effect.gen(function* () {
      const { events: driver } = yield* Memory.make
      const context = yield* Layer.build(Layer.mergeAll(
        AggregateRpc.layerHandlers(Door).pipe(
          Layer.provide(DoorLive),
          Layer.provide(EventStore.layer(Effect.succeed(driver)))
        ),
        AuthenticatedLive,
        RpcSerialization.layerNdjson
      ))
      const handler = HttpEffect.toWebHandler(
        yield* Effect.provideContext(RpcServer.toHttpEffect(AggregateRpc.group(Door)), context)
      )
      yield* Effect.gen(function* () {
        const door = (yield* Door.client)("front")
        const denied = yield* Effect.flip(door.Open())
        expect(denied).toBeInstanceOf(Denied)
        expect(yield* Effect.flip(door.Open().pipe(RpcClient.withHeaders({ "x-actor": "eve" }))))
          .toMatchObject({ actor: "eve" })
        expect(yield* door.Open().pipe(RpcClient.withHeaders({ "x-actor": "ann" }))).toMatchObject({
          revision: 1
        })
        expect(yield* door.Knock({ times: 2 })).toMatchObject({ revision: 3 })
      }).pipe(
        Effect.provide(
          AggregateRpc.layerClient(Door).pipe(
            Layer.provide(RpcClient.layerProtocolHttp({ url: "http://house/" })),
            Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson]),
            Layer.provide(Layer.succeed(
              FetchHttpClient.Fetch,
              ((input, init) => handler(new Request(input, init))) as typeof globalThis.fetch
            ))
          )
        )
      )
      const store = yield* Effect.provide(EventStore.EventStore, EventStore.layer(Effect.succeed(driver)))
      const events = yield* Stream.runCollect(store.read(Door.events, "Door-front"))
      expect(events.map(({ metadata }) => metadata.actor)).toEqual(["ann", undefined, undefined])
    })
  )
})
