/**
 * What can go wrong in an event store, as one tagged error with a `reason`.
 *
 * ```ts
 * import { Effect } from "effect"
 * import type { EventStoreError } from "dunnock/EventStoreError"
 *
 * const handled = <A>(self: Effect.Effect<A, EventStoreError>) =>
 *   self.pipe(Effect.catchReason("EventStoreError", "Conflict", (conflict) => Effect.logWarning(conflict.message)))
 * ```
 *
 * @module
 */
import * as Schema from "effect/Schema"
import { CannotOpen, type ErrorClass, InvalidInput, OutcomeUnknown, Unavailable } from "../store/Reason.ts"

export { CannotOpen, InvalidInput, OutcomeUnknown, Unavailable } from "../store/Reason.ts"
export type { ErrorClass } from "../store/Reason.ts"

const ConflictBase: ErrorClass<Conflict, "Conflict", {
  readonly stream: Schema.String
  readonly expected: Schema.Union<
    readonly [Schema.Literals<readonly ["any", "none", "exists"]>, Schema.Number]
  >
  readonly actual: Schema.Number
}> = Schema.TaggedError<Conflict>()("Conflict", {
  stream: Schema.String,
  expected: Schema.Union([Schema.Literals(["any", "none", "exists"]), Schema.Number]),
  actual: Schema.Number
})

/**
 * A stream was not at the revision the append expected; nothing was written. `actual` is the stream's revision, 0 when
 * it has no events. Load the stream again, decide again, append again: repeating the same append cannot succeed.
 */
export class Conflict extends ConflictBase {
  override get message(): string {
    const { actual, expected, stream } = this
    const wanted = expected === "none"
      ? "without events"
      : expected === "exists"
      ? "with events"
      : `at ${expected}`
    return `stream "${stream}" was expected ${wanted} but is at revision ${actual}`
  }
}

const ConditionFailedBase: ErrorClass<ConditionFailed, "ConditionFailed", {
  readonly after: Schema.Number
  readonly position: Schema.Number
  readonly stream: Schema.String
  readonly type: Schema.String
}> = Schema.TaggedError<ConditionFailed>()("ConditionFailed", {
  after: Schema.Number,
  position: Schema.Number,
  stream: Schema.String,
  type: Schema.String
})

/**
 * An event matching the append condition exists after the given position; nothing was written. Names one such
 * event. Read the events of the condition again and decide again.
 */
export class ConditionFailed extends ConditionFailedBase {
  override get message(): string {
    return `an event matching the condition, "${this.type}" of stream "${this.stream}", exists at position ${this.position}, after ${this.after}`
  }
}

const DuplicateEventIdBase: ErrorClass<DuplicateEventId, "DuplicateEventId", {
  readonly id: Schema.String
  readonly stream: Schema.String
  readonly existingStream: Schema.String
  readonly existingRevision: Schema.Number
}> = Schema.TaggedError<DuplicateEventId>()("DuplicateEventId", {
  id: Schema.String,
  stream: Schema.String,
  existingStream: Schema.String,
  existingRevision: Schema.Number
})

/**
 * An event id of the append is already used by another event, and the append is not a repeat of the one that wrote it.
 * Nothing was written.
 */
export class DuplicateEventId extends DuplicateEventIdBase {
  override get message(): string {
    return `event id "${this.id}" for stream "${this.stream}" is already used by revision ${this.existingRevision} of stream "${this.existingStream}"`
  }
}

const UndecodableBase: ErrorClass<Undecodable, "Undecodable", {
  readonly stream: Schema.String
  readonly revision: Schema.Number
  readonly position: Schema.Number
  readonly type: Schema.String
  readonly version: Schema.Number
  readonly issue: Schema.String
}> = Schema.TaggedError<Undecodable>()("Undecodable", {
  stream: Schema.String,
  revision: Schema.Number,
  position: Schema.Number,
  type: Schema.String,
  version: Schema.Number,
  issue: Schema.String
})

/**
 * A stored event is of a type or version the program does not know, or its data does not fit its schema; `issue` says
 * which. The event stays in the log: deploy a definition (or an upcaster) that can read it.
 */
export class Undecodable extends UndecodableBase {
  override get message(): string {
    return `event "${this.type}" (version ${this.version}) at revision ${this.revision} of stream "${this.stream}" cannot be read: ${this.issue}`
  }
}

const InlineFailedBase: ErrorClass<InlineFailed, "InlineFailed", {
  readonly projection: Schema.String
  readonly problem: Schema.String
}> = Schema.TaggedError<InlineFailed>()("InlineFailed", {
  projection: Schema.String,
  problem: Schema.String
})

/** A projection that is made in the transaction of the append cannot take its events in. Nothing was written. */
export class InlineFailed extends InlineFailedBase {
  override get message(): string {
    return `the inline projection "${this.projection}" failed: ${this.problem}`
  }
}

/** Every reason for which an event store fails. */
export type Reason =
  | Conflict
  | ConditionFailed
  | DuplicateEventId
  | Undecodable
  | InvalidInput
  | Unavailable
  | OutcomeUnknown
  | CannotOpen
  | InlineFailed

const Reason: Schema.Union<
  readonly [
    typeof Conflict,
    typeof ConditionFailed,
    typeof DuplicateEventId,
    typeof Undecodable,
    typeof InvalidInput,
    typeof Unavailable,
    typeof OutcomeUnknown,
    typeof CannotOpen,
    typeof InlineFailed
  ]
> = Schema.Union([
  Conflict,
  ConditionFailed,
  DuplicateEventId,
  Undecodable,
  InvalidInput,
  Unavailable,
  OutcomeUnknown,
  CannotOpen,
  InlineFailed
])

const EventStoreErrorBase: ErrorClass<
  EventStoreError,
  "EventStoreError",
  { readonly reason: typeof Reason }
> = Schema
  .TaggedError<EventStoreError>("dunnock/EventStoreError")("EventStoreError", { reason: Reason })

/** The error of every event store operation; `reason` says what happened and names where. */
export class EventStoreError extends EventStoreErrorBase {
  override get message(): string {
    return this.reason.message
  }
  /** Whether the same call may succeed when it is made again (for an append: with the same event ids). */
  get isRetryable(): boolean {
    return this.reason._tag === "Unavailable" || this.reason._tag === "OutcomeUnknown"
  }
}
