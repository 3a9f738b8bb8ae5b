// Streams whose events are held back, as documents. Not public.
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { StoredEvent } from "../event/EventStoreDriver.ts"
import type {
  Collection,
  Condition,
  DocumentStore,
  StoredDocument,
  Write
} from "../repository/DocumentStore.ts"
import { maxIdLength } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Parsing from "./Parsing.ts"

/** What of a parked stream changes while events are held back. */
export interface Held {
  /** The event that could not be handled, by its place in the stream and in the log. */
  readonly revision: number
  readonly position: number
  /** The position of the newest event that is held back. */
  readonly last: number
  /** How many events are held back, the one that could not be handled among them. */
  readonly count: number
}

/** Why a stream is parked. */
interface Why {
  readonly error: string
  /** Since when, in milliseconds since 1970 UTC. */
  readonly since: number
}

/** A stream whose events are held back since one of them could not be handled. */
export interface Parked extends Held, Why {
  readonly stream: string
  readonly shard: number
}

const heldSchema = Schema.Struct({
  subscription: Schema.String,
  shard: Schema.Number,
  stream: Schema.String,
  revision: Schema.Number,
  position: Schema.Number,
  last: Schema.Number,
  count: Schema.Number
})

const whySchema = Schema.Struct({ error: Schema.String, since: Schema.Number })

const subscription = { name: "subscription", kind: "text" } as const
const shardField = { name: "shard", kind: "number" } as const
const idField = { name: "$id", kind: "text" } as const

export const collection: Collection = { name: "dunnock_parked", indexes: [subscription, shardField] }

/** The errors are kept apart: they are long, and what works on the shard has no need of them. */
const errors: Collection = { name: "dunnock_parked_errors", indexes: [] }

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

const putting = (collection: Collection, id: string, position: number, data: object): Write => ({
  op: "put",
  collection,
  id,
  expected: "any",
  data: JSON.stringify(data),
  position,
  expiresAt: undefined
})

/** Without transactions they are written one by one: a stream is not parked without its error. */
const put = (name: string, shard: number, stream: string, held: Held, why: Why | undefined): Array<Write> => {
  const id = idOf(name, stream)
  const write = putting(collection, id, held.position, { subscription: name, shard, stream, ...held })
  return why === undefined ? [write] : [putting(errors, id, held.position, why), write]
}

const remove = (name: string, stream: string): Array<Write> =>
  [collection, errors].map((collection) => ({
    op: "remove",
    collection,
    id: idOf(name, stream),
    expected: "any"
  }))

const parse = Parsing.make(collection, heldSchema)
const parseWhy = Parsing.make(errors, whySchema)

/** What is parked by these documents, with the errors. */
const withErrors = (
  documents: DocumentStore,
  found: ReadonlyArray<StoredDocument>
): Effect.Effect<ReadonlyArray<Parked>, DocumentStoreError> =>
  Effect.flatMap(
    documents.get(errors, found.map(({ id }) => id)),
    (whys) =>
      Effect.forEach(found, (one, i) => {
        const why = whys[i]
        return Effect.zipWith(
          parse(one),
          // It has just been unparked.
          why === undefined ? Effect.succeed({ error: "", since: one.createdAt }) : parseWhy(why),
          ({ subscription: _, ...held }, why): Parked => ({ ...held, ...why })
        )
      })
  )

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
  page: { readonly offset: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<Parked>, DocumentStoreError> =>
  Effect.flatMap(
    documents.find(collection, {
      where: where(name, undefined),
      sort: [{ field: idField, direction: "asc" }],
      deleted: "without",
      ...page
    }),
    (found) => withErrors(documents, found)
  )

export const get = (
  documents: DocumentStore,
  name: string,
  stream: string
): Effect.Effect<Parked | undefined, DocumentStoreError> =>
  Effect.flatMap(
    documents.get(collection, [idOf(name, stream)]),
    ([found]) =>
      found === undefined
        ? Effect.undefined
        : Effect.map(withErrors(documents, [found]), ([parked]) => parked)
  )

/** How many streams of a shard are parked. */
export const count = (
  documents: DocumentStore,
  name: string,
  shard: number
): Effect.Effect<number, DocumentStoreError> =>
  documents.count(collection, { where: where(name, shard), deleted: "without" })

const pageSize = 1_000

/** Everything that is parked of a shard, by stream. */
export const all = (
  documents: DocumentStore,
  name: string,
  shard: number
): Effect.Effect<Map<string, Held>, DocumentStoreError> =>
  Effect.gen(function* () {
    const parked = new Map<string, Held>()
    for (let after = "", isMore = true; isMore;) {
      const page = yield* documents.find(collection, {
        where: {
          op: "and",
          conditions: [where(name, shard), { op: "gt", field: idField, value: after }]
        },
        sort: [{ field: idField, direction: "asc" }],
        deleted: "without",
        limit: pageSize,
        offset: 0
      })
      for (const one of page) {
        const { count, last, position, revision, stream } = yield* parse(one)
        parked.set(stream, { revision, position, last, count })
        after = one.id
      }
      isMore = page.length === pageSize
    }
    return parked
  })

/** What is parked of a shard while it is owned, and what of it is still to be written. */
export interface Parking {
  readonly size: () => number
  readonly get: (stream: string) => Held | undefined
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

export const make = (name: string, shard: number, parked: Map<string, Held>): Parking => {
  const dirty = new Set<string>()
  /** The errors that are still to be written. */
  const whys = new Map<string, Why>()
  const set = (stream: string, held: Held) => {
    parked.set(stream, held)
    dirty.add(stream)
  }
  return {
    size: () => parked.size,
    get: (stream) => parked.get(stream),
    park: ({ position, revision, stream }, error, since) => {
      const { count = 1, last = position } = parked.get(stream) ?? {}
      set(stream, { revision, position, last, count })
      whys.set(stream, { error, since })
    },
    holds: ({ position, stream }) => {
      const one = parked.get(stream)
      if (one === undefined || position < one.position) return false
      if (position > one.last) set(stream, { ...one, last: position, count: one.count + 1 })
      return true
    },
    passed: ({ position, revision, stream }, handled) => {
      const one = parked.get(stream)
      if (one === undefined) return
      const count = Math.max(one.count - handled, 0)
      set(stream, { ...one, position: position + 1, revision: revision + 1, count })
    },
    unpark: (stream) => {
      whys.delete(stream)
      if (parked.delete(stream)) dirty.add(stream)
    },
    due: () => {
      const taken = [...dirty].map((stream) => [stream, parked.get(stream), whys.get(stream)] as const)
      return {
        writes: taken.flatMap(([stream, held, why]) =>
          held === undefined ? remove(name, stream) : put(name, shard, stream, held, why)
        ),
        written: () => {
          for (const [stream, held, why] of taken) {
            if (parked.get(stream) === held) dirty.delete(stream)
            if (whys.get(stream) === why) whys.delete(stream)
          }
        }
      }
    }
  }
}
