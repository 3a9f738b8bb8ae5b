// How far the work on a shard has come since its last checkpoint. Not public.
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Pending } from "./Lease.ts"
import * as Live from "./Live.ts"
import type { Measures } from "./Measures.ts"
import type { Parking } from "./Parking.ts"
import type { Shard } from "./Shards.ts"
import type { ReadAhead } from "./ReadAhead.ts"

/** How often the checkpoint is written, in milliseconds, and how many times more seldom while nothing was to be handled. */
const checkpointEvery = 100
const idleFactor = 5

export interface Progress {
  readonly handled: (events: number) => void
  readonly skipped: () => void
  /** A request to the owner has been done. */
  readonly settled: (id: string) => void
  /** The newest event of the log, as last seen. */
  readonly sawHead: (position: number) => void
  /** Something has to be written besides the position. */
  readonly touched: () => void
  /** What is done may have come further. */
  readonly advanced: () => void
  /** Tells of `touched` and `advanced`. */
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
  const settled = new Set<string>()
  let handled = 0
  let skipped = 0
  let head = 0
  let seen = shard.position()
  let isTouched = false
  const isIdle = () => !isTouched
  const touched = () => {
    isTouched = true
    moved.notify()
  }

  const pending = (): Pending => {
    const position = ahead.reached()
    const parked = parking.due()
    const counted = { handled, skipped }
    const done = new Set(settled)
    return {
      change: (state) => ({
        ...state,
        position,
        handled: state.handled + counted.handled,
        skipped: state.skipped + counted.skipped,
        requests: done.size === 0 ? state.requests : state.requests.filter(({ id }) => !done.has(id))
      }),
      writes: parked.writes,
      written: () => {
        handled -= counted.handled
        skipped -= counted.skipped
        for (const id of done) settled.delete(id)
        parked.written()
        measures.checkpoint(context, {
          ...counted,
          position,
          lag: head - position,
          parked: parking.size()
        })
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
      touched()
    },
    settled: (id) => {
      settled.add(id)
      touched()
    },
    sawHead: (position) => {
      head = position
    },
    touched,
    advanced: () => {
      const reached = ahead.reached()
      if (reached <= seen) return
      seen = reached
      shard.advance(reached)
      moved.notify()
    },
    moved,
    pending,
    due: Effect.gen(function* () {
      const next = moved.next()
      if (isIdle() && ahead.reached() <= shard.position()) yield* next
      yield* Effect.sleep(checkpointEvery)
      for (let i = 1; i < idleFactor && isIdle(); i++) yield* Effect.sleep(checkpointEvery)
      isTouched = false
    })
  }
}
