/**
 * Repositories: documents of one schema in a named collection, each with an id and a version, with conditions on their
 * fields that the compiler checks.
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Repository } from "dunnock"
 *
 * const Order = Schema.Struct({ customer: Schema.String, total: Schema.Int, paidAt: Schema.NullOr(Schema.Date) })
 *
 * const Orders = Repository.make("orders", { schema: Order, indexes: ["customer", "total"] })
 *
 * const program = Effect.gen(function*() {
 *   yield* Orders.save("o-1", { customer: "ann", total: 120, paidAt: null })
 *   yield* Orders.update("o-1", (order) => ({ ...order, paidAt: new Date() }))
 *   return yield* Orders.page({
 *     where: { customer: "ann", total: { gte: 100, lt: 500 }, paidAt: { isNull: false } },
 *     sort: { total: "desc" },
 *     limit: 20
 *   })
 * })
 * // program.pipe(Effect.provide(Sqlite.layer({ filename: "shop.db" })))
 * ```
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Store from "./DocumentStore.ts"
import type { DocumentStoreError } from "./DocumentStoreError.ts"
import * as Input from "./Input.ts"
import * as Model from "./Model.ts"
import * as Queries from "./Queries.ts"
import { fieldOf, type Indexable } from "./Where.ts"

export type { Deleted, Document, Filter, Page, Selection } from "./Queries.ts"
export type { Equal, Indexable, Nullable, Ordered, Sort, Sortable, Text, Where } from "./Where.ts"

/** What to know of a repository. */
export interface Options<A, E> {
  /** The schema of a document: a struct, a class, or a union of such. It is stored as the JSON the schema encodes it to. */
  readonly schema: Schema.Codec<A, E>
  /** The fields by which documents are found fast. They change nothing else, and may be others the next time. */
  readonly indexes?: ReadonlyArray<NoInfer<Indexable<A, E>>>
  /** How long a document lasts after it was saved, if it is not said with it. For good, when it is not said here either. */
  readonly timeToLive?: Duration.Input
}

/** How a document is changed. */
export interface ChangeOptions {
  /**
   * The version it must have, 0 if it must be absent. Otherwise the reason is `VersionConflict`. Versions begin at 1 again
   * after a document was removed or has expired: the same number may then be of another document.
   */
  readonly expected?: number
}

/** How a document is saved. */
export interface SaveOptions extends ChangeOptions {
  /** From when on it is as good as absent: a Date, or milliseconds since 1970 UTC. */
  readonly expiresAt?: Date | number
  /** The same, counted from now. The next document with the id begins at version 1 again. */
  readonly timeToLive?: Duration.Input
}

/** How a document is updated. */
export interface UpdateOptions {
  /** How often it is read and changed at most when others change it in between. Defaults to 12. */
  readonly attempts?: number
}

/** What a document was updated to. */
export interface Updated<out A> {
  readonly version: number
  readonly value: A
}

const WriteTypeId = "~dunnock/Repository/Write"

/** A change of a document that {@link transaction} makes. */
export interface Write {
  readonly [WriteTypeId]: (now: number) => Store.Write
}

/** The changes of a repository's documents as values, to be made together with others. */
export interface Writes<in A> {
  readonly save: (id: string, value: A, options?: SaveOptions) => Write
  readonly insert: (id: string, value: A, options?: Omit<SaveOptions, "expected">) => Write
  readonly delete: (id: string, options?: ChangeOptions) => Write
  readonly remove: (id: string, options?: ChangeOptions) => Write
  /** Changes nothing, and holds the others back if the document is not at this version. */
  readonly check: (id: string, version: number) => Write
}

/**
 * Documents of type `A`, which are stored as `E`. Every effect may fail with the reasons `Unavailable` and, when it
 * writes, `OutcomeUnknown`; with `InvalidInput` when a value does not fit the schema.
 */
