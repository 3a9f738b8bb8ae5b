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
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Event from "./Event.ts"
import {
  type Append,
  type EventStoreDriver,
  type Expected,
  givenId,
  type NewEvent,
  type Outcome,
  type Query,
  type Receipt,
  type StoredEvent
} from "./EventStoreDriver.ts"
import { EventStoreError, InvalidInput, type Reason, Undecodable } from "./EventStoreError.ts"
import * as Metadata from "./Metadata.ts"

export type { Expected, Query, Receipt } from "./EventStoreDriver.ts"

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

/** Where and how to read a stream. */
export interface ReadOptions {
  /** `"forwards"` (the default) from the first event, or `"backwards"` from the last. */
  readonly direction?: "forwards" | "backwards"
  /** The revision to begin with, itself included. */
  readonly from?: number
  /** At most so many events. */
  readonly limit?: number
  /** The stream as it was at this revision: later events are left out. */
  readonly atRevision?: number
  /** The stream as it was at this time, a Date or milliseconds since 1970 UTC: later events are left out. */
  readonly atTime?: Date | number
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
    options?: { readonly condition?: { readonly query: Query | ReadonlyArray<Query>; readonly after: number } }
  ) => Effect.Effect<ReadonlyArray<Receipt>, EventStoreError>
  /** Appends encoded events: the same as `append`, for those who encode by themselves. */
  readonly commit: (append: Append) => Effect.Effect<ReadonlyArray<Receipt>, EventStoreError>
  /** The events of a stream, page by page in constant memory. An event that cannot be read fails with `Undecodable`. */
  readonly read: <E>(
    events: Event.Set<E>,
    stream: string,
    options?: ReadOptions
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
}

/** The event store of a program. Adapters provide it: `Memory.layer`, `Sqlite.layer` … */
export const EventStore: Context.Service<EventStore, EventStore> = Context.Service<EventStore, EventStore>(
  "dunnock/EventStore"
)

/** The largest event an event store takes, in characters of its JSON text. Put larger things beside the log. */
export const maxEventLength: number = 1_048_576

/** The longest name of a stream, an event id or a tag, in characters. */
export const maxNameLength: number = 255

const pageSize = 512
const batchSize = 512

const fail = (reason: Reason): Effect.Effect<never, EventStoreError> => Effect.fail(new EventStoreError({ reason }))
const invalid = (at: string, problem: string) => fail(new InvalidInput({ at, problem }))

/** A layer with the typed half of a store, over a driver. This is how an adapter makes its layer. */
export const layer = <E, R>(
  driver: Effect.Effect<EventStoreDriver, E, R>
): Layer.Layer<EventStore, E, Exclude<R, Scope.Scope>> => Layer.effect(EventStore, Effect.flatMap(driver, make))

