/**
 * The port under repositories, subscriptions and projections: documents of JSON in named collections, each with a
 * version, written in batches that happen whole or not at all. `Repository` is its typed half.
 *
 * An adapter provides it beside its event store; `dunnock/testing` holds the contract that shows it to be right.
 *
 * @module
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type DocumentStoreError, VersionConflict } from "./DocumentStoreError.ts"

/**
 * What the value of a field is, where it is neither null nor absent. A value of another kind is as good as null. `any` is
 * whatever it is, objects and lists too; such a field can be asked for null and absence only, neither sorted nor indexed.
 */
export type Kind = "text" | "number" | "boolean" | "any"

/**
 * A field of documents: at the top of their JSON object, or, if its name is one of `$id`, `$version`, `$createdAt` and
 * `$updatedAt`, of what the store keeps with them.
 */
export interface Field {
  readonly name: string
  readonly kind: Kind
}

/** A named set of documents. */
export interface Collection {
  /** A letter, then letters, digits and `_`; at most 48 characters. Two names that differ only in case are one name. */
  readonly name: string
  /** The fields by which documents are found fast. They change nothing else, and may be others the next time. */
  readonly indexes: ReadonlyArray<Field>
}

/** A document as it is stored. */
export interface StoredDocument {
  readonly id: string
  /** 1 when it is first written, and one more with every change, a soft deletion among them. */
  readonly version: number
  /** JSON text of an object, without U+0000. */
  readonly data: string
  /** The position of the newest event that it reflects; 0 if it is not made of events. */
  readonly position: number
  /** Milliseconds since 1970 UTC, as the two below. */
  readonly createdAt: number
  readonly updatedAt: number
  /** When it was deleted softly; it is then left out of what is found, unless asked for. */
  readonly deletedAt: number | undefined
  /** From then on the document is as good as absent: not found, not counted, version 0. */
  readonly expiresAt: number | undefined
}

/** The version that a document must have for a write to happen: 0 if it must be absent. A soft deletion leaves it there. */
export type ExpectedVersion = "any" | number

interface WriteOf<Op extends string> {
  readonly op: Op
  readonly collection: Collection
  readonly id: string
  readonly expected: ExpectedVersion
}

/** Inserts a document or replaces it; one that was deleted softly is there again. */
export interface Put extends WriteOf<"put"> {
  readonly data: string
  readonly position: number
  readonly expiresAt: number | undefined
}

/**
 * A change of one document. `delete` deletes softly: the document keeps its data and gets a new version; `remove` leaves
 * nothing of it; `check` changes nothing, and holds the others back if the version is another. Deleting or removing what
 * is absent does nothing, nor does deleting what is deleted.
 */
export type Write = Put | WriteOf<"delete"> | WriteOf<"remove"> | WriteOf<"check">

/**
 * Which documents. A field that is null or absent is equal to nothing, less and greater than nothing, and like nothing;
 * `neq` and `notIn` are the exact opposites of `eq` and `in`, so they do hold of it. Text is compared by code points,
 * capital letters are other letters; false is less than true. In a pattern `%` stands for any text, `_` for any one
 * character (code point), and `\` takes the meaning of the next, which there must be. `and` of
 * nothing holds of every document, `or` of nothing of none.
 */
export type Condition =
  | {
    readonly op: "eq" | "neq" | "gt" | "gte" | "lt" | "lte"
    readonly field: Field
    readonly value: string | number | boolean
  }
  | {
    readonly op: "in" | "notIn"
    readonly field: Field
    readonly values: ReadonlyArray<string | number | boolean>
  }
  | { readonly op: "like"; readonly field: Field; readonly pattern: string }
  | { readonly op: "isNull" | "isNotNull"; readonly field: Field }
  | { readonly op: "and"; readonly conditions: ReadonlyArray<Condition> }
  | { readonly op: "or"; readonly conditions: ReadonlyArray<Condition> }

/** A part of a collection, in order. Absent values come first, upwards; documents that are alike are sorted by id, upwards. */
export interface Selection {
  readonly where: Condition | undefined
  readonly sort: ReadonlyArray<{ readonly field: Field; readonly direction: "asc" | "desc" }>
  /** Documents that were deleted softly. */
  readonly deleted: "without" | "with" | "only"
  /** At most so many: a whole number from 0 on, as the next. */
  readonly limit: number
  readonly offset: number
}

