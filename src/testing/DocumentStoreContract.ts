/**
 * The contract of the document store: the cases that every adapter passes. It is run beside an event store of the same
 * adapter, in whose transactions documents can be written.
 *
 * @module
 */
import type { EventStore } from "../event/EventStore.ts"
import type { DocumentStore } from "../repository/DocumentStore.ts"
import type { Case } from "./Contract.ts"
import * as Conditions from "./documentStore/conditions.ts"
import * as Ending from "./documentStore/ending.ts"
import * as Indexes from "./documentStore/indexes.ts"
import * as Inline from "./documentStore/inline.ts"
import * as Input from "./documentStore/input.ts"
import * as Places from "./documentStore/places.ts"
import * as Selecting from "./documentStore/selecting.ts"
import * as Versions from "./documentStore/versions.ts"
import * as Writing from "./documentStore/writing.ts"

/** Every case, topic by topic. */
export const cases: ReadonlyArray<Case<EventStore | DocumentStore>> = [
  ...Writing.single,
  ...Versions.versions,
  ...Versions.batches,
  ...Ending.deletion,
  ...Ending.expiry,
  ...Conditions.conditions,
  ...Indexes.indexes,
  ...Selecting.sorting,
  ...Selecting.paging,
  ...Input.badInput,
  ...Places.durable,
  ...Places.shared,
  ...Inline.inline
]
