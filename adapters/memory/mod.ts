/**
 * The event store in memory: for tests, and for programs whose state need not outlive them. It keeps every promise of an
 * event store but durability.
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
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as EventStore from "../../src/event/EventStore.ts"
import {
  type EventStoreDriver,
  type Guarantees,
  type LogPage,
  matches,
  plan,
  positionOf,
  type Snapshot,
  type StoredEvent
} from "../../src/event/EventStoreDriver.ts"

/** An event store in memory, empty at first. */
export const make: Effect.Effect<EventStoreDriver> = Effect.sync(() => {
  const log: Array<StoredEvent> = []
  const streams = new Map<string, Array<StoredEvent>>()
  const ids = new Map<string, StoredEvent>()
  const snapshots = new Map<string, Snapshot>()
  const none: ReadonlyArray<StoredEvent> = []
  const store = globalThis.crypto.randomUUID()
  const find = (id: string) => {
    const position = positionOf(store, id)
    if (position === undefined) return ids.get(id)
    const event = log[position - 1]
    return event?.id === undefined ? event : undefined
  }

  return {
    name: "memory",
    store,
    groupCommit: false,
    append: (appends) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const { events, outcomes } = plan(appends, {
          head: log.length === 0 ? { position: 0, recordedAt: 0 } : log[log.length - 1]!,
          revision: (stream) => streams.get(stream)?.length ?? 0,
          store,
          byId: find,
          match: ({ after, queries }) =>
            log.find((event) => event.position > after && matches(queries, event)),
          now
        })
        for (const event of events) {
          log.push(event)
          if (event.id !== undefined) ids.set(event.id, event)
          const stream = streams.get(event.stream)
          if (stream === undefined) streams.set(event.stream, [event])
          else stream.push(event)
        }
        return outcomes
      }),
    readStream: ({ direction, from, limit, stream }) =>
      Effect.sync(() => {
        const events = streams.get(stream) ?? none
        if (direction === "forwards") {
          return events.slice(Math.max(from - 1, 0), Math.max(from - 1, 0) + limit)
        }
        const end = Math.min(from, events.length)
        return events.slice(Math.max(end - limit, 0), end).reverse()
      }),
    readLog: ({ after, limit, queries }) =>
      Effect.sync((): LogPage => {
        const events: Array<StoredEvent> = []
        let upTo = after
        // positions are 1, 2, … without gaps here, so the event after position p is log[p]
        while (upTo < log.length && events.length < limit) {
          const event = log[upTo++]!
          if (matches(queries, event)) events.push(event)
        }
        return { events, upTo }
      }),
    find: (id) => Effect.sync(() => find(id)),
    head: Effect.sync(() => log.length),
    changed: () => Effect.never,
    readSnapshot: (stream) => Effect.sync(() => snapshots.get(stream)),
    writeSnapshot: (stream, snapshot) => Effect.sync(() => void snapshots.set(stream, snapshot))
  }
})

/** What the adapter guarantees beyond the promises of every event store. */
export const guarantees: Guarantees = { durable: false, shared: false }

/** An event store in memory, a new one wherever the layer is built. */
export const layer: Layer.Layer<EventStore.EventStore> = EventStore.layer(make)