export interface Repository<in out A, in out E>
  extends Queries.Queries<A, E, DocumentStoreError, Store.DocumentStore> {
  readonly name: string
  readonly collection: Store.Collection
  /** Inserts a document or replaces it, one that was deleted softly too. Gives its new version. */
  readonly save: (id: string, value: A, options?: SaveOptions) => Change<number>
  /** Inserts a document. Fails with `VersionConflict` if there is one, be it deleted softly. */
  readonly insert: (id: string, value: A, options?: Omit<SaveOptions, "expected">) => Change<number>
  /**
   * Reads a document and saves what the function makes of it; again, when another has changed it in between, and with
   * `VersionConflict` when that happens too often. None, and nothing is written, if it is absent or deleted softly. It
   * expires when it would have. The function may fail with an effect, and nothing is written then.
   */
  readonly update: <E2 = never, R2 = never>(
    id: string,
    f: (value: A, document: Queries.Document<A>) => A | Effect.Effect<A, E2, R2>,
    options?: UpdateOptions
  ) => Effect.Effect<Option.Option<Updated<A>>, DocumentStoreError | E2, Store.DocumentStore | R2>
  /** Deletes a document softly: it is left out of what is found, unless asked for, and is there again when it is saved. */
  readonly delete: (id: string, options?: ChangeOptions) => Change<void>
  /** Removes a document for good, its version too: the next one with its id begins at 1 again. */
  readonly remove: (id: string, options?: ChangeOptions) => Change<void>
  /** Saves many documents in one transaction. Gives their new versions. */
  readonly saveMany: (
    documents: ReadonlyArray<readonly [id: string, value: A]>,
    options?: Omit<SaveOptions, "expected">
  ) => Change<ReadonlyArray<number>>
  /** Deletes many documents softly, in one transaction. */
  readonly deleteMany: (ids: ReadonlyArray<string>) => Change<void>
  /** Removes many documents for good, in one transaction. */
  readonly removeMany: (ids: ReadonlyArray<string>) => Change<void>
  /** The same changes as values, for {@link transaction}. */
  readonly write: Writes<A>
  /** Removes the documents that have expired, and says how many there were. Until then they only take space. */
  readonly clearExpired: Change<number>
}

/** What comes of changing documents. */
export type Change<A> = Effect.Effect<A, DocumentStoreError, Store.DocumentStore>

/** The type of a repository's documents: `Repository.Value<typeof Orders>`. */
export type Value<R> = R extends Repository<infer A, any> ? A : never

/**
 * Makes changes of one or several repositories together, whole or not at all, and gives the new versions in their order:
 * 0 for documents that are absent now. Each document can be named once. A store that is not transactional makes them one
 * by one, in their order.
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Repository } from "dunnock"
 *
 * const Orders = Repository.make("orders", { schema: Schema.Struct({ product: Schema.String }) })
 * const Stock = Repository.make("stock", { schema: Schema.Struct({ left: Schema.Int }) })
 *
 * const program = Repository.transaction([
 *   Orders.write.insert("o-1", { product: "tea" }),
 *   Stock.write.save("tea", { left: 4 }, { expected: 7 })
 * ])
 * ```
 */
export const transaction = (writes: ReadonlyArray<Write>): Change<ReadonlyArray<number>> =>
  Effect.flatMap(
    Store.DocumentStore,
    (documents) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Queries.checked(() => documents.commit(writes.map((write) => write[WriteTypeId](now)))))
  )

const attempts = 12

/** How long to wait before the n-th time again, in milliseconds: nothing at first, then more and more, at random. */
const pause = (again: number): number => again === 1 ? 0 : Math.random() * Math.min(2 ** again, 250)

/**
 * Defines a repository. The name is a letter, then letters, digits and `_`, at most 48 characters; programs that share a
 * store and a name share the documents. Names that begin with `dunnock_` or end in `__` and digits are kept for what this
 * library keeps: they are refused. Throws if the name is none, or if a field's name begins with `$`.
 */
