/**
 * What can go wrong with a subscription besides its stores, as one tagged error with a `reason`.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import { type ErrorClass, InvalidInput } from "../store/Reason.ts"

export { InvalidInput } from "../store/Reason.ts"

const ShardsDifferBase: ErrorClass<ShardsDiffer, "ShardsDiffer", {
  readonly subscription: Schema.String
  readonly stored: Schema.Number
  readonly given: Schema.Number
}> = Schema.TaggedError<ShardsDiffer>()("ShardsDiffer", {
  subscription: Schema.String,
  stored: Schema.Number,
  given: Schema.Number
})

/**
 * The subscription has run with another number of shards, by which its positions are stored: nothing was begun. Give
 * the stored number, or the subscription another name.
 */
export class ShardsDiffer extends ShardsDifferBase {
  override get message(): string {
    return `subscription "${this.subscription}" has ${this.stored} shards, not ${this.given}`
  }
}

const StoppedBase: ErrorClass<Stopped, "Stopped", {
  readonly subscription: Schema.String
  readonly shard: Schema.Number
  readonly position: Schema.Number
  readonly error: Schema.String
}> = Schema.TaggedError<Stopped>()("Stopped", {
  subscription: Schema.String,
  shard: Schema.Number,
  position: Schema.Number,
  error: Schema.String
})

/** A shard has been stopped by an event that could not be handled. Mend the cause, then `resume`. */
export class Stopped extends StoppedBase {
  override get message(): string {
    return `shard ${this.shard} of subscription "${this.subscription}" stopped at position ${this.position}: ${this.error}`
  }
}

const TimedOutBase: ErrorClass<TimedOut, "TimedOut", {
  readonly subscription: Schema.String
  readonly position: Schema.Number
}> = Schema.TaggedError<TimedOut>()("TimedOut", {
  subscription: Schema.String,
  position: Schema.Number
})

/** The position was not reached in time; the subscription goes on. */
export class TimedOut extends TimedOutBase {
  override get message(): string {
    return `subscription "${this.subscription}" has not reached position ${this.position} in time`
  }
}

const NotParkedBase: ErrorClass<NotParked, "NotParked", {
  readonly subscription: Schema.String
  readonly stream: Schema.String
}> = Schema.TaggedError<NotParked>()("NotParked", {
  subscription: Schema.String,
  stream: Schema.String
})

/** Nothing of this stream is parked. */
export class NotParked extends NotParkedBase {
  override get message(): string {
    return `stream "${this.stream}" is not parked in subscription "${this.subscription}"`
  }
}

const NotBegunBase: ErrorClass<NotBegun, "NotBegun", { readonly subscription: Schema.String }> = Schema
  .TaggedError<NotBegun>()("NotBegun", { subscription: Schema.String })

/** The subscription has never run on this store. */
export class NotBegun extends NotBegunBase {
  override get message(): string {
    return `subscription "${this.subscription}" has never run on this store`
  }
}

/** Every reason for which a subscription fails. */
export type Reason = ShardsDiffer | Stopped | TimedOut | NotParked | NotBegun | InvalidInput

const Reason: Schema.Union<
  readonly [
    typeof ShardsDiffer,
    typeof Stopped,
    typeof TimedOut,
    typeof NotParked,
    typeof NotBegun,
    typeof InvalidInput
  ]
> = Schema.Union([ShardsDiffer, Stopped, TimedOut, NotParked, NotBegun, InvalidInput])

const SubscriptionErrorBase: ErrorClass<
  SubscriptionError,
  "SubscriptionError",
  { readonly reason: typeof Reason }
> = Schema.TaggedError<SubscriptionError>("dunnock/SubscriptionError")("SubscriptionError", {
  reason: Reason
})

/** The error of what is asked of a subscription; `reason` says what happened and names where. */
export class SubscriptionError extends SubscriptionErrorBase {
  override get message(): string {
    return this.reason.message
  }
  /** Whether the same call may succeed when it is made again. */
  get isRetryable(): boolean {
    return this.reason._tag === "TimedOut"
  }
}
