// Streams whose events are held back, as documents. Not public.
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import type { StoredEvent } from "../event/EventStoreDriver.ts"
import type { Collection, Condition, DocumentStore, Write } from "../repository/DocumentStore.ts"
import { maxIdLength } from "../repository/DocumentStore.ts"
import { DocumentStoreError, Unreadable } from "../repository/DocumentStoreError.ts"

const schema = Schema.Struct({
  subscription: Schema.String,
  shard: Schema.Number,
  stream: Schema.String,
  revision: Schema.Number,
  position: Schema.Number,
  last: Schema.Number,
  count: Schema.Number,
  error: Schema.String,
  since: Schema.Number
})

/** A stream whose events are held back since one of them could not be handled. */
export interface Parked {
  readonly stream: string
  readonly shard: number
  /** The event that could not be handled, by its place in the stream and in the log. */
  readonly revision: number
  readonly position: number
  /** The position of the newest event that is held back. */
  readonly last: number
  /** How many events are held back, the one that could not be handled among them. */
  readonly count: number
  readonly error: string
  /** Since when, in milliseconds since 1970 UTC. */
  readonly since: number
}

const subscription = { name: "subscription", kind: "text" } as const
const shardField = { name: "shard", kind: "number" } as const

export const collection: Collection = { name: "dunnock_parked", indexes: [subscription] }

/** The id of the document of a stream; where that would be too long, of its beginning and four hashes. */
export const idOf = (name: string, stream: string): string => {
  const id = `${name}/${stream}`
  if (id.length <= maxIdLength) return id
  const hashes = [1, 2, 3, 4].map((seed) => {
    let hash = seed * 0x9e3779b1
    for (let i = 0; i < stream.length; i++) {
      hash = Math.imul(hash ^ stream.charCodeAt(i), 0x85ebca6b)
      hash ^= hash >>> 13
    }
    return (hash >>> 0).toString(16).padStart(8, "0")
  })
  return `${id.slice(0, maxIdLength - 33).replace(/[\uD800-\uDBFF]$/, "")}#${hashes.join("")}`
}

export const put = (name: string, parked: Parked): Write => ({
  op: "put",
  collection,
  id: idOf(name, parked.stream),
  expected: "any",
  data: JSON.stringify({ subscription: name, ...parked }),
  position: parked.position,
  expiresAt: undefined
})

export const remove = (name: string, stream: string): Write => ({
  op: "remove",
  collection,
  id: idOf(name, stream),
  expected: "any"
})

const decode = SchemaParser.decodeUnknownSync(schema)

const parse = (
  { data, id, version }: { readonly data: string; readonly id: string; readonly version: number }
) =>
  Effect.suspend(() => {
    try {
      const { subscription: _, ...parked } = decode(JSON.parse(data))
      return Effect.succeed<Parked>(parked)
    } catch (error) {
      const issue = error instanceof Error ? error.message : String(error)
      const reason = new Unreadable({ collection: collection.name, id, version, issue })
      return Effect.fail(new DocumentStoreError({ reason }))
    }
  })

const where = (name: string, shard: number | undefined): Condition => ({
  op: "and",
  conditions: [
    { op: "eq", field: subscription, value: name },
    ...shard === undefined ? [] : [{ op: "eq", field: shardField, value: shard } as const]
  ]
})

/** A page of what is parked, by the names of the streams. */
export const list = (
  documents: DocumentStore,
  name: string,
  page: { readonly shard?: number; readonly offset: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<Parked>, DocumentStoreError> =>
  Effect.flatMap(
    documents.find(collection, {
      where: where(name, page.shard),
      sort: [{ field: { name: "$id", kind: "text" }, direction: "asc" }],
      deleted: "without",
      limit: page.limit,
      offset: page.offset
    }),
    (found) => Effect.forEach(found, parse)
  )

export const get = (
  documents: DocumentStore,
  name: string,
  stream: string
): Effect.Effect<Parked | undefined, DocumentStoreError> =>
  Effect.flatMap(
    documents.get(collection, [idOf(name, stream)]),
    ([found]) => found === undefined ? Effect.undefined : parse(found)
  )

/** How many streams of a shard are parked. */
export const count = (
  documents: DocumentStore,
  name: string,
  shard: number
): Effect.Effect<number, DocumentStoreError> =>
  documents.count(collection, { where: where(name, shard), deleted: "without" })

/** Everything that is parked of a shard. */
export const all = (
  documents: DocumentStore,
  name: string,
  shard: number
): Effect.Effect<ReadonlyArray<Parked>, DocumentStoreError> => {
  const limit = 1_000
  const from = (offset: number): Effect.Effect<ReadonlyArray<Parked>, DocumentStoreError> =>
    Effect.flatMap(
      list(documents, name, { shard, offset, limit }),
      (page) =>
        page.length < limit
          ? Effect.succeed(page)
          : Effect.map(from(offset + limit), (rest) => [...page, ...rest])
    )
  return from(0)
}

/** What is parked of a shard while it is owned, and what of it is still to be written. */
export interface Parking {
  readonly size: () => number
  readonly get: (stream: string) => Parked | undefined
  /** The stream is held back from this event on. */
  readonly park: (event: StoredEvent, error: string, since: number) => void
  /** Whether an event is held back, since its stream is parked; it is then counted, once. */
  readonly holds: (event: StoredEvent) => boolean
  /** So many parked events have been handled, this one the last of them; what is left begins after it. */
  readonly passed: (last: StoredEvent, handled: number) => void
  readonly unpark: (stream: string) => void
  /** The writes that are due, until `written` is called. */
  readonly due: () => { readonly writes: ReadonlyArray<Write>; readonly written: () => void }
}

export const make = (name: string, shard: number, found: ReadonlyArray<Parked>): Parking => {
  const parked = new Map(found.map((one) => [one.stream, one]))
  const dirty = new Set<string>()
  const set = (one: Parked) => {
    parked.set(one.stream, one)
    dirty.add(one.stream)
  }
  return {
    size: () => parked.size,
    get: (stream) => parked.get(stream),
    park: ({ position, revision, stream }, error, since) => {
      const { count = 1, last = position } = parked.get(stream) ?? {}
      set({ stream, shard, revision, position, last, count, error, since })
    },
    holds: ({ position, stream }) => {
      const one = parked.get(stream)
      if (one === undefined || position < one.position) return false
      if (position > one.last) set({ ...one, last: position, count: one.count + 1 })
      return true
    },
    passed: ({ position, revision, stream }, handled) => {
      const one = parked.get(stream)
      if (one === undefined) return
      const count = Math.max(one.count - handled, 0)
      set({ ...one, position: position + 1, revision: revision + 1, count })
    },
    unpark: (stream) => {
      if (parked.delete(stream)) dirty.add(stream)
    },
    due: () => {
      const taken = [...dirty].map((stream) => [stream, parked.get(stream)] as const)
      return {
        writes: taken.map(([stream, one]) => one === undefined ? remove(name, stream) : put(name, one)),
        written: () => {
          for (const [stream, one] of taken) if (parked.get(stream) === one) dirty.delete(stream)
        }
      }
    }
  }
}
