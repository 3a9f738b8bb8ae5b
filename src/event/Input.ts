// Bad input, named by what and where. Not public.
import type { Append, Query } from "./EventStoreDriver.ts"
import { EventStoreError, InvalidInput } from "./EventStoreError.ts"

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

/** The longest name of a stream, an event id or a tag, in characters. */
export const maxNameLength = 255

/** The largest event, in characters of its JSON text. */
export const maxEventLength = 1_048_576

/** The error of bad input. */
export const error = (at: string, problem: string): EventStoreError =>
  new EventStoreError({ reason: new InvalidInput({ at, problem }) })

const isName = (name: unknown): boolean =>
  typeof name === "string" && name.length > 0 && name.length <= maxNameLength && name.isWellFormed() &&
  !name.includes("\0")

/** What is wrong with a name of a stream, an event or a tag, if anything is. */
export const problemOfName = (at: string, name: unknown): EventStoreError | undefined =>
  isName(name) ? undefined : whyNoName(at, name)

const whyNoName = (at: string, name: unknown): EventStoreError =>
  typeof name !== "string"
    ? error(at, `must be a text, not ${name === null ? "null" : typeof name}`)
    : name.length === 0
    ? error(at, "must not be empty")
    : name.length > maxNameLength
    ? error(at, `has ${name.length} characters, more than ${maxNameLength}`)
    : !name.isWellFormed()
    ? error(at, `${JSON.stringify(name)} holds half of a surrogate pair`)
    : error(at, `${JSON.stringify(name)} holds a NUL character`)

const problemOfNames = (at: string, names: unknown): EventStoreError | undefined => {
  if (!Array.isArray(names)) return error(at, "must be a list of texts")
  const bad = names.findIndex((name) => !isName(name))
  return bad === -1 ? undefined : whyNoName(`${at}[${bad}]`, names[bad])
}

/** What is wrong with what is asked of the log, if anything is; `at` goes before the names of its parts. */
export const problemOfQuery = (
  at: string,
  { streamPrefix, tags, types }: Query
): EventStoreError | undefined =>
  (streamPrefix === undefined || streamPrefix === ""
    ? undefined
    : problemOfName(`${at}streamPrefix`, streamPrefix)) ??
    (types === undefined ? undefined : problemOfNames(`${at}types`, types)) ??
    (tags === undefined ? undefined : problemOfNames(`${at}tags`, tags))

const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0

/** What is wrong with where to read, if anything is. */
export const problemOfNumbers = (
  options: ReadOptions & { readonly after?: number | undefined }
): EventStoreError | undefined => {
  for (const at of ["after", "from", "limit", "atRevision"] as const) {
    const n = options[at]
    if (n !== undefined && !isCount(n) && !(at === "limit" && n === Infinity)) {
      return error(at, `must be a whole number from 0 on, not ${n}`)
    }
  }
  if (options.atTime !== undefined && Number.isNaN(Number(options.atTime))) {
    return error("atTime", `is not a time: ${options.atTime}`)
  }
  if (
    options.direction !== undefined && options.direction !== "forwards" && options.direction !== "backwards"
  ) {
    return error("direction", `must be "forwards" or "backwards", not ${JSON.stringify(options.direction)}`)
  }
}

/** What is wrong with an append, if anything is. */
export const problemOf = ({ condition, streams }: Append): EventStoreError | undefined => {
  if (streams.length === 0) return error("writes", "must name at least one stream")
  const ids = streams.length > 1 || streams[0]!.events.length > 1 ? new Set<string>() : undefined
  for (let i = 0; i < streams.length; i++) {
    const { events, expected, stream } = streams[i]!
    if (!isName(stream)) return whyNoName(`writes[${i}].stream`, stream)
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
      const { data, id, metadata, tags, type } = events[j]!
      const at = () => `writes[${i}].events[${j}]`
      if (!isName(type)) return whyNoName(`${at()}.type`, type)
      if (!Array.isArray(tags) || !tags.every(isName)) return problemOfNames(`${at()}.tags`, tags)
      const length = data.length + metadata.length
      if (length > maxEventLength) {
        return error(
          at(),
          `event "${type}" has ${length} characters of JSON, more than ${maxEventLength}`
        )
      }
      if (id === undefined) continue
      if (!isName(id)) return whyNoName(`${at()}.id`, id)
      if (ids?.has(id)) return error(`${at()}.id`, `the id "${id}" is used twice`)
      ids?.add(id)
    }
  }
  if (condition === undefined) return
  if (!isCount(condition.after)) {
    return error("condition.after", `must be a position from 0 on, not ${condition.after}`)
  }
  if (condition.queries.length === 0) return error("condition.query", "must hold at least one query")
  for (const [i, query] of condition.queries.entries()) {
    const at = `condition.query[${i}]`
    if (typeof query !== "object" || query === null) {
      return error(at, `is not a query: ${JSON.stringify(query)}`)
    }
    const problem = problemOfQuery(`${at}.`, query)
    if (problem !== undefined) return problem
  }
}
