/**
 * Events and documents in memory: for tests, and for programs whose state need not outlive them. Every promise of the
 * stores is kept but durability.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore } from "dunnock"
 * import * as Memory from "dunnock/memory"
 *
 * const program = Effect.flatMap(EventStore.EventStore, (store) => store.head).pipe(Effect.provide(Memory.layer))
 * ```
 *
 * @module
 */
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { EventStore } from "../../src/event/EventStore.ts"
import type { Guarantees } from "../../src/event/EventStoreDriver.ts"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import * as Stores from "../../src/repository/Stores.ts"

/** Stores in memory, empty at first. */
export const make: Effect.Effect<Stores.Stores> = Stores.makeMemory

/** What the adapter guarantees beyond the promises of every store. */
export const guarantees: Guarantees = { durable: false, shared: false }

/** An event store and a document store in memory, new ones wherever the layer is built. */
export const layer: Layer.Layer<EventStore | DocumentStore> = Stores.layer(make)
