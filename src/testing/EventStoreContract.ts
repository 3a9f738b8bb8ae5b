/**
 * The contract of the event store: the cases that every adapter passes.
 *
 * @module
 */
import type { EventStore } from "../event/EventStore.ts"
import type { Case } from "./Contract.ts"
import * as Appending from "./eventStore/appending.ts"
import * as Input from "./eventStore/input.ts"
import * as Places from "./eventStore/places.ts"
import * as Reading from "./eventStore/reading.ts"

/** Every case, topic by topic. */
export const cases: ReadonlyArray<Case<EventStore>> = [
  ...Appending.atomic,
  ...Appending.conditional,
  ...Appending.idempotent,
  ...Appending.ordered,
  ...Reading.streams,
  ...Reading.theLog,
  ...Reading.subscription,
  ...Reading.undecodable,
  ...Reading.evolution,
  ...Reading.snapshots,
  ...Input.badInput,
  ...Places.durable,
  ...Places.shared
]