/** The typed half of a store, over a driver. When the scope closes, appends under way are finished first. */
export const make = (driver: EventStoreDriver): Effect.Effect<EventStore, never, Scope.Scope> =>
  Effect.map(makeCommitter(driver), ({ commit, committed }): EventStore => {
    return {
      driver,
      commit,
      append: (set, writes, options) =>
        Effect.withFiber((fiber) => {
          const metadata = metadataText(fiber.context)
          const streams: Array<Append["streams"][number]> = []
          for (const [i, { events, expected = "any", ids, stream }] of writes.entries()) {
            if (ids !== undefined && ids.length !== events.length) {
              return invalid(`writes[${i}].ids`, `has ${ids.length} ids for ${events.length} events`)
            }
            const encoded: Array<NewEvent> = []
            for (const [j, event] of events.entries()) {
              const result = Event.encode(set, event)
              if (Result.isFailure(result)) return invalid(`writes[${i}].events[${j}]`, result.failure)
              encoded.push({ ...result.success, id: ids?.[j], metadata })
            }
            streams.push({ stream, expected, events: encoded })
          }
          const condition = options?.condition
          return commit({
            streams,
            condition: condition && {
              queries: Array.isArray(condition.query) ? condition.query : [condition.query as Query],
              after: condition.after
            }
          })
        }),
      read: (set, stream, options = {}) => {
        const problem = problemOfName("stream", stream) ?? problemOfNumbers(options)
        return problem === undefined ? decodePages(driver, set, pages(driver, stream, options)) : Stream.fail(problem)
      },
      log: (set, { limit = Infinity, ...options } = {}) => {
        const problem = problemOfNumbers({ after: options.after, limit })
        if (problem !== undefined) return Stream.fail(problem)
        return decodePages(
          driver,
          set,
          Stream.unwrap(Effect.map(driver.head, (end) =>
            Stream.paginate({ after: options.after ?? 0, left: limit }, ({ after, left }) =>
              Effect.map(
                left <= 0
                  ? Effect.succeed({ events: [], upTo: end })
                  : driver.readLog({ after, limit: Math.min(left, pageSize), queries: [query(set, options)] }),
                ({ events, upTo }) => {
                  const page = events.filter((event) => event.position <= end)
                  return [[page], upTo < end ? Option.some({ after: upTo, left: left - page.length }) : Option.none()]
                }
              ))))
        )
      },
      subscribe: (set, options = {}) => {
        const problem = problemOfNumbers({ after: options.after })
        if (problem !== undefined) return Stream.fail(problem)
        const queries = [query(set, options)]
        return decodePages(
          driver,
          set,
          Stream.paginate(options.after ?? 0, (after) =>
            Effect.suspend(() => {
              const wait = committed()
              return Effect.flatMap(driver.readLog({ after, limit: pageSize, queries }), ({ events, upTo }) =>
                Effect.as(upTo > after ? Effect.void : Effect.raceFirst(wait, driver.changed), [
                  [events],
                  Option.some(upTo)
                ] as const))
            }))
        )
      },
      head: driver.head
    }
  })

const query = (set: Event.Set<any>, { streamPrefix, tags }: LogOptions): Query => ({
  types: set.types,
  ...(streamPrefix === undefined ? {} : { streamPrefix }),
  ...(tags === undefined ? {} : { tags })
})

/** The events of a stream in pages, not decoded. */
export const pages = (
  driver: EventStoreDriver,
  stream: string,
  options: ReadOptions
): Stream.Stream<ReadonlyArray<StoredEvent>, EventStoreError> => {
  const { atRevision = Infinity, atTime = Infinity, direction = "forwards", limit = Infinity } = options
  const forwards = direction === "forwards"
  const time = Number(atTime)
  const inside = (event: StoredEvent) => event.revision <= atRevision && event.recordedAt <= time
  const start = forwards ? options.from ?? 1 : Math.min(options.from ?? Infinity, atRevision)
  return Stream.paginate({ from: start, left: limit }, ({ from, left }) => {
    const size = Math.min(left, pageSize)
    if (size <= 0) return Effect.succeed([[], Option.none()] as const)
    return Effect.map(driver.readStream({ stream, direction, from, limit: size }), (events) => {
      const page = events.every(inside) ? events : events.filter(inside)
      const last = events[events.length - 1]
      const ended = last === undefined || events.length < size || (forwards && !inside(last))
      const next = ended
        ? Option.none()
        : Option.some({ from: last.revision + (forwards ? 1 : -1), left: left - page.length })
      return [[page], next] as const
    })
  })
}

/** Decodes pages of events; those before one that cannot be decoded are given before the failure. */
const decodePages = <E>(
  driver: EventStoreDriver,
  set: Event.Set<E>,
  stored: Stream.Stream<ReadonlyArray<StoredEvent>, EventStoreError>
): Stream.Stream<Event.Recorded<E>, EventStoreError> =>
  Stream.flatMap(stored, (events) => {
    const decoded: Array<Event.Recorded<E>> = []
    for (const event of events) {
      const data = decodeStored(set, event)
      if (Result.isFailure(data)) return Stream.concat(Stream.fromArray(decoded), Stream.fail(data.failure))
      decoded.push({
        id: event.id ?? givenId(driver.store, event.position),
        stream: event.stream,
        revision: event.revision,
        position: event.position,
        type: event.type,
        version: event.version,
        data: data.success,
        tags: event.tags,
        metadata: event.metadata === "{}" ? Metadata.empty : JSON.parse(event.metadata),
        recordedAt: event.recordedAt
      })
    }
    return Stream.fromArray(decoded)
  })

