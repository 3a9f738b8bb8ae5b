// The collections of a SQL document store: the names of their tables and indexes, and how they come into being.
import * as Effect from "effect/Effect"
import type { Collection, Field } from "../../src/repository/DocumentStore.ts"

/** The name of a collection's table; of at most 60 characters, all of them small letters, digits and `_`. */
export const tableOf = ({ name }: Collection): string => `dunnock_doc_${name.toLowerCase()}`

/** A statement that reads nothing of a collection, and fails if it is not there. */
export const looking = (collection: Collection): string => `select id from ${tableOf(collection)} where 1 = 0`

/** 64 bits of FNV-1a: the name of a field can be any text, that of an index cannot. */
export const hash = (text: string): string => {
  let bits = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(text)) {
    bits = BigInt.asUintN(64, (bits ^ BigInt(byte)) * 0x100000001b3n)
  }
  return bits.toString(16).padStart(16, "0")
}

/** The name of an index of a collection; it is unique in the database. */
export const indexOf = (collection: Collection, { kind, name }: Field): string =>
  `dunnock_index_${hash(JSON.stringify([tableOf(collection), name, kind]))}`

/** Whether a collection declares an index on a field. */
export const isIndexed = ({ indexes }: Collection, { kind, name }: Field): boolean =>
  indexes.some((index) => index.name === name && index.kind === kind)

/** Which collections this process knows to be there. */
export interface Collections<E> {
  /**
   * Runs an effect that uses collections, which come into being before it if they must, and again if one of them has
   * been dropped meanwhile by somebody else.
   */
  readonly using: <A>(collections: ReadonlyArray<Collection>, use: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Runs an effect that only reads a collection, which does not come into being for that: what is not there is `none`. */
  readonly reading: <A>(collection: Collection, use: Effect.Effect<A, E>, none: A) => Effect.Effect<A, E>
  /** The statements that are to be run before these collections are used; what has been run is `made`. */
  readonly missing: (collections: ReadonlyArray<Collection>) => ReadonlyArray<string>
  readonly made: (collections: ReadonlyArray<Collection>) => void
  /** Looks at all of them anew: one has been dropped, or its creation rolled back. */
  readonly forget: () => void
}

/** The collections of a database, none of them known at first. */
export const make = <E>({ create, isMissing, look, run }: {
  /** What brings a collection into being: `create` of the statements. */
  readonly create: (collection: Collection) => ReadonlyArray<string>
  /** Runs such statements in their order; others may be running them at the same time. */
  readonly run: (statements: ReadonlyArray<string>) => Effect.Effect<unknown, E>
  /** Reads the table of a collection, if only to see whether it is there: {@link looking}. */
  readonly look: (collection: Collection) => Effect.Effect<unknown, E>
  /** Whether an error says that the table of a collection is not there. */
  readonly isMissing: (error: E) => boolean
}): Collections<E> => {
  /** The indexes by table. */
  const known = new Map<string, Set<string>>()
  const keyOf = ({ kind, name }: Field) => `${kind} ${name}`
  const isKnown = (collection: Collection) => {
    const indexes = known.get(tableOf(collection))
    return indexes !== undefined && collection.indexes.every((field) => indexes.has(keyOf(field)))
  }
  const missing = (collections: ReadonlyArray<Collection>) =>
    collections.flatMap((collection) => isKnown(collection) ? [] : create(collection))
  const made = (collections: ReadonlyArray<Collection>) => {
    for (const collection of collections) {
      const table = tableOf(collection)
      const indexes = known.get(table) ?? new Set()
      for (const field of collection.indexes) indexes.add(keyOf(field))
      known.set(table, indexes)
    }
  }
  const forget = () => known.clear()
  const ready = (collections: ReadonlyArray<Collection>): Effect.Effect<void, E> => {
    const statements = missing(collections)
    return statements.length === 0
      ? Effect.void
      : Effect.asVoid(Effect.tap(run(statements), () => Effect.sync(() => made(collections))))
  }
  const using = <A>(collections: ReadonlyArray<Collection>, use: Effect.Effect<A, E>) =>
    Effect.suspend(() => Effect.andThen(ready(collections), use)).pipe(
      Effect.tapError((error) => Effect.sync(() => isMissing(error) && forget())),
      Effect.retry({ times: 3, while: isMissing })
    )
  return {
    missing,
    made,
    forget,
    using,
    reading: (collection, use, none) => {
      const looked = Effect.as(look(collection), true).pipe(
        Effect.catchIf(isMissing, () => Effect.succeed(false)),
        // It is there, but perhaps without an index.
        Effect.flatMap((isThere) => isThere ? using([collection], use) : Effect.succeed(none))
      )
      return Effect.suspend(() =>
        !isKnown(collection) ? looked : Effect.catchIf(use, isMissing, () => {
          forget()
          return looked
        })
      )
    }
  }
}
