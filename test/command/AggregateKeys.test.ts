/** Idempotency keys where commands, facts and processes differ. */
import { expect, test } from "bun:test"
import { Aggregate, EventStore, Metadata } from "dunnock"
import * as Memory from "dunnock/memory"
import { Context, Deferred, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"

class Price extends Context.Service<Price, Effect.Effect<number, Down>>()("test/Price") {}
class Down extends Schema.TaggedError<Down>()("Down", {}) {}

const Wallet = Aggregate.make("Wallet", {
  state: Schema.Int,
  initial: 0,
  events: { Bought: { price: Schema.Int }, Refunded: {} },
  commands: [Rpc.make("Buy", { error: Down }), Rpc.make("Refund")],
  evolve: { Bought: (sum, { price }) => sum + price, Refunded: () => 0 },
  snapshots: { every: 1 }
})

const live = (price: Effect.Effect<number, Down>) =>
  Wallet.toLayer({
    Buy: Aggregate.resolve(
      () => Effect.flatMap(Price, (price) => price),
      ({ facts }) => [{ _tag: "Bought", price: facts }]
    ),
    Refund: () => [{ _tag: "Refunded" }]
  }).pipe(Layer.provide(Layer.succeed(Price, price)))

/** The wallet's commands as of a process of its own, on a store that is shared. */
const process = (store: EventStore.EventStore, price: Effect.Effect<number, Down>) =>
  Effect.map(
    Effect.provide(Wallet.client, Layer.provide(live(price), Layer.succeed(EventStore.EventStore, store)), {
      local: true
    }),
    (client) => client("w")
  )

const run = <A, E>(body: (store: EventStore.EventStore) => Effect.Effect<A, E>) =>
  Effect.runPromise(Effect.provide(Effect.flatMap(EventStore.EventStore, body), Memory.layer))

test("under one key each command of another name runs", () =>
  run((store) =>
    Effect.gen(function* () {
      const wallet = yield* process(store, Effect.succeed(5))
      const both = Effect.andThen(wallet.Buy(), wallet.Refund()).pipe(
        Metadata.provide({ idempotencyKey: "request-7" })
      )
      yield* both
      yield* both
      const events = yield* Stream.runCollect(store.read(Wallet.events, Wallet.stream("w")))
      expect(events.map(({ type }) => type)).toEqual(["Bought", "Refunded"])
    })
  ))

test("a repeat gets the first receipt though its facts cannot be had any more", () =>
  run((store) =>
    Effect.gen(function* () {
      const key = { idempotencyKey: "k" }
      const first = yield* (yield* process(store, Effect.succeed(5))).Buy(undefined, key)
      const down = yield* process(store, Effect.fail(new Down()))
      expect(yield* down.Buy(undefined, key)).toEqual(first)
      expect(yield* Effect.flip(down.Buy(undefined, { idempotencyKey: "other" }))).toBeInstanceOf(Down)
    })
  ))

test("a process that came second with other facts does not believe its own", () =>
  Effect.runPromise(Effect.gen(function* () {
    const { events: driver } = yield* Memory.make
    const asked = yield* Deferred.make<void>()
    const go = yield* Deferred.make<void>()
    // The second process has looked the key up, and waits while the first appends.
    const late = {
      ...driver,
      append: (appends: Parameters<typeof driver.append>[0]) =>
        Effect.andThen(
          Deferred.succeed(asked, undefined),
          Effect.andThen(Deferred.await(go), driver.append(appends))
        )
    }
    const open = (driver: typeof late) =>
      Effect.provide(EventStore.EventStore, EventStore.layer(Effect.succeed(driver)), { local: true })
    const first = yield* process(yield* open(driver), Effect.succeed(5))
    const second = yield* process(yield* open(late), Effect.succeed(7))
    const key = { idempotencyKey: "k" }
    const waiting = yield* Effect.forkChild(second.Buy(undefined, key))
    yield* Deferred.await(asked)
    const receipt = yield* first.Buy(undefined, key)
    yield* Deferred.succeed(go, undefined)
    expect(yield* Fiber.join(waiting)).toEqual(receipt)
    const store = yield* open(driver)
    const state = Effect.provideService(Wallet.state("w"), EventStore.EventStore, store)
    expect((yield* state).state).toBe(5)
    yield* second.Buy(undefined, { idempotencyKey: "next" })
    expect((yield* state).state).toBe(12)
  })))
