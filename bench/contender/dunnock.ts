import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Aggregate from "dunnock/Aggregate"
import * as EventStore from "dunnock/EventStore"
import type { EventStoreError } from "dunnock/EventStoreError"
import { empty, evolve, type Item, items, limit } from "../lib/Cart.ts"
import type { Handle, Store } from "../lib/Store.ts"

class CartFull extends Schema.TaggedError<CartFull>()("CartFull", {
  total: Schema.Number
}) {}

const fields = {
  id: Schema.String,
  sku: Schema.String,
  quantity: Schema.Int,
  price: Schema.Int,
  at: Schema.String,
  tags: Schema.Array(Schema.String),
  note: Schema.String
}

/** Carts, as dunnock defines them. */
export const Cart = Aggregate.make("Cart", {
  state: Schema.Struct({
    count: Schema.Int,
    total: Schema.Number,
    last: Schema.String
  }),
  initial: empty,
  events: { ItemAdded: fields },
  commands: [Rpc.make("AddItem", { payload: fields, error: CartFull })],
  evolve: { ItemAdded: evolve }
})

/** Their one event. */
export interface ItemAdded extends Item {
  readonly _tag: "ItemAdded"
}

/** What their commands do. */
export const cartLive = (options: Aggregate.LayerOptions) =>
  Cart.toLayer({
    AddItem: ({ state, command }) =>
      state.total > limit
        ? Effect.fail(new CartFull({ total: state.total }))
        : [{ _tag: "ItemAdded", ...command }]
  }, options)

/** Events of one append while seeding. */
const batch = 1000

/** A seed as appends of about a thousand events. */
function* appends(
  ids: ReadonlyArray<string>,
  each: number
): Generator<ReadonlyArray<EventStore.Write<ItemAdded>>> {
  const events = items(each).map((item): ItemAdded => ({
    _tag: "ItemAdded",
    ...item
  }))
  const together = Math.max(1, Math.floor(batch / each))
  for (let at = 0; at < ids.length; at += together) {
    for (let from = 0; from < each; from += batch) {
      yield ids.slice(at, at + together).map((id) => ({
        stream: Cart.stream(id),
        expected: from,
        events: events.slice(from, from + batch)
      }))
    }
  }
}

/** Appends the first `each` items to each stream, one stream after another. */
export const seed = (
  ids: ReadonlyArray<string>,
  each: number
): Effect.Effect<void, EventStoreError, EventStore.EventStore> =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    for (const writes of appends(ids, each)) {
      yield* store.append(Cart.events, writes)
    }
  })

const consume = (total: number, handle: Handle) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const events = Stream.take(store.subscribe(Cart.events), total)
    yield* Stream.runForEachArray(events, (page) =>
      Effect.sync(() => {
        for (const { stream, data } of page) handle(stream, data)
      }))
  })

/** The number of events in the log. */
export const count: Effect.Effect<number, EventStoreError, EventStore.EventStore> = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  return yield* Stream.runCount(store.log(Cart.events))
})

/** dunnock in a server: one runtime, and one effect run for each command. */
export const open = async <E>(
  events: Layer.Layer<EventStore.EventStore, E>,
  options: Aggregate.LayerOptions = {}
): Promise<Store> => {
  const runtime = ManagedRuntime.make(
    Layer.provideMerge(cartLive(options), events)
  )
  const cart = await runtime.runPromise(Cart.client)
  return {
    command: (id, item) => runtime.runPromise(cart(id).AddItem(item)),
    seed: (ids, each) => runtime.runPromise(seed(ids, each)),
    count: () => runtime.runPromise(count),
    replay: async (id) => (await runtime.runPromise(Cart.state(id))).state,
    consume: (total, handle) => runtime.runPromise(consume(total, handle)),
    close: () => runtime.dispose()
  }
}
