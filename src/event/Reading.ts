// The typed half of reading, over a driver. Not public.
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as Event from "./Event.ts"
import type { EventStore, LogOptions } from "./EventStore.ts"
import type { EventStoreDriver, Query } from "./EventStoreDriver.ts"
import * as Input from "./Input.ts"
import * as Pages from "./Pages.ts"

export const make = (
  driver: EventStoreDriver,
  changed: EventStore["changed"]
): Pick<EventStore, "read" | "log" | "subscribe"> => ({
  read: (set, stream, options = {}) => {
    const problem = Input.problemOfName("stream", stream) ?? Input.problemOfNumbers(options)
    if (problem !== undefined) return Stream.fail(problem)
    return Pages.stream(driver, set, Pages.ofStream(driver, stream, false, options), Pages.start(options))
  },
  log: (set, { limit = Infinity, ...options } = {}) => {
    const { after = 0 } = options
    const problem = Input.problemOfNumbers({ after, limit }) ?? Input.problemOfQuery("", options)
    if (problem !== undefined) return Stream.fail(problem)
    const queries = [query(set, options)]
    const read =
      (end: number): Pages.Reader<{ readonly after: number; readonly left: number }> =>
      ({ after, left }, size) =>
        left <= 0 ? Effect.succeed([[], undefined]) : Effect.map(
          driver.readLog({ after, limit: Math.min(left, size), queries }),
          ({ events, upTo }) => {
            const page = upTo <= end ? events : events.filter(({ position }) => position <= end)
            return [
              page,
              upTo > after && upTo < end ? { after: upTo, left: left - page.length } : undefined
            ]
          }
        )
    return Stream.unwrap(
      Effect.map(driver.head, (end) => Pages.stream(driver, set, read(end), { after, left: limit }))
    )
  },
  subscribe: (set, options = {}) => {
    const { after = 0 } = options
    const problem = Input.problemOfNumbers({ after }) ?? Input.problemOfQuery("", options)
    if (problem !== undefined) return Stream.fail(problem)
    const queries = [query(set, options)]
    const read: Pages.Reader<number> = (after, size) =>
      Effect.suspend(() => {
        // Asked for before reading, so that a commit in between is not missed.
        const appended = changed()
        return Effect.flatMap(driver.readLog({ after, limit: size, queries }), ({ events, upTo }) =>
          Effect.as(
            upTo > after ? Effect.void : appended,
            [events, upTo] as const
          ))
      })
    return Pages.stream(driver, set, read, after)
  }
})

const query = (set: Event.Set<any>, { streamPrefix, tags }: LogOptions): Query => ({
  types: set.types,
  ...(streamPrefix === undefined ? {} : { streamPrefix }),
  ...(tags === undefined ? {} : { tags })
})
