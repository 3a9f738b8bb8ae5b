/** What tests of several processes write, and their chance, which is the same in every run. */
import * as Event from "dunnock/Event"
import type * as EventStore from "dunnock/EventStore"
import type { EventStoreError } from "dunnock/EventStoreError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Schema from "effect/Schema"
import process from "node:process"

/** `few` of something; `DUNNOCK_FAULTS=long` makes them many. */
export const times = (few: number, many: number): number => process.env.DUNNOCK_FAULTS === "long" ? many : few

export const range = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, i) => i)

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export const chance = (seed: number): () => number => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const events = Event.set({ Written: { writer: Schema.String, fiber: Schema.Int, n: Schema.Int } })

/** The ids of a fiber's n-th append: two events of its own stream and one of a stream that all share. */
export const idsOf = (writer: string, fiber: number, n: number): ReadonlyArray<string> =>
  ["own-0", "own-1", "shared"].map((part) => `${writer}/${fiber}/${n}/${part}`)

/** Makes a fiber's n-th append, which is the same however often it is made. */
export const write = (
  store: EventStore.EventStore,
  writer: string,
  fiber: number,
  n: number
): Effect.Effect<ReadonlyArray<EventStore.Receipt>, EventStoreError> => {
  const event = { _tag: "Written", writer, fiber, n } as const
  const [first, second, shared] = idsOf(writer, fiber, n) as [string, string, string]
  return store.append(events, [
    { stream: `own-${writer}-${fiber}`, expected: 2 * n, events: [event, event], ids: [first, second] },
    { stream: "shared", events: [event], ids: [shared] }
  ])
}

/** Appends that go on in the background. */
export interface Load {
  /** How many of each fiber have been acknowledged. */
  readonly appends: ReadonlyArray<number>
  /** Ends it, and waits until it has. */
  readonly end: Effect.Effect<void, EventStoreError>
}

/**
 * Appends by several fibers at once, each after the one before with a pause in between, which are tried again for as long
 * as the store is away.
 */
export const load = (
  store: EventStore.EventStore,
  writer: string,
  fibers: number,
  pause: Duration.Input
): Effect.Effect<Load, never, Scope.Scope> =>
  Effect.gen(function* () {
    const appends = range(fibers).map(() => 0)
    const state = { isOver: false }
    const one = (fiber: number) =>
      Effect.gen(function* () {
        while (!state.isOver) {
          yield* Effect.retry(write(store, writer, fiber, appends[fiber]!), {
            while: ({ isRetryable }) => isRetryable,
            schedule: Schedule.spaced("5 millis")
          })
          appends[fiber]!++
          yield* Effect.sleep(pause)
        }
      })
    const working = yield* Effect.forkScoped(
      Effect.forEach(range(fibers), one, { concurrency: "unbounded", discard: true })
    )
    return {
      appends,
      end: Effect.suspend(() => {
        state.isOver = true
        return Fiber.join(working)
      })
    }
  })
