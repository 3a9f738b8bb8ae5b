/**
 * What can go wrong with a projection besides the errors of the stores.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import type { ErrorClass } from "../store/Reason.ts"

const FailedBase: ErrorClass<Failed, "Failed", {
  readonly projection: Schema.String
  readonly position: Schema.Number
  readonly stream: Schema.String
  readonly revision: Schema.Number
  readonly type: Schema.String
  readonly problem: Schema.String
}> = Schema.TaggedError<Failed>()("Failed", {
  projection: Schema.String,
  position: Schema.Number,
  stream: Schema.String,
  revision: Schema.Number,
  type: Schema.String,
  problem: Schema.String
})

/**
 * An event cannot be taken in: it cannot be read, a function of the projection threw, or what it made of a document does
 * not fit. The projection stands before this event, with all before it taken in. Deploy a correction.
 */
export class Failed extends FailedBase {
  override get message(): string {
    const { position, problem, projection, revision, stream, type } = this
    return `${projection} cannot take in "${type}", revision ${revision} of stream "${stream}" at position ${position}: ${problem}`
  }
}

const OutdatedBase: ErrorClass<Outdated, "Outdated", {
  readonly projection: Schema.String
  readonly version: Schema.Number
  readonly live: Schema.Number
}> = Schema.TaggedError<Outdated>()("Outdated", {
  projection: Schema.String,
  version: Schema.Number,
  live: Schema.Number
})

/**
 * A newer version of the projection is live, and what was kept for this program's version has been dropped, since no program
 * of this version has worked on it for long. Ask a program of the newer version.
 */
export class Outdated extends OutdatedBase {
  override get message(): string {
    return `version ${this.live} of ${this.projection} is live, this program has version ${this.version}`
  }
}

const NotLiveBase: ErrorClass<NotLive, "NotLive", {
  readonly projection: Schema.String
  readonly version: Schema.Number
}> = Schema.TaggedError<NotLive>()("NotLive", {
  projection: Schema.String,
  version: Schema.Number
})

/** No documents of this version have been built yet: no program that runs the projection has come so far. */
export class NotLive extends NotLiveBase {
  override get message(): string {
    return `version ${this.version} of ${this.projection} has not been built yet`
  }
}

const TimedOutBase: ErrorClass<TimedOut, "TimedOut", {
  readonly projection: Schema.String
  readonly position: Schema.Number
  readonly reached: Schema.Number
}> = Schema.TaggedError<TimedOut>()("TimedOut", {
  projection: Schema.String,
  position: Schema.Number,
  reached: Schema.Number
})

/** The projection did not reach the position in time; it is at `reached`. */
export class TimedOut extends TimedOutBase {
  override get message(): string {
    return `${this.projection} has reached position ${this.reached}, not yet ${this.position}`
  }
}

const NotInlineBase: ErrorClass<NotInline, "NotInline", {
  readonly projection: Schema.String
  readonly documents: Schema.String
  readonly events: Schema.String
}> = Schema.TaggedError<NotInline>()("NotInline", {
  projection: Schema.String,
  documents: Schema.String,
  events: Schema.String
})

/** The documents are not kept where the events are, so that an append cannot write both in one transaction. */
export class NotInline extends NotInlineBase {
  override get message(): string {
    return `${this.projection} cannot be inline: an append to ${this.events} cannot write documents of ${this.documents}`
  }
}

/** Every reason for which a projection fails. */
export type Reason = Failed | Outdated | NotLive | TimedOut | NotInline

const Reason: Schema.Union<
  readonly [
    typeof Failed,
    typeof Outdated,
    typeof NotLive,
    typeof TimedOut,
    typeof NotInline
  ]
> = Schema.Union([Failed, Outdated, NotLive, TimedOut, NotInline])

const ProjectionErrorBase: ErrorClass<
  ProjectionError,
  "ProjectionError",
  { readonly reason: typeof Reason }
> = Schema.TaggedError<ProjectionError>("dunnock/ProjectionError")("ProjectionError", { reason: Reason })

/** The error of projections; `reason` says what happened and names where. */
export class ProjectionError extends ProjectionErrorBase {
  override get message(): string {
    return this.reason.message
  }
  /** Whether the same call may succeed when it is made again. */
  get isRetryable(): boolean {
    return this.reason._tag === "TimedOut" || this.reason._tag === "NotLive"
  }
}
