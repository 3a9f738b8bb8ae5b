/**
 * The event store: an append-only log of events in streams, the only truth of a system.
 *
 * Its promises, each kept by every adapter: an append is atomic over one or more streams, conditional, idempotent by
 * event ids, durable when the effect returns; whoever has seen a position is never given an event before it; a
 * subscription goes from the past to the present with no gap and no repeat.
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { Event, EventStore } from "dunnock"
 *
 * const events = Event.set({ ParcelScanned: { place: Schema.String } })
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* EventStore.EventStore
 *   yield* store.append(events, [{
 *     stream: "Parcel-7",
 *     expected: "none",
 *     events: [{ _tag: "ParcelScanned", place: "Oslo" }]
 *   }])
 *   return yield* Stream.runCollect(store.read(events, "Parcel-7"))
 * })
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Event from "./Event.ts"
import type {
  Append,
  Appended,
  EventStoreDriver,
  Expected,
  Inline,
  NewEvent,
  Query,
  Receipt
} from "./EventStoreDriver.ts"
import type { EventStoreError } from "./EventStoreError.ts"
import * as GroupCommit from "./GroupCommit.ts"
import * as Input from "./Input.ts"
import * as MemoryEvents from "./MemoryEvents.ts"
import * as Metadata from "./Metadata.ts"
import * as Reading from "./Reading.ts"

export type { Expected, Query, Receipt } from "./EventStoreDriver.ts"
export type { ReadOptions } from "./Input.ts"

/** Events to append to one stream. */
export interface Write<out E> {
  readonly stream: string
  /** What the stream must be like. Defaults to `"any"`. */
  readonly expected?: Expected
  /** At least one event. */
  readonly events: ReadonlyArray<E>
  /**
   * The ids of the events, in their order; each unique in the store, which gives them when they are absent. Give them to
   * be able to append again after an unknown outcome.
   */
  readonly ids?: ReadonlyArray<string>
}

/** What to read of the log. */
export interface LogOptions {
  /** Begin after this position. Defaults to 0, the beginning. */
  readonly after?: number
  /** Only streams whose name begins so. */
  readonly streamPrefix?: string
  /** Only events with all of these tags. */
  readonly tags?: ReadonlyArray<string>
}

/** The typed half of an event store, over a driver. */
export interface EventStore {
  /** The encoded half: what the adapter wrote. */
  readonly driver: EventStoreDriver
  /**
   * Appends events to one or more streams, whole or not at all, and gives a receipt for each of them. Appends made while
   * one is under way are committed together by the next.
   *
   * Fails with the reason `Conflict` when a stream is not as expected, `ConditionFailed` when an event after the
   * condition's position matches its query, `DuplicateEventId`, `InvalidInput`, `Unavailable` or `OutcomeUnknown`. When
   * the same ids were already appended under the same expectation, nothing is written and the first receipts are given.
   * If the fiber is interrupted after the commit began, the events may still be written.
   */
  readonly append: <E>(
    events: Event.Set<E>,
    writes: ReadonlyArray<Write<NoInfer<E>>>,
    options?: {
      readonly condition?: { readonly query: Query | ReadonlyArray<Query>; readonly after: number }
    }
  ) => Effect.Effect<ReadonlyArray<Receipt>, EventStoreError>
  /** Appends encoded events: the same as `append`, for those who encode by themselves. */
  readonly commit: (append: Append) => Effect.Effect<Appended, EventStoreError>
  /** The events of a stream, page by page in constant memory. An event that cannot be read fails with `Undecodable`. */
  readonly read: <E>(
    events: Event.Set<E>,
    stream: string,
    options?: Input.ReadOptions
  ) => Stream.Stream<Event.Recorded<E>, EventStoreError>
  /** The events of these types in the log, up to its present end, page by page in constant memory. */
  readonly log: <E>(
    events: Event.Set<E>,
    options?: LogOptions & { readonly limit?: number }
  ) => Stream.Stream<Event.Recorded<E>, EventStoreError>
  /** The events of these types after a position, and then those to come, with no gap and no repeat. Does not end. */
  readonly subscribe: <E>(
    events: Event.Set<E>,
    options?: LogOptions
  ) => Stream.Stream<Event.Recorded<E>, EventStoreError>
  /** The position of the newest event, 0 when there is none. */
  readonly head: Effect.Effect<number, EventStoreError>
  /** From now on, until the scope closes, every append writes what this makes of its events in its transaction. */
  readonly addInline: (inline: Inline) => Effect.Effect<void, never, Scope.Scope>
  /**
   * Called before reading: the effect ends when something may have been appended since the call, by this process or
   * another.
   */
  readonly changed: () => Effect.Effect<void>
}

