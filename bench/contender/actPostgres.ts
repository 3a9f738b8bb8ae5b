import { decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import { load } from "../lib/Peers.ts"
import { connections, once } from "../lib/Postgres.ts"
import type { Commands } from "../lib/Store.ts"

/** An event of Act. */
export interface Event {
  readonly id: number
  readonly stream: string
  readonly data: Item
}

interface Emitting {
  readonly emit: (decide: (item: Item, state: typeof empty) => readonly ["ItemAdded", Item]) => {
    readonly build: () => object
  }
}

interface State {
  readonly init: (init: () => typeof empty) => {
    readonly emits: (events: { readonly ItemAdded: unknown }) => {
      readonly patch: (
        patch: { readonly ItemAdded: (event: Event, state: typeof empty) => typeof empty }
      ) => { readonly on: (action: "addItem", schema: unknown) => Emitting }
    }
  }
}

/** A program of Act. */
export interface App {
  readonly do: (
    action: "addItem",
    target: { readonly stream: string; readonly actor: { readonly id: string; readonly name: string } },
    item: Item
  ) => Promise<unknown>
  readonly drain: () => Promise<number>
}

interface Builder {
  readonly with: (state: object) => Builder
  readonly on: (event: "ItemAdded") => {
    readonly do: (handler: (event: Event) => Promise<void>) => { readonly to: (stream: string) => Builder }
  }
  readonly build: (drainLimit?: number) => App
}

interface Store {
  readonly seed: () => Promise<void>
  readonly commit: (
    stream: string,
    events: ReadonlyArray<{ readonly name: "ItemAdded"; readonly data: Item }>,
    meta: object
  ) => Promise<unknown>
  readonly dispose: () => Promise<void>
}

interface Act {
  readonly act: () => Builder
  readonly state: (name: string, schema: unknown) => State
  readonly store: (store: Store) => Store
}

interface ActPg {
  readonly PostgresStore: new (options: object) => Store
}

interface Zod {
  readonly z: {
    readonly object: (fields: Record<string, unknown>) => unknown
    readonly array: (element: unknown) => unknown
    readonly string: () => unknown
    readonly number: () => unknown
    readonly int: () => unknown
  }
}

/** A program on PostgreSQL, with a handler for each event if one is given. */
export const connect = async (
  url: string,
  options: { readonly handle?: (event: Event) => Promise<void>; readonly drainLimit?: number } = {}
): Promise<{ readonly app: App; readonly store: Store }> => {
  process.env["NODE_ENV"] = "production"
  process.env["LOG_LEVEL"] = "fatal"
  const { act, state, store } = await load<Act>("@rotorsoft/act")
  const { PostgresStore } = await load<ActPg>("@rotorsoft/act-pg")
  const { z } = await load<Zod>("zod")
  const { hostname, password, pathname, port, username } = new URL(url)
  const opened = store(
    new PostgresStore({
      host: hostname,
      port: Number(port),
      user: username,
      password,
      database: pathname.slice(1),
      max: connections
    })
  )
  await opened.seed()
  const item = z.object({
    id: z.string(),
    sku: z.string(),
    quantity: z.int(),
    price: z.int(),
    at: z.string(),
    tags: z.array(z.string()),
    note: z.string()
  })
  const cart = state("Cart", z.object({ count: z.int(), total: z.number(), last: z.string() }))
    .init(() => empty)
    .emits({ ItemAdded: item })
    .patch({ ItemAdded: (event, state) => evolve(state, event.data) })
    .on("addItem", item)
    .emit((added, state) => ["ItemAdded", decide(state, added)])
    .build()
  const builder = act().with(cart)
  const { handle } = options
  const app = handle === undefined ? builder : builder.on("ItemAdded").do(handle).to("reader")
  return { app: app.build(options.drainLimit), store: opened }
}

const actor = { id: "bench", name: "bench" }

const isConflict = (error: unknown): boolean => {
  const { code, name } = error as { readonly code?: string; readonly name?: string }
  return name === "ERR_CONCURRENCY" || code === "23505"
}

/** Sends the command; repeats it after a conflict, which Act leaves to its user. */
export const addItem = async (app: App, stream: string, item: Item): Promise<void> => {
  try {
    await app.do("addItem", { stream, actor }, item)
  } catch (error) {
    if (!isConflict(error)) throw error
    await addItem(app, stream, item)
  }
}

/** Act on PostgreSQL. */
export const open = async (url: string): Promise<Commands> => {
  const { app, store } = await connect(url)
  const meta = { correlation: "seed", causation: {} }
  return {
    command: (stream, item) => addItem(app, stream, item),
    seed: async (streams, each) => {
      const events = items(each).map((data) => ({ name: "ItemAdded" as const, data }))
      for (const stream of streams) await store.commit(stream, events, meta)
    },
    count: async () => Number((await once<{ count: string }>(url, "select count(*) from events"))[0]?.count),
    close: () => store.dispose()
  }
}
