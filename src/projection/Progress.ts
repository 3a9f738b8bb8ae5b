// How far a projection has come, for those who wait for it or watch it. Not public.
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { EventStoreError } from "../event/EventStoreError.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Generations from "./Generations.ts"
import type { Progress, Status } from "./Projection.ts"
import { Failed, Outdated, ProjectionError, TimedOut } from "./ProjectionError.ts"
import * as Running from "./Running.ts"

type StoreError = EventStoreError | DocumentStoreError

/** Waits until the documents of this version have taken in every event up to a position. */
export const waitFor = <Doc>(
  running: Running.Running<Doc>,
  position: number,
  timeout: Duration.Input
): Effect.Effect<void, ProjectionError | DocumentStoreError> => {
  const { definition: { name: projection }, here } = running
  let reached = 0
  const wait = (pause: number): Effect.Effect<void, ProjectionError | DocumentStoreError> =>
    Effect.suspend(() => {
      // Asked for before looking, so that a step in between is not missed.
      const stepped = here.progress.next()
      return Effect.flatMap(reachedBy(running), (now) => {
        reached = now
        return reached >= position ? Effect.void : Effect.andThen(
          Effect.raceFirst(stepped, Effect.sleep(pause)),
          wait(Math.min(pause * 2, 50))
        )
      })
    })
  return Effect.timeoutOrElse(wait(2), {
    duration: timeout,
    orElse: () =>
      Effect.fail(new ProjectionError({ reason: new TimedOut({ projection, position, reached }) }))
  })
}

const reachedBy = Effect.fnUntraced(function* <Doc>(running: Running.Running<Doc>) {
  const { definition: { name, onFailure }, documents, here, version } = running
  const pointer = yield* running.pointer
  const { version: live } = pointer
  const generation = Generations.ofVersion(pointer, version)
  if (generation === undefined && live > version) {
    return yield* Effect.fail(
      new ProjectionError({ reason: new Outdated({ projection: name, version, live }) })
    )
  }
  if (here.stopped !== undefined) return yield* Effect.fail(here.stopped)
  const checkpoint = generation === undefined
    ? undefined
    : yield* Generations.readCheckpoint(documents, name, generation)
  if (generation === undefined || checkpoint === undefined) {
    yield* running.refresh
    return 0
  }
  const own = here.reached?.generation === generation ? here.reached.position : 0
  if (checkpoint.failure !== null && onFailure === "stop" && !running.works) {
    return yield* Effect.fail(
      new ProjectionError({ reason: new Failed({ projection: name, ...checkpoint.failure }) })
    )
  }
  return Math.max(own, checkpoint.removing.length > 0 ? 0 : checkpoint.position)
})

/** Waits until all that the log holds has been taken in; ends with whatever would hold it up for good. */
export const started = <Doc>(
  running: Running.Running<Doc>
): Effect.Effect<void, ProjectionError | StoreError> => {
  const trouble: Effect.Effect<never, ProjectionError | StoreError> = Effect.suspend(() => {
    const stepped = running.here.progress.next()
    const { trouble: cause } = running.here
    return cause === undefined ? Effect.andThen(stepped, trouble) : Effect.failCause(cause)
  })
  return Effect.flatMap(
    running.store.head,
    (head) => Effect.raceFirst(waitFor(running, head, Duration.infinity), trouble)
  )
}

/** How the projection is doing. */
export const status = Effect.fnUntraced(function* <Doc>(
  running: Running.Running<Doc>
): Effect.fn.Return<Status, StoreError> {
  const { definition: { name: projection }, documents, here, store } = running
  const pointer = yield* running.refresh
  const { building } = pointer
  const mine = Generations.ofVersion(pointer, running.version)
  const { generation, version } = mine === undefined
    ? pointer
    : { generation: mine, version: running.version }
  const [live, built] = yield* Effect.all([
    Generations.readCheckpoint(documents, projection, generation),
    building === null
      ? Effect.undefined
      : Generations.readCheckpoint(documents, projection, building.generation)
  ])
  const head = yield* store.head
  const own = here.reached?.generation === generation ? here.reached.position : 0
  const position = Math.max(live?.position ?? 0, own)
  const failure = live?.failure ?? null
  return {
    generation,
    version,
    position,
    head,
    lag: Math.max(head - position, 0),
    handled: live?.handled ?? 0,
    skipped: live?.skipped ?? 0,
    rate: here.rate,
    failure: failure === null ? undefined : new Failed({ projection, ...failure }),
    building: building === null || built === undefined ? undefined : {
      generation: building.generation,
      version: building.version,
      ...progressOf(built, head),
      failure: built.failure === null ? undefined : new Failed({ projection, ...built.failure })
    }
  }
})

const progressOf = ({ handled, position }: Generations.Checkpoint, head: number) => ({
  position,
  head,
  events: handled,
  percent: head === 0 ? 100 : Math.min(100 * position / head, 100)
})

/** How often progress is reported, in milliseconds. */
const every = 100

/** Builds a new generation, and reports how far it has come until it is live; whoever builds it. */
export const rebuild = <Doc>(
  running: Running.Running<Doc>
): Stream.Stream<Progress, ProjectionError | StoreError> =>
  Stream.unwrap(Effect.gen(function* () {
    const before = yield* running.refresh
    const since = yield* Clock.currentTimeMillis
    const begun = before.building === null ? undefined : yield* checkpointOf(running, before.building)
    const building = yield* Effect.forkScoped(
      Running.build(
        running,
        ({ generation, version }) => version === running.version && generation > before.generation
      )
    )
    let percent = 0
    const look = Effect.fnUntraced(function* (done: boolean) {
      const pointer = yield* running.refresh
      const place = done ? pointer : pointer.building
      const at = place === null ? undefined : yield* checkpointOf(running, place)
      if (at === undefined) return []
      const from = place?.generation === before.building?.generation ? begun : undefined
      const seconds = Math.max((yield* Clock.currentTimeMillis) - since, 1) / 1_000
      const progress = toProgress(from ?? { position: 0, handled: 0 }, at, yield* running.store.head, seconds)
      // The log grows meanwhile; a bar that goes back would only puzzle.
      percent = Math.max(percent, progress.percent)
      return [{ ...progress, percent }]
    })
    return Stream.paginate(
      undefined,
      Effect.fnUntraced(function* () {
        const exit = yield* Effect.timeoutOption(Fiber.await(building), every)
        if (Option.isSome(exit)) yield* exit.value
        const progress = yield* look(Option.isSome(exit))
        return [progress, Option.isSome(exit) ? Option.none() : Option.some(undefined)] as const
      })
    )
  }))

const checkpointOf = <Doc>(
  { definition, documents }: Running.Running<Doc>,
  { generation }: { readonly generation: number }
) => Generations.readCheckpoint(documents, definition.name, generation)

const toProgress = (
  from: Pick<Generations.Checkpoint, "position" | "handled">,
  at: Generations.Checkpoint,
  head: number,
  seconds: number
): Progress => {
  const speed = (at.position - from.position) / seconds
  return {
    ...progressOf(at, head),
    rate: Math.round((at.handled - from.handled) / seconds),
    timeLeft: speed <= 0
      ? undefined
      : Duration.millis(Math.round(1_000 * Math.max(head - at.position, 0) / speed))
  }
}
