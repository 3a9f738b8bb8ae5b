/**
 * The test kit: contracts for adapters, sentences for aggregates, faults for drivers.
 *
 * @module
 */

/** What a contract is, and how its cases are chosen. */
export * as Contract from "./Contract.ts"
/** The contract of the document store. */
export * as DocumentStoreContract from "./DocumentStoreContract.ts"
/** The contract of the event store. */
export * as EventStoreContract from "./EventStoreContract.ts"
/** A driver that fails, hesitates or loses races where it is told to. */
export * as Faults from "./Faults.ts"
/** Given, then for projections. */
export * as ProjectionScenario from "./ProjectionScenario.ts"
/** Given, when, then for aggregates. */
export * as Scenario from "./Scenario.ts"
/** The contract of subscriptions. */
export * as SubscriptionContract from "./SubscriptionContract.ts"
