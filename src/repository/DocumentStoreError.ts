/**
 * What can go wrong with documents, as one tagged error with a `reason`.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import { CannotOpen, type ErrorClass, InvalidInput, OutcomeUnknown, Unavailable } from "../store/Reason.ts"

export { CannotOpen, InvalidInput, OutcomeUnknown, Unavailable } from "../store/Reason.ts"

const VersionConflictBase: ErrorClass<VersionConflict, "VersionConflict", {
  readonly collection: Schema.String
  readonly id: Schema.String
  readonly expected: Schema.Number
  readonly actual: Schema.Number
}> = Schema.TaggedError<VersionConflict>()("VersionConflict", {
  collection: Schema.String,
  id: Schema.String,
  expected: Schema.Number,
  actual: Schema.Number
})

/**
 * A document was not at the version the write expected; nothing was written. `actual` is its version, 0 when it is
 * absent. Read it again, decide again, write again.
 */
export class VersionConflict extends VersionConflictBase {
  override get message(): string {
    const { actual, collection, expected, id } = this
    return `document "${id}" of "${collection}" was expected ${
      expected === 0 ? "to be absent" : `at version ${expected}`
    } but is ${actual === 0 ? "absent" : `at version ${actual}`}`
  }
}

const UnreadableBase: ErrorClass<Unreadable, "Unreadable", {
  readonly collection: Schema.String
  readonly id: Schema.String
  readonly version: Schema.Number
  readonly issue: Schema.String
}> = Schema.TaggedError<Unreadable>()("Unreadable", {
  collection: Schema.String,
  id: Schema.String,
  version: Schema.Number,
  issue: Schema.String
})

/** A stored document does not fit the schema of its repository; `issue` says where. It is left as it is. */
export class Unreadable extends UnreadableBase {
  override get message(): string {
    return `document "${this.id}" (version ${this.version}) of "${this.collection}" cannot be read: ${this.issue}`
  }
}

/** Every reason for which a document store fails. */
export type Reason = VersionConflict | Unreadable | InvalidInput | Unavailable | OutcomeUnknown | CannotOpen

const Reason: Schema.Union<
  readonly [
    typeof VersionConflict,
    typeof Unreadable,
    typeof InvalidInput,
    typeof Unavailable,
    typeof OutcomeUnknown,
    typeof CannotOpen
  ]
> = Schema.Union([VersionConflict, Unreadable, InvalidInput, Unavailable, OutcomeUnknown, CannotOpen])

const DocumentStoreErrorBase: ErrorClass<
  DocumentStoreError,
  "DocumentStoreError",
  { readonly reason: typeof Reason }
> = Schema.TaggedError<DocumentStoreError>("dunnock/DocumentStoreError")("DocumentStoreError", {
  reason: Reason
})

/** The error of every operation on documents; `reason` says what happened and names where. */
export class DocumentStoreError extends DocumentStoreErrorBase {
  override get message(): string {
    return this.reason.message
  }
  /** Whether the same call may succeed when it is made again. */
  get isRetryable(): boolean {
    return this.reason._tag === "Unavailable" || this.reason._tag === "OutcomeUnknown"
  }
}
