// How the events of one stream are handled, and what becomes of those that cannot be. Not public.
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Event from "../event/Event.ts"
import type { EventStore } from "../event/EventStore.ts"
import { matches, type Query, type StoredEvent } from "../event/EventStoreDriver.ts"
import { EventStoreError } from "../event/EventStoreError.ts"
import * as Pages from "../event/Pages.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Attempt from "./Attempt.ts"
import * as Lease from "./Lease.ts"
import type { Measures } from "./Measures.ts"
import type { Parking } from "./Parking.ts"
import type { Progress } from "./Progress.ts"
import type { Shard } from "./Shards.ts"
import type { Lane, ReadAhead } from "./ReadAhead.ts"

export interface Options<E, R> {
  readonly name: string
  readonly events: Event.Set<E>
  readonly query: Query
  readonly store: EventStore
  readonly handler: (
    events: ReadonlyArray<Event.Recorded<E>>,
    context: Attempt.Context
  ) => Effect.Effect<unknown, unknown, R>
  readonly batch: number
  readonly retry: Schedule.Schedule<unknown, unknown, unknown>
  readonly otherwise: "stop" | "skip" | "park"
}

/** An event that ends the work on the shard. */
export class Stop {
  readonly _tag = "Stop"
  readonly event: StoredEvent
  readonly error: string
  constructor(event: StoredEvent, error: string) {
    this.event = event
    this.error = error
  }
}

/** The shard is being given back: nothing more is begun. */
export interface Leaving {
  readonly _tag: "Leaving"
}

export type Failure = EventStoreError | DocumentStoreError | Lease.LeaseLost

/** What ends the work on a lane. */
export type End = Stop | Failure | Leaving

/** The text of an error as it is kept: whatever a handler fails with, it can be stored. */
export const textOf = (cause: Cause.Cause<unknown>): string => {
  try {
    return withFields(cause).replaceAll("\0", "\uFFFD").slice(0, 4_000).toWellFormed()
  } catch {
    return "an error that cannot be shown as text"
  }
}

/** An error with fields in place of a message is shown with these. */
const withFields = (cause: Cause.Cause<unknown>): string => {
  const text = Cause.pretty(cause)
  const error = Cause.squash(cause)
  if (!(error instanceof Error) || error.message !== "") return text
  const { _tag: _, ...fields } = error as Error & { readonly _tag?: unknown }
  return text.replace(/^[^:\n]+:? ?/, (name) => `${name.replace(/:? ?$/, "")}: ${JSON.stringify(fields)}`)
}

/** What the work on a shard is made of. */
export interface Desk {
  readonly shard: Shard
  readonly ahead: ReadAhead
  readonly parking: Parking
  readonly progress: Progress
  readonly measures: Measures
  readonly context: Context.Context<never>
}

