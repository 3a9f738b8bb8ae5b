import { type Cart, decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import { load } from "../lib/Peers.ts"
import type { Store } from "../lib/Store.ts"

/** An event as Emmett appends it and hands it out. */
export interface ItemAdded {
  readonly type: "ItemAdded"
  readonly data: Item
}

/** An event read by a consumer. */
export interface Recorded extends ItemAdded {
  readonly metadata: { readonly streamName: string }
}

interface Folding {
  readonly evolve: (cart: Cart, event: ItemAdded) => Cart
  readonly initialState: () => Cart
}

/** What is used of an event store of Emmett. */
export interface EmmettStore {
  readonly appendToStream: (
    stream: string,
    events: ReadonlyArray<ItemAdded>
  ) => Promise<unknown>
  readonly aggregateStream: (
    stream: string,
    folding: Folding
  ) => Promise<{ readonly state: Cart }>
}

interface MemoryStore extends EmmettStore {
  readonly database: object
  readonly readStream: (
    stream: string
  ) => Promise<{ readonly events: ReadonlyArray<Recorded> }>
}

type Handler = (
  store: EmmettStore,
  stream: string,
  decide: (cart: Cart) => ItemAdded
) => Promise<unknown>

interface Reactor {
  readonly start: (context: object) => Promise<unknown>
  readonly handle: (
    events: ReadonlyArray<Recorded>,
    context: object
  ) => Promise<unknown>
}

interface Emmett {
  readonly getInMemoryEventStore: () => MemoryStore
  readonly CommandHandler: (
    options: Folding & { readonly retry: object }
  ) => Handler
  readonly CommandHandlerStreamVersionConflictRetryOptions: object
  readonly inMemoryReactor: (options: {
    readonly processorId: string
    readonly eachMessage: (event: Recorded) => void
  }) => Reactor
}

/** Loads Emmett's core. */
export const core = (): Promise<Emmett> => load("@event-driven-io/emmett")

const folding: Folding = {
  evolve: (cart, event) => evolve(cart, event.data),
  initialState: () => empty
}

const added = (data: Item): ItemAdded => ({ type: "ItemAdded", data })

const append = 1000

/** Appends `each` items to each stream, at most a thousand at once. */
export const seed = async (
  store: EmmettStore,
  streams: ReadonlyArray<string>,
  each: number
): Promise<void> => {
  const events = items(each).map(added)
  for (const stream of streams) {
    for (let at = 0; at < each; at += append) {
      await store.appendToStream(stream, events.slice(at, at + append))
    }
  }
}

/** Folds a stream. */
export const replay = async (
  store: EmmettStore,
  stream: string
): Promise<Cart> => (await store.aggregateStream(stream, folding)).state

/** Handles commands with conflicts repeated at once: the default waits 100 ms, which would be all that is measured. */
export const commandOn = (
  emmett: Emmett,
  store: EmmettStore
): Store["command"] => {
  const onVersionConflict = {
    ...emmett.CommandHandlerStreamVersionConflictRetryOptions,
    retries: 50,
    minTimeout: 0,
    maxTimeout: 1,
    factor: 1
  }
  const handle = emmett.CommandHandler({
    ...folding,
    retry: { onVersionConflict }
  })
  return (stream, item) => handle(store, stream, (cart) => added(decide(cart, item)))
}

/** Emmett on its in-memory store. It has no log to read: its streams, read one by one, go through its reactor. */
export const open = async (): Promise<Store> => {
  const emmett = await core()
  const store = emmett.getInMemoryEventStore()
  const { database } = store
  const names: Array<string> = []
  const events = async (stream: string) => (await store.readStream(stream)).events

  return {
    command: commandOn(emmett, store),
    seed: async (streams, each) => {
      for (const stream of streams) names.push(stream)
      await seed(store, streams, each)
    },
    count: async () => {
      let count = 0
      for (const name of names) count += (await events(name)).length
      return count
    },
    replay: (stream) => replay(store, stream),
    consume: async (_total, handle, expired) => {
      const eachMessage = (event: Recorded) => handle(event.metadata.streamName, event.data)
      const reactor = emmett.inMemoryReactor({
        processorId: `reader-${performance.now()}`,
        eachMessage
      })
      await reactor.start({ database })
      for (const name of names) {
        if (expired()) return
        await reactor.handle(await events(name), { database })
      }
    },
    close: async () => {}
  }
}
