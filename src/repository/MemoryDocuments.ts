// Documents in memory: the twin of the document stores on databases. Not public; `Memory.layer` provides it.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { WriteInline } from "../event/MemoryEvents.ts"
import { EventStoreError, Unavailable } from "../event/EventStoreError.ts"
import * as Conditions from "./Conditions.ts"
import {
  type Collection,
  type DocumentStore,
  isExpired,
  plan,
  type Planned,
  type Selection,
  type StoredDocument,
  type Write
} from "./DocumentStore.ts"
import { DocumentStoreError, type VersionConflict } from "./DocumentStoreError.ts"

/** A document store, and how the event store beside it writes documents. */
export interface MemoryDocuments {
  readonly documents: DocumentStore
  readonly writeInline: WriteInline
}

/** Documents in memory, none at first, beside the event store with this name. */
export const make = (log: string): MemoryDocuments => {
  const name = "memory"
  const collections = new Map<string, Map<string, Conditions.Parsed>>()
  const find = (collection: Collection) => collections.get(collection.name.toLowerCase())
  const findOrAdd = (collection: Collection) => {
    const found = find(collection)
    if (found !== undefined) return found
    const added = new Map<string, Conditions.Parsed>()
    collections.set(collection.name.toLowerCase(), added)
    return added
  }

  const get = (collection: Collection, ids: ReadonlyArray<string>, now: number) =>
    ids.map((id) => {
      const document = find(collection)?.get(id)?.document
      return document === undefined || isExpired(document, now) ? undefined : document
    })

  const commit = (
    writes: ReadonlyArray<Write>,
    now: number
  ): Result.Result<ReadonlyArray<number>, VersionConflict> =>
    Result.map(
      plan(writes, ({ collection, id }) => find(collection)?.get(id)?.document, now),
      (planned) => {
        // Parsed before anything is changed, since that can fail.
        const parsed = planned.map(({ after, before }) =>
          after === undefined || after === before ? undefined : parse(after)
        )
        planned.forEach((one, i) => apply(one, parsed[i]))
        return planned.map(({ after }) => after?.version ?? 0)
      }
    )

  const apply = ({ after, write }: Planned, parsed: Conditions.Parsed | undefined) => {
    if (parsed !== undefined) findOrAdd(write.collection).set(write.id, parsed)
    else if (after === undefined) find(write.collection)?.delete(write.id)
  }

  const select = (
    collection: Collection,
    { deleted, where }: Pick<Selection, "deleted" | "where">,
    now: number
  ) => {
    const holds = where === undefined ? () => true : Conditions.test(where)
    return [...find(collection)?.values() ?? []].filter((parsed) =>
      !isExpired(parsed.document, now) &&
      (deleted === "with" || (parsed.document.deletedAt !== undefined) === (deleted === "only")) &&
      holds(parsed)
    )
  }

  const atNow = <A>(f: (now: number) => A) => Effect.map(Clock.currentTimeMillis, f)
  return {
    writeInline: (inline, events, before, now) => {
      try {
        const read = inline.read(events).map(({ collection, ids }) => get(collection, ids, now))
        const committed = commit(inline.write(events, read, before), now)
        return Result.isFailure(committed) ? unavailable(name, committed.failure) : undefined
      } catch (error) {
        if (error instanceof EventStoreError) return error
        throw error
      }
    },
    documents: {
      name,
      transactional: true,
      log,
      commit: (writes) =>
        Effect.flatMap(
          atNow((now) => commit(writes, now)),
          (committed) =>
            Result.isSuccess(committed)
              ? Effect.succeed(committed.success)
              : Effect.fail(new DocumentStoreError({ reason: committed.failure }))
        ),
      get: (collection, ids) => atNow((now) => get(collection, ids, now)),
      find: (collection, selection) =>
        atNow((now) =>
          select(collection, selection, now)
            .toSorted(Conditions.order(selection.sort))
            .slice(selection.offset, selection.offset + selection.limit)
            .map(({ document }) => document)
        ),
      count: (collection, selection) => atNow((now) => select(collection, selection, now).length),
      clearExpired: (collection) =>
        atNow((now) => {
          const documents = find(collection)
          const expired = [...documents?.values() ?? []].filter(({ document }) => isExpired(document, now))
          for (const { document } of expired) documents?.delete(document.id)
          return expired.length
        }),
      drop: (collection) => Effect.sync(() => void collections.delete(collection.name.toLowerCase()))
    }
  }
}

const parse = (document: StoredDocument): Conditions.Parsed => ({ document, data: JSON.parse(document.data) })

const unavailable = (store: string, conflict: VersionConflict) =>
  new EventStoreError({ reason: new Unavailable({ store, problem: conflict.message }) })
