// What is done with the events of one shard, from reading to the checkpoint. Not public.
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Event from "../event/Event.ts"
import type { EventStore } from "../event/EventStore.ts"
import { matches, type Query, type StoredEvent } from "../event/EventStoreDriver.ts"
import { EventStoreError } from "../event/EventStoreError.ts"
import * as Pages from "../event/Pages.ts"
import type { DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import { attempt, type Context } from "./Attempt.ts"
import * as Lease from "./Lease.ts"
import * as Live from "./Live.ts"
import * as Measures from "./Measures.ts"
import * as Parking from "./Parking.ts"
import * as Shards from "./Shards.ts"
import * as Window from "./Window.ts"

export interface Options<E, R> {
  readonly name: string
  readonly events: Event.Set<E>
  readonly query: Query
  readonly store: EventStore
  readonly documents: DocumentStore
  readonly handler: (
    events: ReadonlyArray<Event.Recorded<E>>,
    context: Context
  ) => Effect.Effect<unknown, unknown, R>
  readonly concurrency: number
  readonly batch: number
  readonly retry: Schedule.Schedule<unknown, unknown, unknown> | undefined
  readonly then: "stop" | "skip" | "park"
}

type Failure = EventStoreError | DocumentStoreError | Shards.LeaseLost

/** An event that ends the work on the shard. */
class Stop {
  readonly _tag = "Stop"
  readonly event: StoredEvent
  readonly error: string
  constructor(event: StoredEvent, error: string) {
    this.event = event
    this.error = error
  }
}

/** How many events are read ahead of the checkpoint, at most, and how long their data may be, in characters. */
const readAhead = 1_000
const readAheadLength = 8_000_000

/** How often the checkpoint is written, in milliseconds, and how many times more seldom while nothing was to be handled. */
const checkpointEvery = 100
const idleFactor = 5

/** The longest text of an error that is kept. */
const maxErrorLength = 4_000

export const make =
  <E, R>(options: Options<E, R>) => (shard: Shards.Shard): Effect.Effect<void, Failure, R> =>
    Effect.gen(function* () {
      const { batch, concurrency, documents, name, query, store } = options
      const { driver } = store
      const parking = Parking.make(name, shard.index, yield* Parking.all(documents, name, shard.index))
      const window = Window.make(shard.position())
      const measures = Measures.make(name, shard.index)
      const context = yield* Effect.context<never>()
      const moved = Live.signal()
      const settled = new Set<string>()
      let handled = 0
      let skipped = 0
      let isTouched = false
      let head = 0

      /** What is to be written now. */
      const pending = (): Lease.Pending => {
        const position = window.reached()
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
              behind: head - position,
              parked: parking.size()
            })
          }
        }
      }
      shard.atRelease(pending)

      let seen = shard.position()
      const progressed = () => {
        const reached = window.reached()
        if (reached <= seen) return
        seen = reached
        shard.advance(reached)
        moved.notify()
      }
      const touched = () => {
        isTouched = true
        moved.notify()
      }

      const checkpoints = Effect.gen(function* () {
        while (true) {
          const next = moved.next()
          if (!isTouched && window.reached() <= shard.position()) yield* next
          for (let i = 0; i < idleFactor && (i === 0 || !isTouched); i++) yield* Effect.sleep(checkpointEvery)
          isTouched = false
          yield* shard.write(pending())
        }
      })

      /** What becomes of an event that cannot be handled; whether those after it in its stream are to be handled. */
      const decide = (event: StoredEvent, cause: Cause.Cause<unknown>): Effect.Effect<boolean, Stop> =>
        Effect.gen(function* () {
          const { position, revision, stream, type } = event
          const what = `event "${type}" at revision ${revision} of stream "${stream}" (position ${position})`
          const error = Cause.pretty(cause).slice(0, maxErrorLength)
          touched()
          if (options.then === "stop") return yield* Effect.fail(new Stop(event, error))
          if (options.then === "skip") {
            skipped++
            yield* Effect.logWarning(`subscription "${name}" skips ${what}`, cause)
            return true
          }
          parking.park(event, error, yield* Clock.currentTimeMillis)
          yield* Effect.logWarning(`subscription "${name}" parks its stream from ${what}`, cause)
          return false
        })

      /** Handles events of one stream in order; whether all of them are done with, and none was parked. */
      const handle = (events: ReadonlyArray<StoredEvent>): Effect.Effect<boolean, Stop | Failure, R> =>
        Effect.gen(function* () {
          const { bad, good } = decoded(options, events)
          if (good.length > 0) {
            if (!(yield* shard.held)) yield* shard.renew
            const replay = good[0]!.position <= shard.state().replay
            const cause = yield* attempt(
              options.handler,
              good,
              replay,
              options.retry,
              () => measures.failed(context)
            )
            if (cause === undefined) {
              handled += good.length
              isTouched = true
            } else if (good.length === 1) {
              if (!(yield* decide(events[0]!, cause))) return false
            } else {
              // One by one, so that only the one at fault suffers.
              for (let i = 0; i < good.length; i++) {
                if (!(yield* handle([events[i]!]))) return false
              }
            }
          }
          if (bad === undefined) return true
          if (!(yield* decide(events[good.length]!, Cause.fail(bad)))) return false
          return yield* handle(events.slice(good.length + 1))
        })

      /** The next events of a lane that can be handled together. */
      const next = ({ waiting }: Window.Lane): ReadonlyArray<Window.Entry> => {
        if (batch === 1) return waiting.splice(0, 1)
        const { replay } = shard.state()
        const isReplay = ({ event }: Window.Entry) => event.position <= replay
        const first = isReplay(waiting[0]!)
        let n = 1
        while (n < batch && n < waiting.length && isReplay(waiting[n]!) === first) n++
        return waiting.splice(0, n)
      }

      const advance = (lane: Window.Lane) =>
        Effect.suspend((): Effect.Effect<unknown, Stop | Failure, R> => {
          if (lane.requested) {
            lane.requested = false
            return resolve(lane.stream)
          }
          const entries = next(lane)
          const free = entries.filter(({ event }) => !parking.holds(event)).map(({ event }) => event)
          if (free.length < entries.length) touched()
          const finish = (isAll: boolean) => {
            if (!isAll) { for (const event of free) parking.holds(event) }
            window.finish(entries)
            progressed()
          }
          return free.length === 0 ? Effect.sync(() => finish(true)) : Effect.map(handle(free), finish)
        })

      /** Does what is asked for a parked stream. */
      const resolve = (stream: string): Effect.Effect<void, Stop | Failure, R> =>
        Effect.gen(function* () {
          const requests = shard.state().requests.filter((request) => request.stream === stream)
          const action = requests[requests.length - 1]?.action
          const isDone = action === "redrive" ? yield* redrive(stream) : action === "discard"
          if (isDone) parking.unpark(stream)
          for (const { id } of requests) settled.add(id)
          touched()
        })

      /** Handles the events that are held back, in order; false if one was parked again. */
      const redrive = (stream: string): Effect.Effect<boolean, Stop | Failure, R> =>
        Effect.gen(function* () {
          for (let one = parking.get(stream); one !== undefined; one = parking.get(stream)) {
            const limit = Pages.firstSize
            const from = one.revision
            const page = yield* Lease.patient(
              driver.readStream({ bare: false, stream, direction: "forwards", from, limit })
            )
            const held = page.filter((event) => event.position <= one!.last)
            const wanted = held.filter((event) => matches([query], event))
            for (let i = 0; i < wanted.length; i += batch) {
              const events = wanted.slice(i, i + batch)
              if (!(yield* handle(events))) return false
              parking.passed(events[events.length - 1]!, events.length)
              touched()
            }
            if (held.length < limit) return true
            parking.passed(held[held.length - 1]!, 0)
          }
          return true
        })

      const ended = yield* Deferred.make<never, Stop | Failure>()
      let workers = 0
      const working = (first: Window.Lane) =>
        Effect.gen(function* () {
          for (let lane: Window.Lane | undefined = first; lane !== undefined; lane = window.take()) {
            yield* advance(lane)
            window.giveBack(lane)
          }
          workers--
        }).pipe(Effect.catchCause((cause) => Deferred.failCause(ended, cause)))

      const pump = (scope: Scope.Scope) =>
        Effect.gen(function* () {
          while (workers < concurrency) {
            const lane = window.take()
            if (lane === undefined) return
            workers++
            yield* Effect.forkIn(working(lane), scope, { startImmediately: true })
          }
        })

      const reading = (scope: Scope.Scope) =>
        Effect.gen(function* () {
          let after = shard.position()
          let limit = Pages.firstSize
          while (true) {
            // Asked for before reading, so that a commit in between is not missed.
            const changed = store.changed()
            const { events, upTo } = yield* Lease.patient(driver.readLog({ after, limit, queries: [query] }))
            if (upTo <= after) {
              head = after
              yield* changed
              continue
            }
            after = upTo
            limit = Pages.nextSize(limit, events)
            window.add(
              shard.of === 1
                ? events
                : events.filter(({ stream }) => Shards.shardOf(stream, shard.of) === shard.index),
              upTo
            )
            progressed()
            yield* pump(scope)
            if (window.size() < readAhead && window.length() < readAheadLength) continue
            head = yield* Lease.patient(driver.head)
            while (window.size() >= readAhead || window.length() >= readAheadLength) {
              const next = moved.next()
              if (window.size() >= readAhead || window.length() >= readAheadLength) yield* next
            }
          }
        })

      /** Takes up what is asked of the owner. */
      const requests = (scope: Scope.Scope) =>
        Effect.gen(function* () {
          const taken = new Set<string>()
          while (true) {
            const changed = shard.changed()
            for (const { id, stream } of shard.state().requests) {
              if (taken.has(id)) continue
              taken.add(id)
              window.request(stream)
            }
            yield* pump(scope)
            yield* changed
          }
        })

      const all = Effect.scoped(Effect.gen(function* () {
        const scope = yield* Effect.scope
        return yield* Effect.raceAllFirst([
          Deferred.await(ended),
          checkpoints,
          requests(scope),
          reading(scope)
        ])
      }))
      yield* Effect.catchIf(
        all,
        (error): error is Stop => error instanceof Stop,
        ({ error, event }) =>
          Effect.gen(function* () {
            const by = { position: event.position, error, since: yield* Clock.currentTimeMillis }
            const last = pending()
            yield* Effect.logError(`subscription "${name}" stops its shard ${shard.index}`, error)
            yield* shard.write({
              ...last,
              change: (state) => ({ ...last.change(state), owner: null, rate: 0, stopped: by })
            })
          })
      )
    })

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
