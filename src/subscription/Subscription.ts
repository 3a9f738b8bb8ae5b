/**
 * Subscriptions: handlers that follow the log, each event after the one before it in its stream, wherever they run.
 *
 * A subscription has a name, under which the event store's database keeps how far it has come. Any number of processes
 * may run it: each of its shards (a share of the streams) is worked on by one of them at a time, and taken over by
 * another when that one dies. Every event is handled **at least once**: after a crash those since the last checkpoint
 * come again, so what a handler does should bear being done twice.
 *
 * ```ts
 * import { Console, Effect, Schedule, Schema } from "effect"
 * import { Event, Subscription } from "dunnock"
 * import * as Memory from "dunnock/memory"
 *
 * const events = Event.set({ OrderPlaced: { email: Schema.String } })
 *
 * const Mailer = Subscription.make("mailer", { events })
 *
 * const MailerLive = Mailer.toLayer(
 *   (event) => Console.log(`thank you, ${event.data.email}`),
 *   { concurrency: 8, onFailure: { retry: Schedule.recurs(3), otherwise: "park" } }
 * )
 *
 * const program = Effect.never.pipe(Effect.provide(MailerLive), Effect.provide(Memory.layer))
 * ```
 *
 * @module
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Target } from "../event/Target.ts"
import type * as Event from "../event/Event.ts"
import { EventStore } from "../event/EventStore.ts"
import type { Query } from "../event/EventStoreDriver.ts"
import type { EventStoreError } from "../event/EventStoreError.ts"
import { DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Admin from "./Admin.ts"
import type { Context } from "./Attempt.ts"
import type { Parked } from "./Parking.ts"
import { maxEvents } from "./ReadAhead.ts"
import * as Shards from "./Shards.ts"
import type { SubscriptionError } from "./SubscriptionError.ts"
import * as Work from "./Work.ts"

export type { ParkedEvent, ShardStatus, Status } from "./Admin.ts"
export type { Context } from "./Attempt.ts"
export type { Parked } from "./Parking.ts"
export type { StoppedBy } from "./Shards.ts"

/** Which events a subscription is of, and how it is divided. */
export interface Options<E> {
  /** The events that are handled; others are passed by. */
  readonly events: Event.Set<E>
  /**
   * Into how many shards the streams are divided, by a hash of their names: at most so many processes work at a time.
   * 1 unless given, 1,000 at most. It cannot be changed once the subscription has run.
   */
  readonly shards?: number
  /** Where it begins when it runs for the first time: with the first event (the default), or those appended from then. */
  readonly from?: "beginning" | "end"
  /** Only streams whose name begins so. */
  readonly streamPrefix?: string
  /** Only events with all of these tags. */
  readonly tags?: ReadonlyArray<string>
}

/** What is done when a handler fails or dies, or an event cannot be decoded. */
export interface OnFailure {
  /**
   * When it is tried again; it is given what failed. Without it: 5 times, after a tenth of a second and then twice as
   * long each time. An event that cannot be decoded is not tried again. What waits to be tried again takes a place of
   * `concurrency`; `Schedule.recurs(0)` never tries again.
   */
  readonly retry?: Schedule.Schedule<unknown, unknown, unknown>
  /**
   * What is done when it is given up. `"stop"` (the default): the shard stops before the event, and shows the error in its status, until
   * it is resumed. `"skip"`: the event is logged, counted and passed by. `"park"`: the event and what follows it in its
   * stream are held back, to be redriven or discarded, while other streams go on.
   */
  readonly otherwise?: "stop" | "skip" | "park"
}

/** How a subscription runs. */
export interface LayerOptions {
  /**
   * How many streams of a shard are handled at a time. 1 unless given: without `batch` the events of a shard are then
   * handled in the order of the log. Events of one stream always are.
   */
  readonly concurrency?: number
  /** How many events the handler is given at a time, at most; all of one stream, in order. From 1 to 1,000. */
  readonly batch?: number
  readonly onFailure?: OnFailure
  /**
   * How long a shard stays with a process that has died or been cut off, and how long handlers have to end when a shard is
   * given back. 5 seconds unless given; from 100 milliseconds to 1 day.
   */
  readonly lease?: Duration.Input
}

