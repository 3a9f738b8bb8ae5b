// What can be asked of documents of one schema, wherever they are kept. Public as part of Repository and Projection.
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type {
  Collection,
  DocumentStore,
  Selection as StoreSelection,
  StoredDocument
} from "./DocumentStore.ts"
import { DocumentStoreError } from "./DocumentStoreError.ts"
import type { Model } from "./Model.ts"
import { type Sort, toCondition, toSort, type Where } from "./Where.ts"

/** A document. Times are milliseconds since 1970 UTC. */
export interface Document<out A> {
  readonly id: string
  /** 1 when it is first written, and one more with every change, a soft deletion among them. */
  readonly version: number
  readonly value: A
  /** The position of the newest event that it reflects; 0 if it is not made of events. */
  readonly position: number
  readonly createdAt: number
  readonly updatedAt: number
  /** When it was deleted softly; undefined if it was not. */
  readonly deletedAt: number | undefined
  /** From when on it is as good as absent, if ever. */
  readonly expiresAt: number | undefined
}

/** Documents that were deleted softly: left out (the default), found like the others, or found alone. */
export interface Deleted {
  readonly deleted?: "without" | "with" | "only"
}

/** Which documents. All of them, when empty. */
export interface Filter<A, E> extends Deleted {
  readonly where?: Where<A, E>
}

/** Which documents, and in which order. By their ids, when it is not said. */
export interface Selection<A, E> extends Filter<A, E> {
  readonly sort?: Sort<A, E>
  /** At most so many. */
  readonly limit?: number
  /** Without the first so many. */
  readonly offset?: number
}

/** A part of what is found. */
export interface Page<out A> {
  readonly documents: ReadonlyArray<Document<A>>
  /** How many documents there are on all pages. */
  readonly total: number
}

/**
 * What can be asked of documents of type `A`, which are stored as `E`. Fails with the reason `InvalidInput` when a
 * condition makes no sense, with `Unreadable` when a stored document does not fit the schema, or with `Unavailable`.
 */
export interface Queries<in out A, in out E, out Error = DocumentStoreError, out R = never> {
  /** The document with an id; none if it is absent, or, unless asked for, deleted softly. */
  readonly get: (id: string, options?: Deleted) => Effect.Effect<Option.Option<Document<A>>, Error, R>
  /** The documents with these ids, in their order. Those that are absent are left out. */
  readonly getMany: (
    ids: ReadonlyArray<string>,
    options?: Deleted
  ) => Effect.Effect<ReadonlyArray<Document<A>>, Error, R>
  /** The documents of a selection, all in memory: for many there is `stream`. */
  readonly find: (selection?: Selection<A, E>) => Effect.Effect<ReadonlyArray<Document<A>>, Error, R>
  /** The first document of a selection. */
  readonly findFirst: (selection?: Selection<A, E>) => Effect.Effect<Option.Option<Document<A>>, Error, R>
  /** A page, and how many documents there are on all pages. Both are asked for one after the other. */
  readonly page: (
    selection: Selection<A, E> & { readonly limit: number }
  ) => Effect.Effect<Page<A>, Error, R>
  readonly count: (filter?: Filter<A, E>) => Effect.Effect<number, Error, R>
  /** Whether there is such a document. */
  readonly exists: (filter?: Filter<A, E>) => Effect.Effect<boolean, Error, R>
  /**
   * Documents by the order of their ids, page by page in constant memory. What is written meanwhile is given if its id is
   * yet to come.
   */
  readonly stream: (filter?: Filter<A, E>) => Stream.Stream<Document<A>, Error, R>
}

/** Runs something on the store and the collection where the documents are now. */
export type Run<out Error, out R> = <B, E2>(
  body: (documents: DocumentStore, collection: Collection) => Effect.Effect<B, E2>
) => Effect.Effect<B, Error | E2, R>

const pageSize = 256

export const make = <A, E, Error, R>(
  model: Model<A>,
  run: Run<Error, R>
): Queries<A, E, Error | DocumentStoreError, R> => {
  const decode = (collection: Collection, stored: ReadonlyArray<StoredDocument>) =>
    Effect.fromResult(Result.all(stored.map((one) => model.decode(collection.name, one))))

  const toFilter = ({ deleted = "without", where }: Filter<A, E>) => ({
    deleted,
    where: where === undefined ? undefined : toCondition(model, "where", where)
  })
  const toSelection = (
    { limit = Number.MAX_SAFE_INTEGER, offset = 0, sort = {}, ...filter }: Selection<A, E>
  ): StoreSelection => ({ ...toFilter(filter), sort: toSort(model, sort), limit, offset })

  const getMany: Queries<A, E, Error | DocumentStoreError, R>["getMany"] = (
    ids,
    { deleted = "without" } = {}
  ) =>
    run((documents, collection) =>
      Effect.flatMap(documents.get(collection, ids), (found) =>
        decode(
          collection,
          found.filter((one): one is StoredDocument =>
            one !== undefined &&
            (deleted === "with" || (one.deletedAt !== undefined) === (deleted === "only"))
          )
        ))
    )

  const find = (selection: Selection<A, E> = {}) =>
    run((documents, collection) =>
      checked(() =>
        Effect.flatMap(
          documents.find(collection, toSelection(selection)),
          (found) => decode(collection, found)
        )
      )
    )

  const count = (filter: Filter<A, E> = {}) =>
    run((documents, collection) => checked(() => documents.count(collection, toFilter(filter))))

  return {
    get: (id, options) =>
      Effect.map(getMany([id], options), ([document]) => Option.fromUndefinedOr(document)),
    getMany,
    find,
    findFirst: (selection = {}) =>
      Effect.map(find({ ...selection, limit: 1 }), ([document]) => Option.fromUndefinedOr(document)),
    page: (selection) =>
      Effect.gen(function* () {
        const documents = yield* find(selection)
        return { documents, total: yield* count(selection) }
      }),
    count,
    exists: (filter = {}) =>
      Effect.map(
        run((documents, collection) =>
          checked(() => documents.find(collection, toSelection({ ...filter, limit: 1 })))
        ),
        ({ length }) => length > 0
      ),
    stream: (filter = {}) =>
      Stream.paginate("", (after) =>
        run((documents, collection) =>
          checked(() => {
            const selection = toSelection({ ...filter, limit: pageSize })
            const found = documents.find(collection, after === "" ? selection : behind(selection, after))
            return Effect.flatMap(found, (page) =>
              Effect.map(decode(collection, page), (decoded) =>
                [
                  decoded,
                  page.length < pageSize ? Option.none<string>() : Option.some(page[page.length - 1]!.id)
                ] as const))
          })
        ))
  }
}

/** The part of a selection, sorted by ids, that comes behind an id. */
const behind = ({ where, ...rest }: StoreSelection, id: string): StoreSelection => {
  const behind = { op: "gt", field: { name: "$id", kind: "text" }, value: id } as const
  return { ...rest, where: where === undefined ? behind : { op: "and", conditions: [behind, where] } }
}

/** Runs what may throw the `DocumentStoreError` of bad input before it becomes an effect. */
export const checked = <B, E, R>(
  body: () => Effect.Effect<B, E, R>
): Effect.Effect<B, E | DocumentStoreError, R> =>
  Effect.suspend((): Effect.Effect<B, E | DocumentStoreError, R> => {
    try {
      return body()
    } catch (error) {
      if (error instanceof DocumentStoreError) return Effect.fail(error)
      throw error
    }
  })
