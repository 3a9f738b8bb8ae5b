import { type Cart, decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import type { Store } from "../lib/Store.ts"

/** An event; its data is kept as `A`. */
interface ItemAdded<A> {
  readonly type: "ItemAdded"
  readonly data: A
}

interface Codec<A> {
  readonly encode: (item: Item) => A
  readonly decode: (data: A) => Item
}

class Conflict extends Error {}

const make = <A>({ encode, decode }: Codec<A>): Store => {
  const streams = new Map<string, Array<ItemAdded<A>>>()

  const added = (item: Item): ItemAdded<A> => ({
    type: "ItemAdded",
    data: encode(item)
  })

  const fold = (events: ReadonlyArray<ItemAdded<A>>): Cart => {
    let cart = empty
    for (const event of events) cart = evolve(cart, decode(event.data))
    return cart
  }

  const load = async (stream: string) => streams.get(stream) ?? []

  const append = async (
    stream: string,
    expected: number,
    events: Array<ItemAdded<A>>
  ) => {
    const present = streams.get(stream)
    if ((present?.length ?? 0) !== expected) throw new Conflict()
    if (present === undefined) streams.set(stream, events)
    else for (const event of events) present.push(event)
  }

  const attempt = async (stream: string, item: Item) => {
    const events = await load(stream)
    const revision = events.length
    await append(stream, revision, [added(decide(fold(events), item))])
  }

  const command = async (stream: string, item: Item): Promise<void> => {
    try {
      await attempt(stream, item)
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
      await command(stream, item)
    }
  }

  return {
    command,
    seed: async (names, each) => {
      for (const name of names) streams.set(name, items(each).map(added))
    },
    count: async () => streams.values().reduce((sum, events) => sum + events.length, 0),
    replay: async (stream) => fold(await load(stream)),
    // The workload writes one stream after another, so this is the order of the log.
    consume: async (_total, handle) => {
      for (const [stream, events] of streams) {
        for (const event of events) handle(stream, decode(event.data))
      }
    },
    close: async () => {}
  }
}

/** A Map of arrays behind an async interface: nothing is copied, checked or encoded. */
export const open = (): Promise<Store> =>
  Promise.resolve(make({ encode: (item) => item, decode: (item) => item }))

/** The same, but what is kept is JSON text, which nobody else can change. */
export const openText = (): Promise<Store> =>
  Promise.resolve(
    make({
      encode: (item) => JSON.stringify(item),
      decode: (text) => JSON.parse(text)
    })
  )
