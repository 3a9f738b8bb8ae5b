// A projection at work in this process: it keeps the live generation up to date and builds new ones. Not public.
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { EventStoreError } from "../event/EventStoreError.ts"
import { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import { type Signal, signal } from "../subscription/Live.ts"
import * as Generations from "./Generations.ts"
import * as Lease from "./Lease.ts"
import * as Measures from "./Measures.ts"
import * as Previous from "./Previous.ts"
import { Failed, Outdated, ProjectionError } from "./ProjectionError.ts"
import * as Projector from "./Projector.ts"

type StoreError = EventStoreError | DocumentStoreError

export interface Running<Doc> extends Projector.Projector<Doc> {
  readonly version: number
  readonly fingerprint: string
  readonly lease: Duration.Duration
  /** Whether this process takes part in the work, or only asks. */
  readonly works: boolean
  /** Which generation is live, as known here: at most a second old. */
  readonly pointer: Effect.Effect<Generations.Pointer, DocumentStoreError>
  /** Which generation is live, read now. */
  readonly refresh: Effect.Effect<Generations.Pointer, DocumentStoreError>
  /** Which generation is live, as it was last read here. */
  readonly lastPointer: () => Generations.Pointer | undefined
  readonly here: Here
  readonly measures: Measures.Measures
}

/** What is known only to the process that works. */
export interface Here {
  /** How far the generation that this process works on has come. */
  reached: { readonly generation: number; readonly position: number } | undefined
  /** What does not pass by itself, although it is tried again: a defect, or an error of a store for good. */
  trouble: Cause.Cause<ProjectionError | StoreError> | undefined
  /** Why this process has stopped. */
  stopped: ProjectionError | undefined
  /** Events a second of late. */
  rate: number
  /** Told when one of these changes. */
  readonly progress: Signal
  /** Told when another generation must have become live. */
  readonly moved: Signal
}

/** How old what is known of the pointer may be, in milliseconds. */
const freshFor = 1_000

export const make = <Doc>(
  options:
    & Omit<Projector.Projector<Doc>, "onStep">
    & Pick<Running<Doc>, "version" | "fingerprint" | "lease" | "works">
): Effect.Effect<Running<Doc>> =>
  Effect.map(Effect.context<never>(), (context) => {
    const clock = Context.get(context, Clock.Clock)
    const measures = Measures.make(options.definition.name, context)
    let last: { readonly pointer: Generations.Pointer; readonly at: number } | undefined
    const here: Here = {
      reached: undefined,
      trouble: undefined,
      stopped: undefined,
      rate: 0,
      progress: signal(),
      moved: signal()
    }
    const refresh = Effect.map(
      Generations.readPointer(options.documents, options.definition.name),
      (pointer) => {
        // One that was read earlier may come later.
        if (last === undefined || pointer.at >= last.pointer.at) {
          last = { pointer, at: clock.currentTimeMillisUnsafe() }
        }
        return last.pointer
      }
    )
    const rate = meter(clock)
    return {
      ...options,
      here,
      measures,
      refresh,
      pointer: Effect.suspend(() =>
        last !== undefined && clock.currentTimeMillisUnsafe() - last.at < freshFor
          ? Effect.succeed(last.pointer)
          : refresh
      ),
      lastPointer: () => last?.pointer,
      onStep: (generation, standing, handled) => {
        here.rate = rate(handled)
        here.reached = { generation, position: standing.position }
        measures.step(generation, standing)
        here.progress.notify()
      }
    }
  })

/** Counts how many there are a second, over about the last second. */
const meter = (clock: Clock.Clock) => {
  let since = clock.currentTimeMillisUnsafe()
  let count = 0
  let rate = 0
  return (more: number): number => {
    const now = clock.currentTimeMillisUnsafe()
    count += more
    if (now - since >= 1_000 || rate === 0) rate = Math.round(count * 1_000 / Math.max(now - since, 1))
    if (now - since >= 1_000) {
      since = now
      count = 0
    }
    return rate
  }
}

const error = (reason: ProjectionError["reason"]) => new ProjectionError({ reason })

const outdated = <Doc>({ definition, version }: Running<Doc>, live: number) =>
  error(new Outdated({ projection: definition.name, version, live }))

/**
 * Tries again: at once if another has come first, after growing pauses if what went wrong passes by itself, as a store that
 * is away does. A failure of the projection itself ends it. So does what does not pass by itself, a defect for one; unless
 * somebody is given, `onTrouble`, who hears of it and wants it to be tried again all the same.
 */
const persistently = <A, E>(
  name: string,
  self: Effect.Effect<A, E | Failed>,
  onTrouble?: (cause: Cause.Cause<Exclude<E, Failed>>) => void
): Effect.Effect<A, Exclude<E, Failed> | ProjectionError> => {
  const attempt = (pause: number): Effect.Effect<A, Exclude<E, Failed> | ProjectionError> =>
    Effect.flatMap(Clock.currentTimeMillis, (begun) =>
      Effect.catchCause(self, (cause) => {
        const failure = cause.reasons.find(Cause.isFailReason)?.error
        if (failure instanceof Failed) return Effect.fail(error(failure))
        if (Projector.isConflict(failure)) return Effect.andThen(Effect.yieldNow, attempt(firstPause))
        const left = cause as Cause.Cause<Exclude<E, Failed>>
        const passes = isRetryable(left)
        if (
          failure instanceof ProjectionError || Cause.hasInterrupts(left) ||
          !passes && onTrouble === undefined
        ) return Effect.failCause(left)
        if (!passes) onTrouble?.(left)
        const log = passes ? Effect.logWarning : Effect.logError
        return log(`${name} has to begin again`, cause).pipe(
          Effect.andThen(Effect.sleep(pause)),
          Effect.andThen(Clock.currentTimeMillis),
          Effect.flatMap((now) => attempt(now - begun > 10_000 ? firstPause : Math.min(pause * 2, 5_000)))
        )
      }))
  return attempt(firstPause)
}

/** Whether the stores may do the same a little later. */
const isRetryable = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.every((reason) =>
    Cause.isFailReason(reason) &&
    (reason.error instanceof DocumentStoreError || reason.error instanceof EventStoreError) &&
    reason.error.isRetryable
  )

const firstPause = 50

/**
 * Keeps the generation of this version up to date, in one process at a time, for as long as there is one: it is live, or
 * was so before a newer version. `inline` is for those who look after what the transactions of appends have left out.
 */
export const keepLive = <Doc>(running: Running<Doc>, inline: boolean): Effect.Effect<void> => {
  const { definition: { name }, documents, here, lease, measures, version } = running
  const work = Effect.gen(function* () {
    measures.begin()
    while (true) {
      const pointer = yield* running.refresh
      const generation = Generations.ofVersion(pointer, version)
      if (generation === undefined) return yield* Effect.fail(outdated(running, pointer.version))
      yield* Projector.run(running, generation, inline ? afterInline : afterAppends)
      // Retired: another is live by now, or will be at once.
      yield* Effect.sleep(10)
    }
  })
  const held = Lease.hold(
    documents,
    Generations.leaseId(name, version),
    lease,
    Effect.raceFirst(work, Previous.letGo(documents, name, version, lease))
  )
  // Once it has started there is nobody who could be told, and it may be better soon.
  const onTrouble = (cause: Cause.Cause<ProjectionError | StoreError>) => {
    here.trouble = cause
    here.progress.notify()
  }
  return persistently(name, held, onTrouble).pipe(
    Effect.catchIf((stopped) => stopped instanceof ProjectionError, (stopped) => {
      here.stopped = stopped
      here.progress.notify()
      return Effect.logError(`${name} has stopped: ${stopped.message}`)
    }),
    Effect.orDie
  )
}

const afterAppends: Projector.AtEnd<never> = ({ checkpoint, position, savedAt }, changed) =>
  position === checkpoint.position ? Effect.as(changed, "go on") : Effect.flatMap(
    Clock.currentTimeMillis,
    // Counted from the last time, since a store may have to be looked at again and again.
    (now) =>
      Effect.raceFirst(
        Effect.as(Effect.sleep(Math.max(savedAt + Projector.unsavedFor - now, 0)), "save" as const),
        Effect.as(changed, "go on" as const)
      )
  )

/** The transactions of appends move the checkpoint themselves, so that there is no hurry, and mostly nothing to do. */
const afterInline: Projector.AtEnd<never> = ({ checkpoint, position }, changed) =>
  position === checkpoint.position
    ? Effect.as(Effect.andThen(changed, Effect.sleep(25)), "again")
    : Effect.succeed("save")

/**
 * Keeps up with what is live and what is being built, so that the transactions of appends write to the right generations.
 */
export const keepPointer = <Doc>({ here, refresh }: Running<Doc>): Effect.Effect<never> =>
  Effect.forever(
    Effect.suspend(() =>
      Effect.raceFirst(here.moved.next(), Effect.sleep(freshFor / 2)).pipe(
        Effect.andThen(Effect.ignoreCause(refresh))
      )
    )
  )

/**
 * Waits until there are documents of this version, and builds them if nobody else does. Fails if a newer one is live, and
 * what there was of this one has been dropped.
 */
export const ensureLive = <Doc>(running: Running<Doc>): Effect.Effect<void, ProjectionError | StoreError> =>
  build(running, (pointer) => Generations.ofVersion(pointer, running.version) !== undefined)

/**
 * Builds a new generation beside the live one and makes it live, unless the goal is reached before: by this process, or
 * by another whose work this one waits for.
 */
export const build = <Doc>(
  running: Running<Doc>,
  goal: (pointer: Generations.Pointer) => boolean
): Effect.Effect<void, ProjectionError | StoreError> => {
  const { definition: { name }, documents, lease, version } = running
  const isReached = Effect.flatMap(
    running.refresh,
    (pointer) => {
      const newest = Math.max(pointer.version, pointer.building?.version ?? 0)
      return goal(pointer)
        ? Effect.succeed(true)
        : newest > version
        ? Effect.fail(outdated(running, newest))
        : Effect.succeed(false)
    }
  )
  const reached: Effect.Effect<void, DocumentStoreError | ProjectionError> = Effect.flatMap(
    isReached,
    (yes) => yes ? Effect.void : Effect.andThen(Effect.sleep(100), reached)
  )
  const work = Effect.gen(function* () {
    while (!(yield* isReached)) {
      const generation = yield* target(running)
      yield* Projector.run({ ...running, onStep: () => {} }, generation, promote(running, generation))
    }
  })
  const held = Lease.hold(documents, Generations.leaseId(name, "build"), lease, work)
  return persistently(
    name,
    isReached.pipe(
      Effect.flatMap((yes) => yes ? Effect.void : Effect.raceFirst(held, reached)),
      // Before anything is dropped, so that nothing is asked here that is no longer there.
      Effect.andThen(running.refresh),
      Effect.andThen(Generations.sweep(documents, name))
    )
  )
}

/** The generation to build: what has been begun by the same code, or a new one. */
const target = Effect.fnUntraced(function* <Doc>(running: Running<Doc>) {
  const { definition: { name }, documents, fingerprint, version } = running
  const pointer = yield* Generations.readPointer(documents, name)
  const { building } = pointer
  if (building !== null && building.version === version && building.fingerprint === fingerprint) {
    const checkpoint = yield* Generations.readCheckpoint(documents, name, building.generation)
    if (checkpoint !== undefined) return building.generation
  }
  return (yield* Generations.begin(documents, name, pointer, running)).generation
})

/**
 * Makes a generation live that has come as far as the old one. If that moves on at this very moment it is tried again,
 * at once and often: between two of its moves there is time enough, sooner or later.
 */
const promote = <Doc>(running: Running<Doc>, generation: number): Projector.AtEnd<DocumentStoreError> => {
  const { definition: { name }, documents } = running
  return Effect.fnUntraced(function* ({ checkpoint, position }) {
    if (position > checkpoint.position) return "save"
    let last = yield* Generations.readPointer(documents, name)
    while (true) {
      const { built, live, pointer } = yield* Generations.readBoth(documents, name, last)
      if (pointer.building?.generation !== generation || built === undefined) return "again"
      if (pointer.generation === last.generation) {
        // Its own transactions may have moved it beyond what is known here, or not as far as the old one has come.
        if (live !== undefined && live.position > built.position) {
          return built.at === checkpoint.at ? "go on" : "again"
        }
        const done = yield* Generations.promote(documents, name, pointer, live).pipe(
          Effect.as(true),
          Effect.catchReason("DocumentStoreError", "VersionConflict", () => Effect.succeed(false))
        )
        if (done) return "end"
      }
      last = pointer
    }
  })
}
