// What can be seen and asked of a subscription from any process. Not public, but for its types.
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { positionOf } from "../event/Target.ts"
import type * as Event from "../event/Event.ts"
import { EventStore } from "../event/EventStore.ts"
import {
  type EventStoreDriver,
  givenId,
  matches,
  type Query,
  type StoredEvent
} from "../event/EventStoreDriver.ts"
import { EventStoreError } from "../event/EventStoreError.ts"
import * as Pages from "../event/Pages.ts"
import { DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Live from "./Live.ts"
import * as Parking from "./Parking.ts"
import * as Shards from "./Shards.ts"
import type { Subscription } from "./Subscription.ts"
import { InvalidInput, NotParked, type Reason, SubscriptionError, TimedOut } from "./SubscriptionError.ts"

/** Where a shard stands. */
export interface ShardStatus {
  /** 0, 1, … */
  readonly shard: number
  /**
   * Every event of the shard up to this position has been handled, skipped or parked: as far as this process has come, if
   * it works on the shard, or else as of the last checkpoint.
   */
  readonly position: number
  /** How far it is behind, in positions of the log; not each need be an event, nor one of this shard. */
  readonly lag: number
  /** The process that works on it, by a name of its own; undefined if none does. */
  readonly owner: string | undefined
  /** Until when the owner has it unless it renews, in milliseconds since 1970 UTC. */
  readonly until: number
  /** Whether events are being handled again after a reset. */
  readonly replaying: boolean
  /** How many events have been handled, those handled again counted again. */
  readonly handled: number
  readonly skipped: number
  /** Events handled a second, of late. */
  readonly rate: number
  /** How many streams are parked. */
  readonly parked: number
  /** Why nobody works on it, if an event has stopped it. */
  readonly stopped: Shards.StoppedBy | undefined
}

/** Where a subscription stands. */
export interface Status {
  /** The position of the newest event in the log. */
  readonly head: number
  readonly shards: ReadonlyArray<ShardStatus>
}

/** An event that is held back. */
export interface ParkedEvent<out E> {
  readonly id: string
  readonly stream: string
  readonly revision: number
  readonly position: number
  readonly type: string
  readonly version: number
  /** Its data as they are stored, JSON text. */
  readonly stored: string
  /** The event, if it can be decoded. */
  readonly event: Event.Recorded<E> | undefined
  /** Why it cannot be. */
  readonly issue: string | undefined
}

type Admin<E> = Pick<
  Subscription<string, E>,
  "status" | "waitFor" | "parked" | "parkedEvents" | "redrive" | "discard" | "resume" | "reset"
>

const failure = (reason: Reason) => Effect.fail(new SubscriptionError({ reason }))

export const make = <E>(name: string, events: Event.Set<E>, query: Query): Admin<E> => ({
  status: Effect.gen(function* () {
    const documents = yield* DocumentStore
    const { head } = yield* EventStore
    const shards = yield* Shards.readAll(documents, name)
    const parked = yield* Effect.forEach(shards, ({ state }) => Parking.count(documents, name, state.shard))
    const newest = yield* head
    const live = Live.of(documents, name)
    return {
      head: newest,
      shards: shards.map(({ state }, i) => statusOf(state, parked[i]!, newest, Live.reachedOf(live, state)))
    }
  }),
  waitFor: (appended, timeout = "10 seconds") =>
    Effect.flatMap(DocumentStore, (documents) => {
      const position = positionOf(appended)
      return notA(position) ?? Shards.reached(documents, name, position).pipe(
        within(
          timeout,
          Effect.andThen(
            Shards.readAll(documents, name),
            failure(new TimedOut({ subscription: name, position }))
          )
        )
      )
    }),
  parked: ({ limit = 100, offset = 0 } = {}) =>
    Effect.flatMap(DocumentStore, (documents) => Parking.list(documents, name, { offset, limit })),
  parkedEvents: (stream) =>
    Stream.unwrap(Effect.gen(function* () {
      const { driver } = yield* EventStore
      const parked = yield* find(name, stream)
      return held(driver, query, parked, (event) => inspect(driver, events, event))
    })),
  redrive: (stream) => ask(name, stream, "redrive"),
  discard: (stream) => ask(name, stream, "discard"),
  resume: Effect.flatMap(
    DocumentStore,
    (documents) =>
      Shards.change(documents, name, (state) => state.stopped === null ? state : { ...state, stopped: null })
  ),
  reset: (position) =>
    Effect.gen(function* () {
      const documents = yield* DocumentStore
      const { head } = yield* EventStore
      yield* notA(position) ?? Effect.void
      const newest = yield* head
      if (position > newest) {
        const problem = `must not be beyond the newest event, at ${newest}, as ${position} is`
        return yield* failure(new InvalidInput({ at: "position", problem }))
      }
      yield* Shards.change(documents, name, (state) => ({
        ...state,
        position,
        replay: state.highest,
        epoch: state.epoch + 1,
        settled: [],
        stopped: null
      }))
    })
})

const notA = (position: number) =>
  Number.isSafeInteger(position) && position >= 0 ? undefined : failure(
    new InvalidInput({ at: "position", problem: `must be a whole number from 0 on, not ${position}` })
  )

const within =
  <E2>(timeout: Duration.Input, otherwise: Effect.Effect<never, E2>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
    Effect.flatMap(
      Effect.timeoutOption(self, timeout),
      Option.match({ onNone: () => otherwise, onSome: (value) => Effect.succeed(value) })
    )

const statusOf = (state: Shards.ShardState, parked: number, head: number, here: number): ShardStatus => {
  const position = Math.max(state.position, here)
  return {
    shard: state.shard,
    position,
    lag: Math.max(head - position, 0),
    owner: state.owner ?? undefined,
    until: state.until,
    replaying: state.position < state.replay,
    handled: state.handled,
    skipped: state.skipped,
    rate: state.rate,
    parked,
    stopped: state.stopped ?? undefined
  }
}

const find = (name: string, stream: string) =>
  Effect.gen(function* () {
    const parked = yield* Parking.get(yield* DocumentStore, name, stream)
    return parked ?? (yield* failure(new NotParked({ subscription: name, stream })))
  })

/** Puts a request into the document of the shard, so that its owner, whoever it is, does it in its turn. */
const ask = (
  name: string,
  stream: string,
  action: "redrive" | "discard"
): Effect.Effect<void, SubscriptionError | DocumentStoreError, DocumentStore> =>
  Effect.gen(function* () {
    const documents = yield* DocumentStore
    const { shard } = yield* find(name, stream)
    const request = { id: yield* Shards.newId, stream, action }
    yield* Shards.change(
      documents,
      name,
      (state) => state.shard === shard ? { ...state, requests: [...state.requests, request] } : state
    )
  })

const held = <A>(
  driver: EventStoreDriver,
  query: Query,
  { last, revision, stream }: Parking.Parked,
  f: (event: StoredEvent) => A
): Stream.Stream<A, EventStoreError> =>
  Stream.paginate(revision, (from) =>
    Effect.map(
      driver.readStream({ bare: false, stream, direction: "forwards", from, limit: Pages.firstSize }),
      (page) => {
        const inside = page.filter(({ position }) => position <= last)
        const next = inside.length < Pages.firstSize ? undefined : inside[inside.length - 1]!.revision + 1
        return [
          inside.filter((event) => matches([query], event)).map(f),
          Option.fromUndefinedOr(next)
        ] as const
      }
    ))

const inspect = <E>(driver: EventStoreDriver, set: Event.Set<E>, stored: StoredEvent): ParkedEvent<E> => {
  const { data, position, revision, stream, type, version } = stored
  const place = { stream, revision, position, type, version, stored: data }
  try {
    const event = Pages.toRecorded(driver, set, stored)
    return { ...place, id: event.id, event, issue: undefined }
  } catch (error) {
    if (!(error instanceof EventStoreError)) throw error
    return {
      ...place,
      id: stored.id ?? givenId(driver.store, position),
      event: undefined,
      issue: error.message
    }
  }
}
