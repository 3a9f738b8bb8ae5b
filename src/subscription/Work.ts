// The work on one shard: reading ahead, handling stream by stream, checkpoints. Not public.
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { StoredEvent } from "../event/EventStoreDriver.ts"
import * as Pages from "../event/Pages.ts"
import type { DocumentStore } from "../repository/DocumentStore.ts"
import * as Handling from "./Handling.ts"
import * as Lease from "./Lease.ts"
import * as Live from "./Live.ts"
import * as Measures from "./Measures.ts"
import * as Parking from "./Parking.ts"
import * as Progress from "./Progress.ts"
import * as Shards from "./Shards.ts"
import * as ReadAhead from "./ReadAhead.ts"

export interface Options<E, R> extends Handling.Options<E, R> {
  readonly documents: DocumentStore
  /** How many streams are handled at a time. */
  readonly concurrency: number
}

/** How often the gauges are written, in milliseconds. */
const gaugeEvery = 1_000

/** Works on a shard until it is lost or an event stops it. */
export const make =
  <E, R>(options: Options<E, R>) => (shard: Shards.Shard): Effect.Effect<void, Handling.Failure, R> =>
    Effect.gen(function* () {
      const { documents, name } = options
      const context = yield* Effect.context<never>()
      const parking = Parking.make(name, shard.index, yield* Parking.all(documents, name, shard.index))
      const ahead = ReadAhead.make(shard.position())
      const measures = Measures.make(name, shard.index)
      const progress = Progress.make(shard, ahead, parking, measures, context)
      shard.atRelease(progress.pending)
      const desk: Handling.Desk = { shard, ahead, parking, progress, measures, context }
      yield* Effect.catchIf(
        Effect.scoped(atWork(options, desk)),
        (error): error is Handling.Stop => error instanceof Handling.Stop,
        (stop) => stopped(name, desk, stop)
      ).pipe(Effect.ensuring(Effect.sync(() => measures.gauged(context, Measures.absent))))
    })

/** Writes why the shard stops, and gives it back. */
const stopped = (name: string, { progress, shard }: Handling.Desk, { error, event }: Handling.Stop) =>
  Effect.gen(function* () {
    const by = { position: event.position, error, since: yield* Clock.currentTimeMillis }
    const pending = progress.pending()
    yield* Effect.logError(`subscription "${name}" stops its shard ${shard.index}`, error)
    yield* shard.write({
      ...pending,
      change: (state) => ({ ...pending.change(state), owner: null, rate: 0, stopped: by })
    })
  })

/** Everything that is done side by side; ends with the first failure. */
const atWork = <E, R>(options: Options<E, R>, desk: Handling.Desk) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const { progress, shard, ahead } = desk
    const handle = Handling.make(options, desk)
    const ended = yield* Deferred.make<never, Handling.Stop | Handling.Failure>()
    let workers = 0
    const take = () => shard.leave.isOpen() ? undefined : ahead.take()

    const working = (first: ReadAhead.Lane) =>
      Effect.gen(function* () {
        for (let lane: ReadAhead.Lane | undefined = first; lane !== undefined; lane = take()) {
          yield* handle(lane)
          ahead.giveBack(lane)
        }
      }).pipe(
        Effect.catchIf((end): end is Handling.Leaving => end._tag === "Leaving", () => Effect.void),
        Effect.catchCause((cause) => Deferred.failCause(ended, cause)),
        Effect.andThen(Effect.sync(() => {
          workers--
          progress.advanced()
        }))
      )

    /** Sets workers to the lanes that wait. */
    const pump = Effect.gen(function* () {
      while (workers < options.concurrency) {
        const lane = take()
        if (lane === undefined) return
        workers++
        yield* Effect.forkIn(working(lane), scope, { startImmediately: true })
      }
    })

    /** Begins nothing more, and ends with what runs. */
    const leaving = Effect.andThen(shard.leave.await, Live.until(progress.moved, () => workers === 0))

    return yield* Effect.raceAllFirst([
      leaving,
      Deferred.await(ended),
      Effect.forever(Effect.andThen(progress.due, Effect.suspend(() => shard.write(progress.pending())))),
      takeRequests(desk, pump),
      reading(options, desk, pump)
    ])
  })

/** Takes up what is asked of the owner. */
const takeRequests = <R>({ shard, ahead }: Handling.Desk, pump: Effect.Effect<void, never, R>) =>
  Effect.gen(function* () {
    const taken = new Set<string>()
    while (true) {
      const changed = shard.changed()
      for (const { id, stream } of shard.state().requests) {
        if (taken.has(id)) continue
        taken.add(id)
        ahead.request(stream)
      }
      yield* pump
      yield* changed
    }
  })

/** Reads the log as it grows, no further ahead than is allowed. */
const reading = <E, R, R2>(
  { query, store }: Options<E, R>,
  { ahead, context, measures, parking, progress, shard }: Handling.Desk,
  pump: Effect.Effect<void, never, R2>
) => {
  const isOurs = ({ stream }: StoredEvent) => Shards.shardOf(stream, shard.of) === shard.index
  const { changed, driver } = store
  /** The head of the log, where all of it has been read. */
  let head: number | undefined

  const gauging = Effect.gen(function* () {
    while (true) {
      const newest = head ?? (yield* Lease.patient(driver.head))
      const position = ahead.reached()
      measures.gauged(context, { position, lag: newest - position, parked: parking.size() })
      yield* Effect.sleep(gaugeEvery)
    }
  })

  const reading = Effect.gen(function* () {
    let limit = Pages.firstSize
    while (true) {
      // Asked for before reading, so that a commit in between is not missed.
      const more = changed()
      const after = ahead.upTo()
      const { events, upTo } = yield* Lease.patient(driver.readLog({ after, limit, queries: [query] }))
      if (upTo <= after) {
        head = after
        yield* more
        head = undefined
        continue
      }
      limit = Pages.nextSize(limit, events)
      ahead.add(shard.of === 1 ? events : events.filter(isOurs), upTo)
      progress.advanced()
      yield* pump
      yield* Live.until(progress.moved, () => !ahead.isFull())
    }
  })
  return Effect.raceFirst(reading, gauging)
}