/** What starting a subscription can fail with. */
export type StartError = EventStoreError | DocumentStoreError | SubscriptionError

/** A subscription: its definition, and what can be done with it. */
export interface Subscription<out Name extends string, in out E> {
  readonly name: Name
  readonly events: Event.Set<E>
  readonly shards: number
  /**
   * Runs it in the background with this handler, for as long as the layer lives. What the handler appends has the event
   * (of a batch the last) as its cause. The layer fails if the stores are not there at its start, or if the subscription
   * has another number of shards (`ShardsDiffer`); later it waits for stores that are away.
   */
  readonly toLayer: {
    <R>(
      handler: (event: Event.Recorded<E>, context: Context) => Effect.Effect<unknown, unknown, R>,
      options?: LayerOptions & { readonly batch?: never }
    ): Layer.Layer<never, StartError, EventStore | DocumentStore | Exclude<R, Scope.Scope>>
    <R>(
      handler: (
        events: ReadonlyArray<Event.Recorded<E>>,
        context: Context
      ) => Effect.Effect<unknown, unknown, R>,
      options: LayerOptions & { readonly batch: number }
    ): Layer.Layer<never, StartError, EventStore | DocumentStore | Exclude<R, Scope.Scope>>
  }
  /** Where each shard stands, who works on it, and what is wrong. */
  readonly status: Effect.Effect<Admin.Status, StartError, EventStore | DocumentStore>
  /**
   * Waits until what was appended, given the receipts or a position, has been handled, skipped or parked, and all before. It ends at once
   * where this process has handled it, else about a fifth of a second later, or half a second where nothing was to be
   * handled. Fails with `TimedOut` (after 10 seconds unless given), with `NotBegun` if it has not run by then, and with
   * `Stopped` when a shard that has not come so far has stopped.
   */
  readonly waitFor: (
    appended: Target,
    timeout?: Duration.Input
  ) => Effect.Effect<void, SubscriptionError | DocumentStoreError, DocumentStore>
  /** The parked streams, in the order of their names; the first hundred unless told otherwise. */
  readonly parked: (
    page?: { readonly offset?: number; readonly limit?: number }
  ) => Effect.Effect<ReadonlyArray<Parked>, DocumentStoreError, DocumentStore>
  /** The events of a stream that are held back, decoded where that can be done. */
  readonly parkedEvents: (
    stream: string
  ) => Stream.Stream<Admin.ParkedEvent<E>, StartError, EventStore | DocumentStore>
  /**
   * Asks the owner of the shard to handle what is held back of a stream, in order, and then what comes. The first event
   * that fails again parks it again. It is asked, not waited for; the owner hears of it within a third of the lease.
   */
  readonly redrive: (
    stream: string
  ) => Effect.Effect<void, SubscriptionError | DocumentStoreError, DocumentStore>
  /** Asks the owner to let go of what is held back of a stream, never to be handled, and to go on with what comes. */
  readonly discard: (
    stream: string
  ) => Effect.Effect<void, SubscriptionError | DocumentStoreError, DocumentStore>
  /** Lets stopped shards go on, beginning with the event that stopped them. */
  readonly resume: Effect.Effect<void, SubscriptionError | DocumentStoreError, DocumentStore>
  /**
   * Goes on after another position, not beyond the newest event: 0 replays everything. Handlers are told that it is a
   * replay up to the furthest event that has been dealt with. Stopped shards go on; parked streams stay parked.
   */
  readonly reset: (
    position: number
  ) => Effect.Effect<void, StartError, EventStore | DocumentStore>
}

