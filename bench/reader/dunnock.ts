import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { DocumentStore } from "dunnock/DocumentStore"
import * as EventStore from "dunnock/EventStore"
import * as Projection from "dunnock/Projection"
import { Cart, seed } from "../contender/dunnock.ts"
import { database } from "../lib/Postgres.ts"
import type { Reader } from "../lib/Memory.ts"
import * as View from "../lib/View.ts"

type Stores<E> = Layer.Layer<EventStore.EventStore | DocumentStore, E>

/** The log as a stream. */
const reading = <E>(stores: Stores<E>): Reader => {
  const runtime = ManagedRuntime.make(stores)
  const read = (event: () => void) =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      yield* Stream.runForEachArray(
        store.log(Cart.events),
        (page) => Effect.sync(() => page.forEach(() => event()))
      )
    })
  return {
    // Positions are counted from 1.
    count: () => runtime.runPromise(Effect.flatMap(EventStore.EventStore, ({ head }) => head)),
    seed: (carts, each) => runtime.runPromise(seed(carts, each)),
    read: (event) => runtime.runPromise(read(event)),
    close: () => runtime.dispose()
  }
}

/** A projection that is built from the whole log. */
const projecting = <E>(stores: Stores<E>): Reader => ({
  ...reading(stores),
  read: async (event) => {
    const views = Projection.make(`Views${process.pid}`, {
      version: 1,
      events: Cart.events,
      document: Schema.Struct({ count: Schema.Int, total: Schema.Int }),
      id: ({ stream }) => stream,
      evolve: {
        ItemAdded: (view, { data }) => {
          event()
          return View.apply(view ?? View.empty, data)
        }
      }
    })
    const runtime = ManagedRuntime.make(Layer.provideMerge(views.layer, stores))
    await runtime.runPromise(Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      yield* views.waitFor(yield* store.head, "10 minutes")
    }))
    await runtime.dispose()
  }
})

const sqlite = async (filename: string) =>
  (await import("dunnock/sqlite")).layer({ filename, synchronous: "NORMAL" })

const postgres = async (server: string) => {
  const { url } = await database(server, "bench_memory_dunnock", true)
  return (await import("dunnock/postgres")).layer({ url })
}

export const openSqlite = async (filename: string): Promise<Reader> => reading(await sqlite(filename))
export const openPostgres = async (server: string): Promise<Reader> => reading(await postgres(server))
export const projectSqlite = async (filename: string): Promise<Reader> => projecting(await sqlite(filename))
export const projectPostgres = async (server: string): Promise<Reader> => projecting(await postgres(server))
