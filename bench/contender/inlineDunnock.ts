import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type { DocumentStore } from "dunnock/DocumentStore"
import type { EventStore } from "dunnock/EventStore"
import type { Inlined } from "../lib/Store.ts"
import { Cart, cartLive, count, seed } from "./dunnock.ts"
import { totals, views } from "./dunnockViews.ts"

/** Commands of dunnock with a projection in their transactions. */
const open = async <E>(stores: Layer.Layer<EventStore | DocumentStore, E>): Promise<Inlined> => {
  const runtime = ManagedRuntime.make(
    Layer.mergeAll(cartLive({}), views.layerInline).pipe(Layer.provideMerge(stores))
  )
  const cart = await runtime.runPromise(Cart.client)
  return {
    command: (id, item) => runtime.runPromise(cart(id).AddItem(item)),
    seed: (ids, each) => runtime.runPromise(seed(ids, each)),
    count: () => runtime.runPromise(count),
    view: () => runtime.runPromise(totals),
    close: () => runtime.dispose()
  }
}

/** On SQLite. */
export const openSqlite = async (filename: string): Promise<Inlined> =>
  open((await import("dunnock/sqlite")).layer({ filename, synchronous: "FULL" }))

/** On PostgreSQL. */
export const openPostgres = async (url: string): Promise<Inlined> =>
  open((await import("dunnock/postgres")).layer({ url }))

/** On MySQL or MariaDB. */
export const openMysql = async (url: string): Promise<Inlined> =>
  open((await import("dunnock/mysql")).layer({ url }))
