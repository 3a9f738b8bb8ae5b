import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as EventStore from "dunnock/EventStore"
import * as DunnockPostgres from "dunnock/postgres"
import * as Subscription from "dunnock/Subscription"
import { Cart, count } from "../contender/dunnock.ts"
import type { Item } from "../lib/Cart.ts"
import type { Appender } from "../lib/Relay.ts"

/** An event store of dunnock. */
export const open = async (url: string): Promise<Appender> => {
  const runtime = ManagedRuntime.make(DunnockPostgres.layer({ url }))
  const store = await runtime.runPromise(EventStore.EventStore)
  return {
    append: (id, item) =>
      runtime.runPromise(
        store.append(Cart.events, [{
          stream: Cart.stream(id),
          expected: "any",
          events: [{ _tag: "ItemAdded", ...item }]
        }])
      ),
    count: () => runtime.runPromise(count),
    close: () => runtime.dispose()
  }
}

const Reader = Subscription.make("reader", { events: Cart.events })

/** A subscription with its checkpoints. */
export const listen = async (url: string, handle: (item: Item) => void): Promise<void> => {
  const reader = Reader.toLayer(({ data }) => Effect.sync(() => handle(data)))
  await ManagedRuntime.make(Layer.provide(reader, DunnockPostgres.layer({ url }))).context()
}