/** The type of a subscription's event values: `Subscription.Events<typeof Mailer>`. */
export type Events<S> = S extends Subscription<any, infer E> ? E : never

/** Tried again after 0.1, 0.2, 0.4, 0.8 and 1.6 seconds. */
const defaultRetry: Schedule.Schedule<unknown> = Schedule.max([
  Schedule.exponential("100 millis"),
  Schedule.recurs(5)
])

/** Defines a subscription. The name must not be empty, be longer than 100 characters, nor hold a `/`. */
export const make = <const Name extends string, E>(
  name: Name,
  options: Options<E>
): Subscription<Name, E> => {
  const { events, from = "beginning", shards = 1 } = options
  if (!/^[^/\0]{1,100}$/.test(name) || !name.isWellFormed()) {
    throw new Error(`a subscription's name must have 1 to 100 characters and no "/": "${name}"`)
  }
  refuseCount("shards", shards, 1_000)
  refuseOther("from", from, ["beginning", "end"])
  const query = queryOf(options)
  const admin = Admin.make(name, events, query)

  const start = <R>(
    handler: (
      events: ReadonlyArray<Event.Recorded<E>>,
      context: Context
    ) => Effect.Effect<unknown, unknown, R>,
    { batch = 1, concurrency = 1, lease = Shards.defaultLease, onFailure = {} }: LayerOptions
  ) => {
    refuseOther("onFailure.otherwise", onFailure.otherwise ?? "stop", ["stop", "skip", "park"])
    refuseCount("batch", batch, maxEvents)
    refuseCount("concurrency", concurrency, 100_000)
    const duration = Duration.fromInputUnsafe(lease)
    if (!(Duration.toMillis(duration) >= 100 && Duration.toMillis(duration) <= 86_400_000)) {
      throw new Error(`lease must be from 100 milliseconds to 1 day, not ${String(duration)}`)
    }
    return Layer.effectDiscard(Effect.gen(function* () {
      const store = yield* EventStore
      const documents = yield* DocumentStore
      const head = from === "end" ? store.head : Effect.succeed(0)
      yield* Shards.open(documents, { name, shards }, head)
      const { retry = defaultRetry, otherwise = "stop" } = onFailure
      const work = Work.make({
        name,
        events,
        query,
        store,
        documents,
        handler: (events, context) => Effect.scoped(toEffect(handler(events, context))),
        concurrency,
        batch,
        retry,
        otherwise
      })
      yield* Effect.forkScoped(Shards.run(documents, { name, shards, lease: duration }, work))
    }))
  }

  return {
    name,
    events,
    shards,
    toLayer: (
      handler: (input: any, context: Context) => Effect.Effect<unknown, unknown, any>,
      options = {}
    ) =>
      start(
        options.batch === undefined ? ([event], context) => handler(event, context) : handler,
        options
      ),
    ...admin
  }
}

/** What is no effect would not be run, nor end. */
const toEffect = <R>(given: Effect.Effect<unknown, unknown, R>): Effect.Effect<unknown, unknown, R> =>
  Effect.isEffect(given)
    ? given
    : Effect.die(new Error("the handler gave no effect; is it an async function?"))

const refuseOther = (what: string, given: string, known: ReadonlyArray<string>): void => {
  if (!known.includes(given)) {
    throw new Error(
      `${what} must be ${known.map((one) => `"${one}"`).join(" or ")}, not ${JSON.stringify(given)}`
    )
  }
}

const refuseCount = (what: string, n: number, max: number): void => {
  if (!Number.isSafeInteger(n) || n < 1 || n > max) {
    throw new Error(`${what} must be a whole number from 1 to ${max}, not ${n}`)
  }
}

const queryOf = ({ events, streamPrefix, tags }: Options<any>): Query => ({
  types: events.types,
  ...(streamPrefix === undefined ? {} : { streamPrefix }),
  ...(tags === undefined ? {} : { tags })
})
