/**
 * dunnock: aggregates, commands and events as typed effects, on storage that a program swaps.
 *
 * One namespace a module; each can also be imported by itself, as `dunnock/Aggregate`, which bundles smaller.
 *
 * @module
 */

/** Things with an identity that are changed by commands and remembered as events. */
export * as Aggregate from "./src/command/Aggregate.ts"
/** What can go wrong with a command besides its own errors. */
export * as AggregateError from "./src/command/AggregateError.ts"
/** The commands of an aggregate served and called over Effect's rpc. */
export * as AggregateRpc from "./src/command/AggregateRpc.ts"
/** The port under repositories, subscriptions and projections. */
export * as DocumentStore from "./src/repository/DocumentStore.ts"
/** What can go wrong with documents. */
export * as DocumentStoreError from "./src/repository/DocumentStoreError.ts"
/** Facts with a name, a schema, a version and tags. */
export * as Event from "./src/event/Event.ts"
/** The append-only log of events. */
export * as EventStore from "./src/event/EventStore.ts"
/** The port that an event store adapter implements. */
export * as EventStoreDriver from "./src/event/EventStoreDriver.ts"
/** What can go wrong in an event store. */
export * as EventStoreError from "./src/event/EventStoreError.ts"
/** Who, why and as part of what: carried by the Effect context. */
export * as Metadata from "./src/event/Metadata.ts"
/** Documents made of events, to be queried. */
export * as Projection from "./src/projection/Projection.ts"
/** What can go wrong with a projection besides its stores. */
export * as ProjectionError from "./src/projection/ProjectionError.ts"
/** Handlers that follow the log, at least once and in order, on any number of processes. */
export * as Subscription from "./src/subscription/Subscription.ts"
/** What can go wrong with a subscription besides its stores. */
export * as SubscriptionError from "./src/subscription/SubscriptionError.ts"
/** Documents by id, with conditions on their fields that the compiler checks. */
export * as Repository from "./src/repository/Repository.ts"
/** Events and documents of one database: how an adapter makes its layer. */
export * as Stores from "./src/repository/Stores.ts"
/** Metrics and spans of event stores. */
export * as Telemetry from "./src/event/Telemetry.ts"
