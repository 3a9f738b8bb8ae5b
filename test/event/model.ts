/**
 * What an event store is, said once more in the plainest way: a list of events. It shares nothing with the store but
 * the names of its options, and is what every adapter is compared with.
 */
import type { EventStore } from "dunnock"

/** An event of the list. */
export interface Entry {
  readonly id: string
  readonly stream: string
  readonly revision: number
  readonly position: number
  readonly type: string
  readonly n: number
  readonly tags: ReadonlyArray<string>
  readonly recordedAt: number
}

export interface NewEntry {
  readonly type: string
  readonly n: number
  readonly tags: ReadonlyArray<string>
}

export interface Write {
  readonly stream: string
  readonly expected: EventStore.Expected
  readonly events: ReadonlyArray<NewEntry>
  readonly ids: ReadonlyArray<string> | undefined
}

export interface Append {
  readonly writes: ReadonlyArray<Write>
  readonly condition:
    | { readonly queries: ReadonlyArray<EventStore.Query>; readonly after: number }
    | undefined
}

/** What comes of an append: receipts, or the reason and those it may name. */
export type Outcome =
  | { readonly receipts: ReadonlyArray<EventStore.Receipt> }
  | { readonly conflict: string; readonly actual: number }
  | { readonly duplicates: ReadonlyArray<Entry> }
  | { readonly reserved: string }
  | { readonly matching: ReadonlyArray<Entry> }

const asExpected = (expected: EventStore.Expected, revision: number): boolean => {
  switch (expected) {
    case "any":
      return true
    case "none":
      return revision === 0
    case "exists":
      return revision >= 1
    default:
      return revision === expected
  }
}

const matchesAll = (entry: Entry, { streamPrefix, tags, types }: EventStore.Query): boolean => {
  if (streamPrefix !== undefined && entry.stream.indexOf(streamPrefix) !== 0) return false
  if (types !== undefined && types.indexOf(entry.type) === -1) return false
  for (const tag of tags ?? []) if (entry.tags.indexOf(tag) === -1) return false
  return true
}

/** The entries with these ids, if they stand side by side in the stream, and it was as expected before them. */
const writtenBefore = (log: ReadonlyArray<Entry>, { expected, ids, stream }: Write) => {
  const found = (ids ?? []).map((id) => log.find((entry) => entry.id === id))
  const first = found[0]
  if (first === undefined || !asExpected(expected, first.revision - 1)) return undefined
  const sideBySide = found.every((entry, i) =>
    entry?.stream === stream && entry.revision === first.revision + i
  )
  return sideBySide ? found as ReadonlyArray<Entry> : undefined
}

/** Appends to the list if it may be, at a time. */
export const append = (
  log: Array<Entry>,
  store: string,
  now: number,
  { condition, writes }: Append
): Outcome => {
  const ids = writes.flatMap(({ ids }) => ids ?? [])
  const duplicates = log.filter(({ id }) => ids.includes(id))
  if (duplicates.length > 0) {
    const before = writes.map((write) => writtenBefore(log, write)?.at(-1))
    if (before.some((last) => last === undefined)) return { duplicates }
    return { receipts: before.map((last) => receipt(last!)) }
  }
  // of the form of the ids that the store gives, but not the id of any event
  const reserved = ids.find((id) => id.startsWith(`${store}:`))
  if (reserved !== undefined) return { reserved }
  for (const { expected, stream } of writes) {
    const actual = log.filter((entry) => entry.stream === stream).length
    if (!asExpected(expected, actual)) return { conflict: stream, actual }
  }
  if (condition !== undefined) {
    const later = log.filter(({ position }) => position > condition.after)
    const matching = later.filter((entry) => condition.queries.some((query) => matchesAll(entry, query)))
    if (matching.length > 0) return { matching }
  }
  const recordedAt = Math.max(now, ...log.map((entry) => entry.recordedAt))
  const receipts: Array<EventStore.Receipt> = []
  for (const { events, ids, stream } of writes) {
    events.forEach((event, i) => {
      const position = log.length + 1
      const revision = log.filter((entry) => entry.stream === stream).length + 1
      log.push({ ...event, id: ids?.[i] ?? `${store}:${position}`, stream, revision, position, recordedAt })
    })
    receipts.push(receipt(log.at(-1)!))
  }
  return { receipts }
}

const receipt = ({ position, revision, stream }: Entry): EventStore.Receipt => ({
  stream,
  revision,
  position
})

/** What reading a stream gives. */
export const read = (
  log: ReadonlyArray<Entry>,
  stream: string,
  { atRevision, atTime, direction, from, limit }: EventStore.ReadOptions
): ReadonlyArray<Entry> => {
  let found = log.filter((entry) => entry.stream === stream)
  if (atRevision !== undefined) found = found.filter(({ revision }) => revision <= atRevision)
  if (atTime !== undefined) found = found.filter(({ recordedAt }) => new Date(recordedAt) <= new Date(atTime))
  if (direction === "backwards") found.reverse()
  if (from !== undefined) {
    found = found.filter(({ revision }) => direction === "backwards" ? revision <= from : revision >= from)
  }
  return limit === undefined ? found : found.slice(0, limit)
}

/** What reading the log, or subscribing to it, gives. */
export const readLog = (
  log: ReadonlyArray<Entry>,
  types: ReadonlyArray<string>,
  { after = 0, limit, ...query }: EventStore.LogOptions & { readonly limit?: number }
): ReadonlyArray<Entry> => {
  const found = log.filter((entry) => entry.position > after && matchesAll(entry, { types, ...query }))
  return limit === undefined ? found : found.slice(0, limit)
}
