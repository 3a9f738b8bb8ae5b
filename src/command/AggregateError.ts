/**
 * What can go wrong with a command besides its own errors and those of the event store.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import type { ErrorClass } from "../event/EventStoreError.ts"

const InvalidCommandBase: ErrorClass<InvalidCommand, "InvalidCommand", {
  readonly aggregate: Schema.String
  readonly id: Schema.String
  readonly command: Schema.String
  readonly problem: Schema.String
}> = Schema.TaggedError<InvalidCommand>()("InvalidCommand", {
  aggregate: Schema.String,
  id: Schema.String,
  command: Schema.String,
  problem: Schema.String
})

/** The command is unknown, its payload does not fit its schema, or the aggregate's id cannot be one. */
export class InvalidCommand extends InvalidCommandBase {
  override get message(): string {
    return `command "${this.command}" for ${this.aggregate} "${this.id}": ${this.problem}`
  }
}

const InvalidDecisionBase: ErrorClass<InvalidDecision, "InvalidDecision", {
  readonly aggregate: Schema.String
  readonly id: Schema.String
  readonly command: Schema.String
  readonly problem: Schema.String
}> = Schema.TaggedError<InvalidDecision>()("InvalidDecision", {
  aggregate: Schema.String,
  id: Schema.String,
  command: Schema.String,
  problem: Schema.String
})

/** The command was decided into something that is not the aggregate's events. A mistake in the program. */
export class InvalidDecision extends InvalidDecisionBase {
  override get message(): string {
    return `what "${this.command}" decided for ${this.aggregate} "${this.id}" cannot be stored: ${this.problem}`
  }
}

const TooManyConflictsBase: ErrorClass<TooManyConflicts, "TooManyConflicts", {
  readonly aggregate: Schema.String
  readonly id: Schema.String
  readonly command: Schema.String
  readonly attempts: Schema.Number
}> = Schema.TaggedError<TooManyConflicts>()("TooManyConflicts", {
  aggregate: Schema.String,
  id: Schema.String,
  command: Schema.String,
  attempts: Schema.Number
})

/** Other writers changed the aggregate before every one of the attempts could be written. Nothing was. */
export class TooManyConflicts extends TooManyConflictsBase {
  override get message(): string {
    return `command "${this.command}" lost ${this.attempts} races for ${this.aggregate} "${this.id}"`
  }
}

/** Every reason for which a command fails besides its own errors. */
export type Reason = InvalidCommand | InvalidDecision | TooManyConflicts

const Reason: Schema.Union<
  readonly [typeof InvalidCommand, typeof InvalidDecision, typeof TooManyConflicts]
> = Schema
  .Union([InvalidCommand, InvalidDecision, TooManyConflicts])

const AggregateErrorBase: ErrorClass<AggregateError, "AggregateError", { readonly reason: typeof Reason }> =
  Schema
    .TaggedError<AggregateError>("dunnock/AggregateError")("AggregateError", { reason: Reason })

/** A command that could not be carried out; `reason` says what happened and names where. */
export class AggregateError extends AggregateErrorBase {
  override get message(): string {
    return this.reason.message
  }
  /** Whether the same call may succeed when it is made again. */
  get isRetryable(): boolean {
    return this.reason._tag === "TooManyConflicts"
  }
}
