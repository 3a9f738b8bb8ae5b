/**
 * The contract of subscriptions: what they promise over any pair of an event store and a document store.
 *
 * @module
 */
import type { EventStore } from "../event/EventStore.ts"
import type { DocumentStore } from "../repository/DocumentStore.ts"
import type { Case } from "./Contract.ts"
import * as Admin from "./subscription/admin.ts"
import * as Failures from "./subscription/failures.ts"
import * as Order from "./subscription/order.ts"
import * as Processes from "./subscription/processes.ts"

/** Every case, topic by topic. */
export const cases: ReadonlyArray<Case<EventStore | DocumentStore>> = [
  ...Order.order,
  ...Processes.processes,
  ...Processes.shared,
  ...Failures.failures,
  ...Admin.admin
]