export const make = <A, E>(name: string, options: Options<A, E>): Repository<A, E> => {
  const model = Model.make(options.schema)
  const indexes = (options.indexes ?? []).map((index) =>
    fieldOf(model, `the indexes of ${name}`, index).field
  )
  const collection: Store.Collection = { name, indexes }
  const problem = Input.problemOfCollection(collection) ?? Input.problemOfRepository(name)
  if (problem !== undefined) throw problem
  const lifetime = options.timeToLive === undefined ? undefined : { timeToLive: options.timeToLive }
  expiryOf(lifetime, 0)

  const writes = makeWrites(model, collection, lifetime)
  const queries = Queries.make<A, E, never, Store.DocumentStore>(
    model,
    (body) => Effect.flatMap(Store.DocumentStore, (documents) => body(documents, collection))
  )
  const one = (write: Write) => Effect.map(transaction([write]), ([version]) => version!)

  const update = <E2, R2>(
    id: string,
    f: (value: A, document: Queries.Document<A>) => A | Effect.Effect<A, E2, R2>,
    attempt: number,
    last: number
  ): Effect.Effect<Option.Option<Updated<A>>, DocumentStoreError | E2, Store.DocumentStore | R2> =>
    Effect.gen(function* () {
      const found = yield* queries.get(id)
      if (Option.isNone(found)) return Option.none()
      const { expiresAt, position, value: before, version } = found.value
      const made = f(before, found.value)
      const value = Effect.isEffect(made) ? yield* made : made
      const documents = yield* Store.DocumentStore
      const commit = Queries.checked(() => {
        const data = model.encode(`the document "${id}"`, value)
        return documents.commit([{ op: "put", collection, id, expected: version, data, position, expiresAt }])
      })
      return yield* commit.pipe(
        Effect.map(([version]) => Option.some({ version: version!, value })),
        Effect.catchIf(
          ({ reason }) => reason._tag === "VersionConflict" && attempt < last,
          () => Effect.delay(update(id, f, attempt + 1, last), pause(attempt))
        )
      )
    })

  return {
    ...queries,
    name,
    collection,
    write: writes,
    save: (id, value, options) => one(writes.save(id, value, options)),
    insert: (id, value, options) => one(writes.insert(id, value, options)),
    update: (id, f, { attempts: last = attempts } = {}) => update(id, f, 1, last),
    delete: (id, options) => Effect.asVoid(one(writes.delete(id, options))),
    remove: (id, options) => Effect.asVoid(one(writes.remove(id, options))),
    saveMany: (documents, options) =>
      transaction(documents.map(([id, value]) => writes.save(id, value, options))),
    deleteMany: (ids) => Effect.asVoid(transaction(ids.map((id) => writes.delete(id)))),
    removeMany: (ids) => Effect.asVoid(transaction(ids.map((id) => writes.remove(id)))),
    clearExpired: Effect.flatMap(Store.DocumentStore, (documents) => documents.clearExpired(collection))
  }
}

const makeWrites = <A>(
  model: Model.Model<A>,
  collection: Store.Collection,
  lifetime: SaveOptions | undefined
): Writes<A> => {
  const write = (toWrite: (now: number) => Store.Write): Write => ({ [WriteTypeId]: toWrite })
  const change = (op: "delete" | "remove" | "check") => (id: string, { expected }: ChangeOptions = {}) =>
    write(() => ({ op, collection, id, expected: expected ?? "any" }))
  const save = (id: string, value: A, options: SaveOptions = {}) =>
    write((now) => {
      const expected = options.expected ?? "any"
      const isSaid = options.expiresAt !== undefined || options.timeToLive !== undefined
      const expiresAt = expiryOf(isSaid ? options : lifetime, now)
      const data = model.encode(`the document "${id}"`, value)
      return { op: "put", collection, id, expected, data, position: 0, expiresAt }
    })
  return {
    save,
    insert: (id, value, options) => save(id, value, { ...options, expected: 0 }),
    delete: change("delete"),
    remove: change("remove"),
    check: (id, expected) => change("check")(id, { expected })
  }
}

const expiryOf = (
  { expiresAt, timeToLive }: Pick<SaveOptions, "expiresAt" | "timeToLive"> = {},
  now: number
): number | undefined => {
  if (expiresAt !== undefined) return Number(expiresAt)
  if (timeToLive === undefined) return undefined
  const duration = Option.getOrUndefined(Duration.fromInput(timeToLive))
  if (duration === undefined) throw Input.error("timeToLive", `is no duration: ${String(timeToLive)}`)
  return Duration.isFinite(duration) ? now + Math.ceil(Duration.toMillis(duration)) : undefined
}