/** The value of a stored event, or the error that names it. */
export const decodeStored = <E>(set: Event.Set<E>, event: StoredEvent): Result.Result<E, EventStoreError> => {
  const decoded = Event.decode(set, event)
  if (Result.isSuccess(decoded)) return decoded as Result.Result<E, never>
  const { position, revision, stream, type, version } = event
  return Result.fail(
    new EventStoreError({
      reason: new Undecodable({ stream, revision, position, type, version, issue: decoded.failure })
    })
  )
}

/** The JSON text of the current metadata, with the trace of the current span. */
export const metadataText = (context: Context.Context<never>, fields?: Metadata.Metadata): string => {
  const current = Context.get(context, Metadata.Current)
  const span = Context.getOrUndefined(context, Tracer.ParentSpan)
  if (span === undefined && fields === undefined && current === Metadata.empty) return "{}"
  const traceparent = span && `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`
  return JSON.stringify({ ...(traceparent === undefined ? {} : { traceparent }), ...current, ...fields })
}

// --- group commit

interface Pending {
  readonly append: Append
  readonly resume: (effect: Effect.Effect<ReadonlyArray<Receipt>, EventStoreError>) => void
}

/** Commits appends in groups: those that arrive while a commit is under way make up the next. */
const makeCommitter = Effect.fnUntraced(function*(driver: EventStoreDriver) {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  let queue: Array<Pending> = []
  let flushing: Fiber.Fiber<void> | undefined
  let commits = 0
  let waiting: Array<() => void> = []

  const wake = () => {
    commits++
    if (waiting.length === 0) return
    const woken = waiting
    waiting = []
    for (const resume of woken) resume()
  }

  /** An effect that ends with the next commit after the call of `committed`. */
  const committed = () => {
    const seen = commits
    return Effect.callback<void>((resume) => {
      if (commits !== seen) return resume(Effect.void)
      const waiter = () => resume(Effect.void)
      waiting.push(waiter)
      return Effect.sync(() => {
        waiting = waiting.filter((other) => other !== waiter)
      })
    })
  }

  const settle = (outcome: Outcome): Effect.Effect<ReadonlyArray<Receipt>, EventStoreError> =>
    Result.isSuccess(outcome) ? Effect.succeed(outcome.success) : fail(outcome.failure)

  const commitOne = (append: Append) =>
    Effect.flatMap(driver.append([append]), ([outcome]) => {
      wake()
      return settle(outcome!)
    })

  const flush = Effect.gen(function*() {
    while (true) {
      // Every fiber that is ready to append gets to do so before the commit.
      yield* Effect.yieldNow
      if (queue.length === 0) {
        flushing = undefined
        return
      }
      const batch = queue.slice(0, batchSize)
      queue = queue.slice(batchSize)
      const exit = yield* Effect.exit(driver.append(batch.map(({ append }) => append)))
      if (Exit.isSuccess(exit)) {
        wake()
        batch.forEach(({ resume }, i) => resume(settle(exit.value[i]!)))
      } else if (batch.length === 1 || concernsAll(exit.cause)) {
        for (const { resume } of batch) resume(Effect.failCause(exit.cause))
      } else {
        // One append may have spoiled the group for the others: let each speak for itself.
        for (const { append, resume } of batch) resume(yield* Effect.exit(commitOne(append)))
      }
    }
  })

  const commitGrouped = (append: Append) =>
    Effect.callback<ReadonlyArray<Receipt>, EventStoreError>((resume) => {
      const pending: Pending = { append, resume }
      queue.push(pending)
      flushing ??= fork(flush)
      return Effect.sync(() => {
        queue = queue.filter((other) => other !== pending)
      })
    })

  yield* Effect.addFinalizer(() => Effect.suspend(() => flushing === undefined ? Effect.void : Fiber.await(flushing)))

  const commitChecked = driver.groupCommit ? commitGrouped : commitOne
  const commit = (append: Append): Effect.Effect<ReadonlyArray<Receipt>, EventStoreError> => {
    const problem = problemOf(append)
    return problem === undefined ? commitChecked(append) : Effect.fail(problem)
  }
  return { commit, committed }
})