/** Does the next work of a lane: what is asked for its stream, or its next events. */
export const make = <E, R>(
  options: Options<E, R>,
  { context, measures, parking, progress, shard, ahead }: Desk
): (lane: Lane) => Effect.Effect<void, End, R> => {
  const { batch, name, otherwise, query, store } = options

  /** What becomes of an event that cannot be handled; whether those after it in its stream are to be handled. */
  const giveUp = (event: StoredEvent, cause: Cause.Cause<unknown>): Effect.Effect<boolean, Stop> =>
    Effect.gen(function* () {
      const { position, revision, stream, type } = event
      const what = `event "${type}" at revision ${revision} of stream "${stream}" (position ${position})`
      const error = textOf(cause)
      if (otherwise === "stop") return yield* Effect.fail(new Stop(event, error))
      if (otherwise === "skip") {
        progress.skipped()
        yield* Effect.logWarning(`subscription "${name}" skips ${what}`, error)
        return true
      }
      parking.park(event, error, yield* Clock.currentTimeMillis)
      progress.parked()
      yield* Effect.logWarning(`subscription "${name}" parks its stream from ${what}`, error)
      return false
    })

  const before = Effect.flatMap(shard.held, (held): Effect.Effect<void, Failure | Leaving> => {
    if (shard.leave.isOpen()) return Effect.fail({ _tag: "Leaving" })
    // A lease that has run out may be another's by now.
    return held ? Effect.void : shard.renew
  })

  const attempt = (events: ReadonlyArray<Event.Recorded<E>>) =>
    Effect.suspend(() => {
      const replay = events[0]!.position <= shard.state().replay
      const onFailure = () => measures.failed(context)
      return Attempt.attempt(
        { ...options, before, hurry: shard.leave.await, onFailure, replay },
        events
      )
    })

  /** Handles events that can be decoded, together, and if that fails one by one, so that only the one at fault suffers. */
  const handleGood = (
    stored: ReadonlyArray<StoredEvent>,
    events: ReadonlyArray<Event.Recorded<E>>
  ): Effect.Effect<boolean, End, R> =>
    Effect.flatMap(attempt(events), (cause) => {
      if (cause !== undefined) return events.length === 1 ? giveUp(stored[0]!, cause) : handleEach(stored)
      progress.handled(events.length)
      return Effect.succeed(true)
    })

  const handleEach = (events: ReadonlyArray<StoredEvent>): Effect.Effect<boolean, End, R> =>
    Effect.gen(function* () {
      for (const event of events) {
        if (!(yield* handle([event]))) return false
      }
      return true
    })

  /** Handles events of one stream, in order; whether all of them are done with, and none was parked. */
  const handle = (events: ReadonlyArray<StoredEvent>): Effect.Effect<boolean, End, R> => {
    const { bad, good } = decoded(options, events)
    if (bad === undefined) return handleGood(events, good)
    return Effect.gen(function* () {
      if (good.length > 0 && !(yield* handleGood(events.slice(0, good.length), good))) return false
      if (!(yield* giveUp(events[good.length]!, Cause.fail(bad)))) return false
      const rest = events.slice(good.length + 1)
      return rest.length === 0 || (yield* handle(rest))
    })
  }

  /** The next events of a lane, as many as can be handled together. */
  const next = ({ waiting }: Lane) => {
    const { replay } = shard.state()
    const isReplay = waiting[0]!.position <= replay
    let n = 1
    while (n < batch && n < waiting.length && waiting[n]!.position <= replay === isReplay) n++
    return waiting.splice(0, n)
  }

  const goOn = (lane: Lane): Effect.Effect<void, End, R> => {
    const events = next(lane)
    const free = events.filter((event) => !progress.isSettled(event) && !parking.holds(event))
    if (free.length < events.length) progress.touched()
    const finish = (isThrough: boolean) => {
      if (!isThrough) { for (const event of free) parking.holds(event) }
      progress.finished(events)
    }
    return free.length === 0 ? Effect.sync(() => finish(true)) : Effect.map(handle(free), finish)
  }

  /** Handles the events that are held back, in order; false if one was parked again. */
  const redrive = (stream: string): Effect.Effect<boolean, End, R> =>
    Effect.gen(function* () {
      const limit = Pages.firstSize
      for (let parked = parking.get(stream); parked !== undefined; parked = parking.get(stream)) {
        const { last, revision } = parked
        const page = yield* Lease.patient(
          store.driver.readStream({ bare: false, stream, direction: "forwards", from: revision, limit })
        )
        const held = page.filter(({ position }) => position <= last)
        const wanted = held.filter((event) => matches([query], event))
        for (let i = 0; i < wanted.length; i += batch) {
          const events = wanted.slice(i, i + batch)
          if (!(yield* handle(events))) return false
          parking.passed(events[events.length - 1]!, events.length)
          progress.touched()
        }
        if (held.length < limit) return true
        parking.passed(held[held.length - 1]!, 0)
      }
      return true
    })

  /** Does what was asked for a parked stream. */
  const resolve = ({ stream, waiting }: Lane): Effect.Effect<void, End, R> =>
    Effect.gen(function* () {
      const requests = shard.state().requests.filter((request) => request.stream === stream)
      const action = requests[requests.length - 1]?.action
      const parked = parking.get(stream)
      if (action !== undefined && parked !== undefined) {
        const { last: upTo, position: from } = parked
        const next = waiting[0]?.position ?? ahead.upTo() + 1
        // What is held back is still to come, in its turn, where the shard has gone back behind it.
        const isToCome = action === "redrive" && next <= from
        const isDone = action === "discard" || isToCome || (yield* redrive(stream))
        if (isDone) parking.unpark(stream)
        if (isDone && !isToCome) progress.settled({ stream, from, upTo })
      }
      for (const { id } of requests) progress.answered(id)
    })

  return (lane) => {
    if (!lane.requested) return goOn(lane)
    lane.requested = false
    return resolve(lane)
  }
}

/** The events up to the first that cannot be decoded, and why it cannot. */
const decoded = <E, R>(
  { events: set, store }: Options<E, R>,
  events: ReadonlyArray<StoredEvent>
): { readonly good: ReadonlyArray<Event.Recorded<E>>; readonly bad: EventStoreError | undefined } => {
  const good: Array<Event.Recorded<E>> = []
  try {
    for (const event of events) good.push(Pages.toRecorded(store.driver, set, event))
    return { good, bad: undefined }
  } catch (error) {
    if (error instanceof EventStoreError) return { good, bad: error }
    throw error
  }
}
