// The log in memory. Not public; `EventStore.layerMemory` and `Memory.layer` provide it.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import {
  type EventStoreDriver,
  type Inline,
  type LogPage,
  matches,
  plan,
  positionOf,
  type Snapshot,
  type StoredEvent
} from "./EventStoreDriver.ts"
import type { EventStoreError } from "./EventStoreError.ts"

/** Writes the documents that an inline projection makes of events, or says why nothing was written. */
export type WriteInline = (
  inline: Inline,
  events: ReadonlyArray<StoredEvent>,
  before: number,
  now: number
) => EventStoreError | undefined

/** A unique name for a log. */
export const newName = (): string => String(Math.random())

/** A log in memory, empty at first, with this unique name. */
export const make = (store: string, writeInline?: WriteInline): EventStoreDriver => {
  const log: Array<StoredEvent> = []
  const streams = new Map<string, Array<StoredEvent>>()
  const ids = new Map<string, StoredEvent>()
  const snapshots = new Map<string, Snapshot>()
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
    append: (appends, inline) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const { events, outcomes } = plan(appends, {
          head: log.at(-1) ?? { position: 0, recordedAt: 0 },
          revision: (stream) => streams.get(stream)?.length ?? 0,
          store,
          byId: find,
          match: ({ after, queries }) =>
            log.find((event) => event.position > after && matches(queries, event)),
          now
        })
        if (inline !== undefined && events.length > 0) {
          // Without documents there are no projections.
          const failure = writeInline!(inline, events, log.length, now)
          if (failure !== undefined) return Effect.fail(failure)
        }
        for (const event of events) {
          log.push(event)
          if (event.id !== undefined) ids.set(event.id, event)
          const stream = streams.get(event.stream)
          if (stream === undefined) streams.set(event.stream, [event])
          else stream.push(event)
        }
        return Effect.succeed(outcomes)
      }),
    readStream: ({ direction, from, limit, stream }) =>
      Effect.sync(() => {
        const events = streams.get(stream) ?? []
        if (direction === "forwards") {
          const first = Math.max(from - 1, 0)
          return events.slice(first, first + limit)
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
}
