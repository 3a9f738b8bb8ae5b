// How documents are committed: what the SQL document stores share beside their statements.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { EventStoreError, Unavailable } from "../../src/event/EventStoreError.ts"
import type {
  Collection,
  DocumentStore,
  Planned,
  StoredDocument,
  Write
} from "../../src/repository/DocumentStore.ts"
import { DocumentStoreError, type VersionConflict } from "../../src/repository/DocumentStoreError.ts"
import { type Collections, tableOf } from "./Collections.ts"

/** `commit`, given how writes are made once their collections are there. */
export const committing = <E>(
  { using }: Collections<E>,
  commit: (
    writes: ReadonlyArray<Write>,
    now: number
  ) => Effect.Effect<Result.Result<ReadonlyArray<number>, VersionConflict>, E>,
  failing: <A>(effect: Effect.Effect<A, E>) => Effect.Effect<A, DocumentStoreError>
): DocumentStore["commit"] =>
(writes) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const used = idsOf(writes).map(({ collection }) => collection)
    return Effect.flatMap(failing(using(used, commit(writes, now))), (committed) =>
      Result.isSuccess(committed)
        ? Effect.succeed(committed.success)
        : Effect.fail(new DocumentStoreError({ reason: committed.failure })))
  })

/** In the order in which everybody takes locks, so that those who are at the same rows wait for each other, not for ever. */
export const inTableOrder = <A extends { readonly collection: Collection }>(
  all: ReadonlyArray<A>
): ReadonlyArray<A> =>
  all.toSorted((one, other) => tableOf(one.collection) < tableOf(other.collection) ? -1 : 1)

/** The same, within a table. */
export const inIdOrder = <A extends { readonly id: string }>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
  all.toSorted((one, other) => one.id < other.id ? -1 : 1)

/** The ids of writes by collection, in the order of their tables. */
export const idsOf = (
  writes: ReadonlyArray<Write>
): ReadonlyArray<{ readonly collection: Collection; readonly ids: ReadonlyArray<string> }> =>
  inTableOrder(
    grouped(writes, (write) => write).map(([collection, of]) => ({ collection, ids: of.map(({ id }) => id) }))
  )

/** What a commit does with one collection, once it has been planned. */
export interface Changes {
  readonly collection: Collection
  /** Documents to insert or to replace. */
  readonly puts: ReadonlyArray<StoredDocument>
  /** Ids of documents to delete softly. */
  readonly deletes: ReadonlyArray<string>
  /** Ids of documents of which nothing is to be left. */
  readonly removes: ReadonlyArray<string>
}

/**
 * What a commit does, by collection, in the order of their tables.
 *
 * A document that must be absent, and is not put, has no row to lock: where others may insert it before the commit, and
 * `found` tells what is there, it is put and removed again. It is put among the others: of two that need what the other
 * puts to be absent, each would otherwise wait for the other.
 */
export const changesOf = (
  planned: ReadonlyArray<Planned>,
  found?: (write: Write) => StoredDocument | undefined
): ReadonlyArray<Changes> => {
  const isHeld = ({ after, write }: Planned) =>
    write.expected === 0 && after === undefined && found !== undefined && found(write) === undefined
  const changes = planned.filter((one) => one.after !== one.before || isHeld(one))
  return inTableOrder(
    grouped(changes, ({ write }) => write).map(([collection, of]) => ({
      collection,
      puts: of.flatMap((one) =>
        isHeld(one)
          ? [placeholder(one.write.id)]
          : one.write.op === "put" && one.after !== undefined
          ? [one.after]
          : []
      ),
      deletes: of.flatMap((one) => one.write.op === "delete" && !isHeld(one) ? [one.write.id] : []),
      removes: of.flatMap((one) => one.write.op === "remove" || isHeld(one) ? [one.write.id] : [])
    }))
  )
}

/** It has a version that no document has. */
const placeholder = (id: string): StoredDocument => ({
  id,
  version: 0,
  data: "{}",
  position: 0,
  createdAt: 0,
  updatedAt: 0,
  deletedAt: undefined,
  expiresAt: undefined
})

const grouped = <A>(
  all: ReadonlyArray<A>,
  write: (one: A) => Write
): ReadonlyArray<readonly [Collection, ReadonlyArray<A>]> => {
  const groups = new Map<string, [Collection, Array<A>]>()
  let last: [Collection, Array<A>] | undefined
  for (const one of all) {
    const { collection } = write(one)
    if (last?.[0] !== collection) {
      const table = tableOf(collection)
      last = groups.get(table)
      if (last === undefined) groups.set(table, last = [collection, []])
    }
    last[1].push(one)
  }
  return [...groups.values()]
}

/** Runs a function of an inline projection: an error of the event store that it throws is that of the append. */
export const attempt = <A>(f: () => A): Effect.Effect<A, EventStoreError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(f())
    } catch (error) {
      return error instanceof EventStoreError ? Effect.fail(error) : Effect.die(error)
    }
  })

/** The error of an append beside which documents were not as the inline projection expected them. */
export const notInline = (store: string, { message: problem }: VersionConflict): EventStoreError =>
  new EventStoreError({ reason: new Unavailable({ store, problem }) })
