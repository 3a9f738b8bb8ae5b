// How a stream of events becomes the state of an aggregate, with or without snapshots. Not public.
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import type * as Event from "../event/Event.ts"
import type * as EventStore from "../event/EventStore.ts"
import type { EventStoreError } from "../event/EventStoreError.ts"
import * as Pages from "../event/Pages.ts"
import type { AsOf, Loaded, Options } from "./Aggregate.ts"

export interface Fold<State, E> {
  readonly events: Event.Set<E>
  readonly initial: Loaded<State>
  readonly stream: (id: string) => string
  readonly apply: (state: State, event: E) => State
  readonly snapshots: Snapshots<State> | undefined
}

interface Snapshots<State> {
  readonly every: number
  readonly fingerprint: string
  readonly encode: (state: State) => string
  readonly decode: (text: string) => Result.Result<State, unknown>
}

export const make = <State, E>(
  name: string,
  events: Event.Set<E>,
  { evolve, initial, snapshots, state }: Options<State, any, any>
): Fold<State, E> => ({
  events,
  initial: { state: initial, revision: 0, position: 0 },
  stream: (id) => `${name}-${id}`,
  apply: (state, event) => evolve[(event as { readonly _tag: string })._tag]!(state as any, event as any),
  snapshots: snapshots === undefined ? undefined : makeSnapshots(state, snapshots)
})

/** What of a schema's syntax tree says which values it has. */
const shapeKeys = [
  ..."_tag name type types literal isOptional elements rest parameter propertySignatures indexSignatures"
    .split(" "),
  ..."typeParameters encoding to context checks annotations expected identifier".split(" ")
]

/** What says which values a schema has, as text. */
export const shapeOf = (codec: Schema.Codec<any, any>): string => JSON.stringify(codec.ast, shapeKeys)

const makeSnapshots = <State>(
  schema: Schema.Codec<State, any>,
  { every, version = 1 }: NonNullable<Options<State, any, any>["snapshots"]>
): Snapshots<State> => {
  if (!(Number.isInteger(every) && every > 0)) {
    throw new Error(`snapshots are taken every 1 or more events, not ${every}`)
  }
  const codec = Schema.toCodecJson(schema)
  const encode = SchemaParser.encodeSync(codec)
  const decode = SchemaParser.decodeUnknownResult(codec)
  const shape = shapeOf(codec)
  return {
    every,
    fingerprint: `${version}:${shape.length}:${Hash.string(shape)}`,
    encode: (state) => JSON.stringify(encode(state)),
    decode: (text) => Result.flatMap(Result.try(() => JSON.parse(text) as unknown), decode)
  }
}

/** The state as of now or then, from a fitting snapshot if there is one. */
export const load = <State, E>(
  fold: Fold<State, E>,
  store: EventStore.EventStore,
  id: string,
  at: AsOf = {}
): Effect.Effect<Loaded<State>, EventStoreError> =>
  fold.snapshots === undefined || at.atTime !== undefined
    ? catchUp(fold, store, id, fold.initial, at)
    : Effect.flatMap(
      fromSnapshot(fold, fold.snapshots, store, id),
      (from) =>
        catchUp(fold, store, id, from.revision <= (at.atRevision ?? Infinity) ? from : fold.initial, at)
    )

const fromSnapshot = <State, E>(
  fold: Fold<State, E>,
  { decode, fingerprint }: Snapshots<State>,
  store: EventStore.EventStore,
  id: string
): Effect.Effect<Loaded<State>, EventStoreError> =>
  Effect.map(store.driver.readSnapshot(fold.stream(id)), (snapshot) => {
    if (snapshot?.fingerprint !== fingerprint) return fold.initial
    const state = decode(snapshot.state)
    const { position, revision } = snapshot
    return Result.isSuccess(state) ? { state: state.success, revision, position } : fold.initial
  })

/** A state brought up to date with the events that came after it. */
export const catchUp = <State, E>(
  fold: Fold<State, E>,
  store: EventStore.EventStore,
  id: string,
  from: Loaded<State>,
  at: AsOf = {}
): Effect.Effect<Loaded<State>, EventStoreError> =>
  Effect.suspend(() => {
    let { position, revision, state } = from
    const options = { ...at, from: from.revision + 1 }
    const read = Pages.ofStream(store.driver, fold.stream(id), true, options)
    return Effect.map(
      Pages.forEach(read, Pages.start(options), (event) => {
        state = fold.apply(state, Pages.decode(fold.events, event))
        revision = event.revision
        position = event.position
      }),
      () => ({ state, revision, position })
    )
  })

/**
 * Keeps a snapshot when an append has brought the stream past a multiple of `every`. If that fails there is none: it is a
 * shortcut, and what it would have shortened still works.
 */
export const keepSnapshot = <State, E>(
  fold: Fold<State, E>,
  store: EventStore.EventStore,
  id: string,
  before: number,
  { position, revision, state }: Loaded<State>
): Effect.Effect<void> | undefined => {
  const { snapshots } = fold
  if (
    snapshots === undefined || Math.floor(before / snapshots.every) === Math.floor(revision / snapshots.every)
  ) return
  const snapshot = () => ({
    revision,
    position,
    fingerprint: snapshots.fingerprint,
    state: snapshots.encode(state)
  })
  return Effect.catchCause(
    Effect.suspend(() => store.driver.writeSnapshot(fold.stream(id), snapshot())),
    () => Effect.void
  )
}
