// What can go wrong with every store, whatever it keeps. Public as part of the errors of each.
import type * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"

/** The class type of a tagged error that has a schema, written out so that no declaration is inferred. */
export type ErrorClass<Self, Tag extends string, Fields extends Schema.Struct.Fields> = Schema.Class<
  Self,
  Schema.TaggedStruct<Tag, Fields>,
  Cause.YieldableError
>

const InvalidInputBase: ErrorClass<InvalidInput, "InvalidInput", {
  readonly at: Schema.String
  readonly problem: Schema.String
}> = Schema.TaggedError<InvalidInput>()("InvalidInput", {
  at: Schema.String,
  problem: Schema.String
})

/** The call itself is wrong: `at` names the offending part, `problem` says why. Nothing was read or written. */
export class InvalidInput extends InvalidInputBase {
  override get message(): string {
    return `${this.at}: ${this.problem}`
  }
}

/** Which store it is, what is wrong with it, and the error of the driver if there is one. */
type Fields = {
  readonly store: Schema.String
  readonly problem: Schema.String
  readonly cause: Schema.optionalKey<Schema.Defect>
}

const fields: Fields = {
  store: Schema.String,
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}

const UnavailableBase: ErrorClass<Unavailable, "Unavailable", Fields> = Schema.TaggedError<Unavailable>()(
  "Unavailable",
  fields
)

/** The store could not do it now (locked, disconnected, disk full); nothing was written. Try again later. */
export class Unavailable extends UnavailableBase {
  override get message(): string {
    return `${this.store} is unavailable: ${this.problem}`
  }
}

const OutcomeUnknownBase: ErrorClass<OutcomeUnknown, "OutcomeUnknown", Fields> = Schema.TaggedError<
  OutcomeUnknown
>()("OutcomeUnknown", fields)

/**
 * The connection broke, or no answer came, while something was being committed: it may or may not have been written, whole
 * or not at all. Of events: append them with the same ids again, a repeat gives the first result and never a second copy.
 * Of documents: read them and look, or write again with the `expected` version of before, which fails with
 * `VersionConflict` if they were written.
 */
export class OutcomeUnknown extends OutcomeUnknownBase {
  override get message(): string {
    return `${this.store} may or may not have written it: ${this.problem}`
  }
}

const CannotOpenBase: ErrorClass<CannotOpen, "CannotOpen", Fields> = Schema.TaggedError<CannotOpen>()(
  "CannotOpen",
  fields
)

/**
 * The store cannot be opened, or used any longer, as it is: not a database, damaged, no permission, a schema newer than
 * this program.
 */
export class CannotOpen extends CannotOpenBase {
  override get message(): string {
    return `${this.store}: ${this.problem}`
  }
}
