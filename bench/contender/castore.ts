import { type Cart, decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import { load } from "../lib/Peers.ts"
import type { Store } from "../lib/Store.ts"

interface Detail {
  readonly aggregateId: string
  readonly version: number
  readonly type: "ItemAdded"
  readonly timestamp?: string
  readonly payload: Item
}

interface Aggregate extends Cart {
  readonly aggregateId: string
  readonly version: number
}

interface EventStore {
  readonly getAggregate: (
    id: string
  ) => Promise<{ readonly aggregate: Aggregate }>
  readonly pushEvent: (event: Detail) => Promise<unknown>
}

interface Core {
  readonly EventStore: new (options: object) => EventStore
  readonly EventType: new (options: { readonly type: string }) => object
}

interface Adapter {
  readonly InMemoryEventStorageAdapter: new () => {
    readonly eventStore: Record<string, Array<Detail>>
  }
}

const reducer = (
  aggregate: Aggregate | undefined,
  event: Detail
): Aggregate => ({
  ...evolve(aggregate ?? empty, event.payload),
  aggregateId: event.aggregateId,
  version: event.version
})

const timestamp = "2026-01-01T00:00:00.000Z"

const detail = (aggregateId: string) => (payload: Item, index: number): Detail => ({
  aggregateId,
  version: index + 1,
  type: "ItemAdded",
  timestamp,
  payload
})

const isConflict = (error: unknown): boolean =>
  error instanceof Error && "code" in error &&
  error.code === "EventAlreadyExistsError"

/** Castore on its in-memory storage. It has no log to read. */
export const open = async (): Promise<Store> => {
  const { EventStore, EventType } = await load<Core>("@castore/core")
  const { InMemoryEventStorageAdapter } = await load<Adapter>(
    "@castore/event-storage-adapter-in-memory"
  )
  const storage = new InMemoryEventStorageAdapter()
  const store = new EventStore({
    eventStoreId: "carts",
    eventTypes: [new EventType({ type: "ItemAdded" })],
    eventStorageAdapter: storage,
    reducer
  })

  const command = async (stream: string, item: Item): Promise<void> => {
    const { aggregate } = await store.getAggregate(stream)
    const payload = decide(aggregate, item)
    try {
      await store.pushEvent({
        aggregateId: stream,
        version: aggregate.version + 1,
        type: "ItemAdded",
        payload
      })
    } catch (error) {
      if (!isConflict(error)) throw error
      await command(stream, item)
    }
  }

  return {
    command,
    // Straight into the storage: pushing looks through the whole stream, which no workload times.
    seed: async (streams, each) => {
      for (const stream of streams) {
        storage.eventStore[stream] = items(each).map(detail(stream))
      }
    },
    count: async () =>
      Object.values(storage.eventStore).reduce(
        (sum, events) => sum + events.length,
        0
      ),
    replay: async (stream) => (await store.getAggregate(stream)).aggregate,
    consume: () => Promise.reject(new Error("Castore has no log")),
    close: async () => {}
  }
}
