// Reads page by page, so that memory stays constant, and decodes. Not public.
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Event from "./Event.ts"
import { type EventStoreDriver, givenId, type StoredEvent } from "./EventStoreDriver.ts"
import { EventStoreError, Undecodable } from "./EventStoreError.ts"
import type { ReadOptions } from "./Input.ts"
import * as Metadata from "./Metadata.ts"
import { messageOf } from "../store/Problem.ts"

/** How many events a page has: few at first, then more, but not so many that their data take much memory. */
export const firstSize = 32
const largestSize = 512
const largestPage = 4_000_000

/** How many events to ask for next, given the last page. */
export const nextSize = (size: number, events: ReadonlyArray<StoredEvent>): number => {
  const length = events.reduce((sum, { data }) => sum + data.length, 0)
  const fitting = Math.floor(largestPage * events.length / Math.max(length, 1))
  return Math.max(1, Math.min(size * 4, largestSize, events.length === 0 ? largestSize : fitting))
}

/** A page of events, and where the next one begins if there is one. */
export type Page<At> = readonly [events: ReadonlyArray<StoredEvent>, next: At | undefined]

/** How a page of at most so many events is read from where it begins. */
export type Reader<At> = (at: At, size: number) => Effect.Effect<Page<At>, EventStoreError>

/** Where a page of a stream begins, and how many events are still wanted. */
interface InStream {
  readonly from: number
  readonly left: number
}

/** Where reading a stream begins. */
export const start = (
  { atRevision = Infinity, direction, from, limit = Infinity }: ReadOptions
): InStream => ({
  from: direction === "backwards" ? Math.min(from ?? Infinity, atRevision) : from ?? 1,
  left: limit
})

/** Reads a stream; `bare`, without ids, tags and metadata. */
export const ofStream = (
  driver: EventStoreDriver,
  stream: string,
  bare: boolean,
  { atRevision = Infinity, atTime = Infinity, direction = "forwards" }: ReadOptions
): Reader<InStream> => {
  const forwards = direction === "forwards"
  const time = Number(atTime)
  const inside = (event: StoredEvent) => event.revision <= atRevision && event.recordedAt <= time
  return ({ from, left }, size) => {
    const limit = Math.min(left, size)
    if (limit <= 0) return Effect.succeed([[], undefined])
    return Effect.map(driver.readStream({ stream, direction, from, limit, bare }), (events) => {
      const page = events.every(inside) ? events : events.filter(inside)
      const last = events[events.length - 1]
      const ended = last === undefined || events.length < limit || (forwards && !inside(last))
      return [
        page,
        ended ? undefined : { from: last.revision + (forwards ? 1 : -1), left: left - page.length }
      ]
    })
  }
}

/** Every event of the pages, in order, given to a function that may throw an `EventStoreError`. */
export const forEach = <At>(
  read: Reader<At>,
  at: At,
  f: (event: StoredEvent) => void,
  size = firstSize
): Effect.Effect<void, EventStoreError> =>
  Effect.flatMap(read(at, size), ([events, next]) => {
    try {
      for (const event of events) f(event)
    } catch (error) {
      if (error instanceof EventStoreError) return Effect.fail(error)
      throw error
    }
    return next === undefined ? Effect.void : forEach(read, next, f, nextSize(size, events))
  })

/** The events of the pages, decoded; those before one that cannot be decoded are given before the failure. */
export const stream = <At, E>(
  driver: EventStoreDriver,
  set: Event.Set<E>,
  read: Reader<At>,
  at: At
): Stream.Stream<Event.Recorded<E>, EventStoreError> => {
  type State = { readonly at: At; readonly size: number } | { readonly failure: EventStoreError }
  return Stream.paginate<State, Event.Recorded<E>, EventStoreError>(
    { at, size: firstSize },
    (state) =>
      "failure" in state
        ? Effect.fail(state.failure)
        : Effect.map(read(state.at, state.size), ([events, next]) => {
          const decoded: Array<Event.Recorded<E>> = []
          try {
            for (const event of events) decoded.push(toRecorded(driver, set, event))
          } catch (error) {
            if (!(error instanceof EventStoreError)) throw error
            return [decoded, Option.some({ failure: error })]
          }
          return [
            decoded,
            next === undefined ? Option.none() : Option.some({ at: next, size: nextSize(state.size, events) })
          ]
        })
  )
}

/** An event as it stands in the log; throws the `EventStoreError` that names it. */
export const toRecorded = <E>(
  driver: Pick<EventStoreDriver, "store">,
  set: Event.Set<E>,
  event: StoredEvent
): Event.Recorded<E> => ({
  id: event.id ?? givenId(driver.store, event.position),
  stream: event.stream,
  revision: event.revision,
  position: event.position,
  type: event.type,
  version: event.version,
  data: decode(set, event),
  tags: event.tags,
  metadata: event.metadata === "{}" ? Metadata.empty : JSON.parse(event.metadata),
  recordedAt: event.recordedAt
})

/** The value of a stored event; throws the `EventStoreError` that names it. */
export const decode = <E>(set: Event.Set<E>, event: StoredEvent): E => {
  try {
    return Event.decode(set, event)
  } catch (error) {
    const { position, revision, stream, type, version } = event
    const issue = messageOf(error)
    throw new EventStoreError({
      reason: new Undecodable({ stream, revision, position, type, version, issue })
    })
  }
}
