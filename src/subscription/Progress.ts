// How far the work on a shard has come since its last checkpoint. Not public.
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { StoredEvent } from "../event/EventStoreDriver.ts"
import type { Pending } from "./Lease.ts"
import * as Live from "./Live.ts"
import type { Measures } from "./Measures.ts"
import type { Parking } from "./Parking.ts"
import type { Shard } from "./Shards.ts"
import type { ReadAhead } from "./ReadAhead.ts"
import type { Settled } from "./ShardState.ts"

/** How often the checkpoint is written, in milliseconds, and how many times more seldom while nothing was to be handled. */
const checkpointEvery = 100
const idleFactor = 5

/** How many parts of streams are kept of which everything is done before the checkpoint is there. */
const maxSettled = 1_000

export interface Progress {
  readonly handled: (events: number) => void
  readonly skipped: () => void
  /** These events are done with. */
  readonly finished: (events: ReadonlyArray<StoredEvent>) => void
  /** A part of a stream that was held back is done with. */
  readonly settled: (part: Settled) => void
  readonly isSettled: (event: StoredEvent) => boolean
  /** A request to the owner has been done. */
  readonly answered: (id: string) => void
  /** Something has to be written besides the position. */
  readonly touched: () => void
  /** A stream has been parked: that is written at once, and told of only then. */
  readonly parked: () => void
  /** What is done may have come further. */
  readonly advanced: () => void
  /** Tells of all of these. */
  readonly moved: Live.Signal
  /** What is to be written now. */
  readonly pending: () => Pending
  /** Ends when it is time for the next checkpoint. */
  readonly due: Effect.Effect<void>
}

export const make = (
  shard: Shard,
  ahead: ReadAhead,
  parking: Parking,
  measures: Measures,
  context: Context.Context<never>
): Progress => {
  const moved = Live.signal()
  const answered = new Set<string>()
  let settled = shard.state().settled
  let handled = 0
  let skipped = 0
  /** Whether there is more to write than a position. */
  let isTouched = false
  const isMore = () => isTouched
  /** How many streams have been parked, and how many of these are written. */
  const parks = { all: 0, written: 0 }
  const isUrgent = () => parks.all > parks.written
  const touched = () => {
    isTouched = true
    moved.notify()
  }
  const advanced = () => {
    if (!isUrgent()) shard.advance(ahead.reached())
    moved.notify()
  }

  const pending = (): Pending => {
    const position = ahead.reached()
    const parked = parking.due()
    const counted = { handled, skipped }
    const parksNow = parks.all
    const done = new Set(answered)
    settled = settled.filter(({ upTo }) => upTo > position).slice(-maxSettled)
    const kept = settled
    return {
      change: (state) => ({
        ...state,
        position,
        settled: kept,
        handled: state.handled + counted.handled,
        skipped: state.skipped + counted.skipped,
        requests: done.size === 0 ? state.requests : state.requests.filter(({ id }) => !done.has(id))
      }),
      writes: parked.writes,
      written: () => {
        handled -= counted.handled
        skipped -= counted.skipped
        for (const id of done) answered.delete(id)
        parked.written()
        if (isUrgent()) {
          parks.written = parksNow
          advanced()
        }
        measures.counted(context, counted)
      }
    }
  }

  return {
    handled: (events) => {
      handled += events
      isTouched = true
    },
    skipped: () => {
      skipped++
      isTouched = true
    },
    finished: (events) => {
      ahead.finish(events)
      shard.handledTo(events[events.length - 1]!.position)
      advanced()
    },
    settled: (part) => {
      settled = [...settled, part]
      touched()
    },
    isSettled: ({ position, stream }) =>
      settled.some((part) => part.stream === stream && part.from <= position && position <= part.upTo),
    answered: (id) => {
      answered.add(id)
      touched()
    },
    touched,
    parked: () => {
      parks.all++
      touched()
    },
    advanced,
    moved,
    pending,
    due: Effect.gen(function* () {
      yield* Live.until(moved, () => isMore() || ahead.reached() > shard.position())
      yield* Effect.raceFirst(Effect.sleep(checkpointEvery), Live.until(moved, isUrgent))
      for (let i = 1; i < idleFactor && !isMore(); i++) yield* Effect.sleep(checkpointEvery)
      isTouched = false
    })
  }
}