/** The event store of a program. Adapters provide it: `Memory.layer`, `Sqlite.layer` … */
export const EventStore: Context.Service<EventStore, EventStore> = Context.Service<EventStore, EventStore>(
  "dunnock/EventStore"
)

/** The largest event an event store takes, in characters of its JSON text. Put larger things beside the log. */
export const maxEventLength: number = Input.maxEventLength

/** The longest name of a stream, an event id or a tag, in characters. */
export const maxNameLength: number = Input.maxNameLength

/** A layer with the typed half of a store, over a driver. This is how an adapter makes its layer. */
export const layer = <E, R>(
  driver: Effect.Effect<EventStoreDriver, E, R>
): Layer.Layer<EventStore, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(EventStore, Effect.flatMap(driver, make))

/**
 * An event store in memory, a new one wherever the layer is built: for programs that keep no documents, where each byte of
 * a bundle counts. `Memory.layer` provides documents as well.
 */
export const layerMemory: Layer.Layer<EventStore> = /* @__PURE__ */ Layer.effect(
  EventStore,
  /* @__PURE__ */ Effect.suspend(() => make(MemoryEvents.make(MemoryEvents.newName())))
)

/** The typed half of a store, over a driver. When the scope closes, appends under way are finished first. */
export const make = (driver: EventStoreDriver): Effect.Effect<EventStore, never, Scope.Scope> =>
  Effect.suspend(() => {
    let inlines: ReadonlyArray<Inline> = []
    const append: EventStoreDriver["append"] = (appends) =>
      driver.append(appends, inlines.length === 0 ? undefined : together(inlines))
    const addInline = (inline: Inline) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          inlines = [...inlines, inline]
        }),
        () =>
          Effect.sync(() => {
            inlines = inlines.filter((other) => other !== inline)
          })
      )
    return Effect.map(GroupCommit.make({ ...driver, append }), (group) => typed(driver, group, addInline))
  })

/** Several inline projections as one. */
const together = (inlines: ReadonlyArray<Inline>): Inline => ({
  read: (events) => inlines.flatMap(({ read }) => read(events)),
  write: (events, documents, before) => {
    let from = 0
    return inlines.flatMap(({ read, write }) => {
      const count = read(events).length
      return write(events, documents.slice(from, from += count), before)
    })
  }
})

const typed = (
  driver: EventStoreDriver,
  group: GroupCommit.GroupCommit,
  addInline: EventStore["addInline"]
): EventStore => {
  const commit = (append: Append) => {
    const problem = Input.problemOf(append)
    return problem === undefined ? group.commit(append) : Effect.fail(problem)
  }
  const changed = () => {
    const committed = group.committed()
    const elsewhere = driver.changed()
    return Effect.raceFirst(committed, elsewhere)
  }
  return {
    driver,
    commit,
    addInline,
    changed,
    head: driver.head,
    append: (set, writes, { condition } = {}) =>
      Effect.withFiber((fiber) => {
        const metadata = Metadata.toText(fiber.context)
        if (Result.isFailure(metadata)) return Effect.fail(Input.error("metadata", metadata.failure))
        const streams = encodeWrites(set, writes, metadata.success)
        if (Result.isFailure(streams)) return Effect.fail(streams.failure)
        const committed = commit({
          streams: streams.success,
          condition: condition && {
            queries: Array.isArray(condition.query) ? condition.query : [condition.query as Query],
            after: condition.after
          }
        })
        return Effect.map(committed, ({ receipts }) => receipts)
      }),
    ...Reading.make(driver, changed)
  }
}

const encodeWrites = <E>(
  set: Event.Set<E>,
  writes: ReadonlyArray<Write<E>>,
  metadata: string
): Result.Result<Append["streams"], EventStoreError> => {
  const streams: Array<Append["streams"][number]> = []
  for (const [i, { events, expected = "any", ids, stream }] of writes.entries()) {
    if (ids !== undefined && ids.length !== events.length) {
      return Result.fail(Input.error(`writes[${i}].ids`, `has ${ids.length} ids for ${events.length} events`))
    }
    const encoded: Array<NewEvent> = []
    for (const [j, event] of events.entries()) {
      const result = Event.encode(set, event)
      if (Result.isFailure(result)) {
        return Result.fail(Input.error(`writes[${i}].events[${j}]`, result.failure))
      }
      const { data, tags, type, version } = result.success
      encoded.push({ id: ids?.[j], type, version, data, tags, metadata })
    }
    streams.push({ stream, expected, events: encoded })
  }
  return Result.succeed(streams)
}