/**
 * What a store does with encoded documents. A collection comes into being when it is first written to, its indexes when it
 * is first used with them; one that is not there is read as empty.
 * What the time is, Effect's `Clock` says. The input is checked before it reaches an adapter, by `Stores.layer`.
 */
export interface DocumentStore {
  /** Names the store in errors: its kind and where it is. */
  readonly name: string
  /** Whether the writes of a commit happen whole or not at all. If not they happen one by one, in their order. */
  readonly transactional: boolean
  /** The unique name of the event store whose appends can write these documents in their transaction, if there is one. */
  readonly log: string | undefined
  /**
   * Writes documents, each of them named once, and gives their new versions, 0 for those that are absent now. Fails with
   * the reason `VersionConflict` when one is not as expected; nothing is written then. When the effect fails nothing was
   * written, except for the reason `OutcomeUnknown`.
   */
  readonly commit: (writes: ReadonlyArray<Write>) => Effect.Effect<ReadonlyArray<number>, DocumentStoreError>
  /** The documents with these ids, in their order; with those that were deleted softly. */
  readonly get: (
    collection: Collection,
    ids: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<StoredDocument | undefined>, DocumentStoreError>
  readonly find: (
    collection: Collection,
    selection: Selection
  ) => Effect.Effect<ReadonlyArray<StoredDocument>, DocumentStoreError>
  readonly count: (
    collection: Collection,
    selection: Pick<Selection, "where" | "deleted">
  ) => Effect.Effect<number, DocumentStoreError>
  /** Removes what has expired, and says how many there were. */
  readonly clearExpired: (collection: Collection) => Effect.Effect<number, DocumentStoreError>
  /** Removes the collection with all of its documents. */
  readonly drop: (collection: Collection) => Effect.Effect<void, DocumentStoreError>
}

/** The document store of a program. Adapters provide it: `Memory.layer`, `Sqlite.layer`, `Postgres.layer` … */
export const DocumentStore: Context.Service<DocumentStore, DocumentStore> = Context.Service<
  DocumentStore,
  DocumentStore
>("dunnock/DocumentStore")

/** The largest document, in characters of its JSON text. */
export const maxDocumentLength = 4_194_304

/** The longest id of a document, in characters. */
export const maxIdLength = 255

/** The most conditions of one selection, those within others counted. */
export const maxConditions = 500

/** The longest pattern of a condition, in characters. */
export const maxPatternLength = 10_000

/** What becomes of a document. */
export interface Planned {
  readonly write: Write
  /** What is stored of it; undefined if it has expired, is absent, or becomes so. */
  readonly before: StoredDocument | undefined
  readonly after: StoredDocument | undefined
}

/**
 * Decides the writes of a commit against what is stored, `found`, in their order: what each of the documents becomes, or
 * the conflict. This is where the rules of writing are, for every adapter; nothing is to be done where `before` and
 * `after` are the same.
 */
export const plan = (
  writes: ReadonlyArray<Write>,
  found: (write: Write, index: number) => StoredDocument | undefined,
  now: number
): Result.Result<ReadonlyArray<Planned>, VersionConflict> => {
  const planned: Array<Planned> = []
  for (const [i, write] of writes.entries()) {
    const stored = found(write, i)
    const before = stored === undefined || isExpired(stored, now) ? undefined : stored
    const { collection, expected, id } = write
    const actual = before?.version ?? 0
    if (expected !== "any" && expected !== actual) {
      return Result.fail(new VersionConflict({ collection: collection.name, id, expected, actual }))
    }
    planned.push({ write, before, after: becomes(write, before, now) })
  }
  return Result.succeed(planned)
}

const becomes = (
  write: Write,
  before: StoredDocument | undefined,
  now: number
): StoredDocument | undefined => {
  switch (write.op) {
    case "put":
      return {
        id: write.id,
        version: (before?.version ?? 0) + 1,
        data: write.data,
        position: write.position,
        createdAt: before?.createdAt ?? now,
        updatedAt: now,
        deletedAt: undefined,
        expiresAt: write.expiresAt
      }
    case "delete":
      return before === undefined || before.deletedAt !== undefined
        ? before
        : { ...before, version: before.version + 1, updatedAt: now, deletedAt: now }
    case "remove":
      return undefined
    case "check":
      return before
  }
}

/** Whether a document is as good as absent. */
export const isExpired = ({ expiresAt }: StoredDocument, now: number): boolean =>
  expiresAt !== undefined && expiresAt <= now
