import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type { DocumentStore } from "dunnock/DocumentStore"
import * as EventStore from "dunnock/EventStore"
import { Cart, count, type ItemAdded } from "../contender/dunnock.ts"
import { totals, views } from "../contender/dunnockViews.ts"
import { items } from "../lib/Cart.ts"
import * as Mysql from "../lib/Mysql.ts"
import * as Postgres from "../lib/Postgres.ts"
import type { Open, Projector } from "../lib/Projector.ts"

type Stores<E> = Layer.Layer<EventStore.EventStore | DocumentStore, E>

/** Carts of one append while seeding. */
const together = 1000

const seed = Effect.fnUntraced(function* (carts: ReadonlyArray<string>, each: number) {
  const store = yield* EventStore.EventStore
  for (const [index, item] of items(each).entries()) {
    const events: ReadonlyArray<ItemAdded> = [{ _tag: "ItemAdded", ...item }]
    for (let at = 0; at < carts.length; at += together) {
      const streams = carts.slice(at, at + together).map((cart) => Cart.stream(cart))
      yield* store.append(Cart.events, streams.map((stream) => ({ stream, expected: index, events })))
    }
  }
})

/** A projection of dunnock that runs in the background: its layer is ready when it has caught up. */
const open = <E>(stores: Stores<E>): Projector => {
  const log = ManagedRuntime.make(stores)
  const projecting = ManagedRuntime.make(Layer.provideMerge(views.layer, stores))
  return {
    count: () => log.runPromise(count),
    seed: (names, each) => log.runPromise(seed(names, each)),
    forget: async () => {},
    project: () =>
      projecting.runPromise(Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        yield* views.waitFor(yield* store.head, "2 minutes")
        const { handled } = yield* views.status
        return handled
      })),
    view: () => projecting.runPromise(totals),
    close: async () => {
      await projecting.dispose()
      await log.dispose()
    }
  }
}

/** On SQLite. */
export const openSqlite: Open = async (filename) =>
  open((await import("dunnock/sqlite")).layer({ filename, synchronous: "NORMAL" }))

/** On PostgreSQL. */
export const openPostgres: Open = async (server) => {
  const { url } = await Postgres.database(server, "bench_project_dunnock", true)
  return open((await import("dunnock/postgres")).layer({ url }))
}

/** On MySQL or MariaDB. */
export const openMysql: Open = async (server) => {
  const { url } = await Mysql.database(server, "bench_project_dunnock", true)
  return open((await import("dunnock/mysql")).layer({ url }))
}