/** Whether a failed commit would fail for each append alone as well, or must not be tried again. */
const concernsAll = (cause: Cause.Cause<EventStoreError>): boolean => {
  const error = Cause.findErrorOption(cause)
  return Option.isSome(error) && error.value.isRetryable
}

// --- input

const error = (at: string, problem: string) => new EventStoreError({ reason: new InvalidInput({ at, problem }) })

/** What is wrong with a name of a stream, an event or a tag, if anything is. */
export const problemOfName = (at: string, name: unknown): EventStoreError | undefined =>
  typeof name !== "string"
    ? error(at, `must be a text, not ${name === null ? "null" : typeof name}`)
    : name.length === 0
    ? error(at, "must not be empty")
    : name.length > maxNameLength
    ? error(at, `has ${name.length} characters, more than ${maxNameLength}`)
    : !name.isWellFormed()
    ? error(at, `${JSON.stringify(name)} holds half of a surrogate pair`)
    : name.includes("\0")
    ? error(at, `${JSON.stringify(name)} holds a NUL character`)
    : undefined

const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0

/** What is wrong with where to read, if anything is. */
export const problemOfNumbers = (options: ReadOptions & { readonly after?: number | undefined }): EventStoreError | undefined => {
  for (const at of ["after", "from", "limit", "atRevision"] as const) {
    const n = options[at]
    if (n !== undefined && !isCount(n) && !(at === "limit" && n === Infinity)) {
      return error(at, `must be a whole number from 0 on, not ${n}`)
    }
  }
  if (options.atTime !== undefined && Number.isNaN(Number(options.atTime))) {
    return error("atTime", `is not a time: ${options.atTime}`)
  }
  if (options.direction !== undefined && options.direction !== "forwards" && options.direction !== "backwards") {
    return error("direction", `must be "forwards" or "backwards", not ${JSON.stringify(options.direction)}`)
  }
}

const problemOf = ({ condition, streams }: Append): EventStoreError | undefined => {
  if (streams.length === 0) return error("writes", "must name at least one stream")
  const ids = streams.length > 1 || streams[0]!.events.length > 1 ? new globalThis.Set<string>() : undefined
  for (let i = 0; i < streams.length; i++) {
    const { events, expected, stream } = streams[i]!
    const problem = problemOfName(`writes[${i}].stream`, stream)
    if (problem !== undefined) return problem
    if (expected !== "any" && expected !== "none" && expected !== "exists" && !isCount(expected)) {
      return error(
        `writes[${i}].expected`,
        `must be "any", "none", "exists" or a revision from 0 on, not ${JSON.stringify(expected) ?? expected}`
      )
    }
    if (i > 0 && streams.findIndex((other) => other.stream === stream) < i) {
      return error(`writes[${i}].stream`, `names the stream "${stream}" again`)
    }
    if (events.length === 0) return error(`writes[${i}].events`, "must hold at least one event")
    for (let j = 0; j < events.length; j++) {
      const { data, id, tags, type } = events[j]!
      const at = `writes[${i}].events[${j}]`
      const problem = (id === undefined ? undefined : problemOfName(`${at}.id`, id)) ?? problemOfTags(at, tags)
      if (problem !== undefined) return problem
      if (data.length > maxEventLength) {
        return error(at, `event "${type}" has ${data.length} characters of JSON, more than ${maxEventLength}`)
      }
      if (id === undefined) continue
      if (ids?.has(id)) return error(`${at}.id`, `the id "${id}" is used twice`)
      ids?.add(id)
    }
  }
  if (condition === undefined) return
  if (!isCount(condition.after)) {
    return error("condition.after", `must be a position from 0 on, not ${condition.after}`)
  }
  if (condition.queries.length === 0) return error("condition.query", "must hold at least one query")
}

const problemOfTags = (at: string, tags: ReadonlyArray<string>): EventStoreError | undefined => {
  for (let i = 0; i < tags.length; i++) {
    const problem = problemOfName(`${at}.tags[${i}]`, tags[i])
    if (problem !== undefined) return problem
  }
}
