/**
 * Projections: documents that are made of events, to be queried. They say which documents an event concerns, and what it
 * makes of each; when and where that is done is for a layer to say.
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Event, Projection } from "dunnock"
 *
 * const events = Event.set({
 *   GuestArrived: { room: Schema.String },
 *   GuestLeft: { room: Schema.String }
 * })
 *
 * const Occupancy = Projection.make("Occupancy", {
 *   version: 1,
 *   events,
 *   document: Schema.Struct({ guests: Schema.Int }),
 *   indexes: ["guests"],
 *   id: ({ data }) => data.room,
 *   evolve: {
 *     GuestArrived: (room = { guests: 0 }) => ({ guests: room.guests + 1 }),
 *     GuestLeft: (room) => room === undefined || room.guests === 1 ? undefined : { guests: room.guests - 1 }
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const rooms = yield* Occupancy.queries
 *   return yield* rooms.get("12")
 * }).pipe(Effect.provide(Occupancy.layer))
 * ```
 *
 * The functions of a projection are pure, so that its documents can be made anew at any time, beside those that are in
 * use and without doing anything twice: what has effects (a mail, a call) belongs into a subscription.
 *
 * @module
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as Event from "../event/Event.ts"
import type * as Schema from "effect/Schema"
import { positionOf, type Target } from "../event/Target.ts"
import * as EventStore from "../event/EventStore.ts"
import type { EventStoreError } from "../event/EventStoreError.ts"
import { DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import type { Indexable } from "../repository/Where.ts"
import * as MemoryDocuments from "../repository/MemoryDocuments.ts"
import * as Compiled from "./Compiled.ts"
import * as Inline from "./Inline.ts"
import * as ProgressOf from "./Progress.ts"
import { type Failed, NotInline, ProjectionError } from "./ProjectionError.ts"
import * as Queries from "./Queries.ts"
import * as Running from "./Running.ts"

/** What an event makes of a document. */
export type Evolve<in E, in out Doc> = (
  /** Undefined if there is none. */
  document: Doc | undefined,
  event: Event.Recorded<E>,
  /** The id of the document, of use where an event concerns several. */
  id: string
) => Doc | undefined

/** What to know of a projection. */
export interface Options<E extends { readonly _tag: string }, Doc, Encoded> {
  /**
   * A whole number from 1 on. Raise it whenever the functions or the schema make other documents of the same events:
   * they are built anew then, beside those of the version before.
   */
  readonly version: number
  /** The events: `Order.events`, or of several aggregates with `Event.merge`. */
  readonly events: Event.Set<E>
  /** The schema of a document: a struct, a class, or a union of such. It is stored as the JSON the schema encodes it to. */
  readonly document: Schema.Codec<Doc, Encoded>
  /** The fields by which documents are found fast. */
  readonly indexes?: ReadonlyArray<NoInfer<Indexable<Doc, Encoded>>>
  /** Which documents an event concerns: one, several, or none with an empty list. */
  readonly id: (event: Event.Recorded<NoInfer<E>>) => string | ReadonlyArray<string>
  /**
   * What each event makes of a document that it concerns: pure functions, which return a new document and leave the given
   * one as it is. Undefined removes it. Called in the order of the log. An event without a function changes nothing: it is
   * not even read, nor is `id` asked.
   */
  readonly evolve: {
    readonly [K in E["_tag"]]?: Evolve<Extract<E, { readonly _tag: K }>, NoInfer<Doc>>
  }
  /**
   * What becomes of an event that cannot be taken in, since it cannot be read or a function throws. `"stop"`, the default:
   * the projection stays where it is, until a correction is deployed. `"skip"`: it goes on without the event, logs an
   * error and counts it.
   */
  readonly onFailure?: "stop" | "skip"
  /**
   * How long the process that works may be silent before another takes over. Defaults to 5 seconds. The documents of the
   * version before are kept for twelve times as long after the last process has worked on them.
   */
  readonly lease?: Duration.Input
}

/** How far the building of documents has come. */
export interface Progress {
  /** The position that has been reached. */
  readonly position: number
  /** The position of the newest event of the log. */
  readonly head: number
  /** How many events have been taken in. */
  readonly events: number
  /** From 0 to 100. */
  readonly percent: number
  /** Events a second. */
  readonly rate: number
  /** About how long it will take, if that can be told. */
  readonly timeLeft: Duration.Duration | undefined
}

/** How a projection is doing. */
export interface Status {
  /** The generation of documents that is live for this version: grows with every rebuild. */
  readonly generation: number
  /** The version of the projection that made them. */
  readonly version: number
  /** Every event up to it has been taken in. */
  readonly position: number
  /** The position of the newest event of the log. */
  readonly head: number
  /** How far it is behind, in positions. */
  readonly lag: number
  /** How many events have been taken in. */
  readonly handled: number
  /** How many events could not be taken in and were left out. */
  readonly skipped: number
  /** Events a second that this process takes in; 0 if another process does it. */
  readonly rate: number
  /** The event at which it has stopped, or the last that was left out. */
  readonly failure: Failed | undefined
  /** What is being built beside it. */
  readonly building: Building | undefined
}

/** A generation that is being built. */
export interface Building extends Omit<Progress, "rate" | "timeLeft"> {
  readonly generation: number
  readonly version: number
  /** The event at which building has stopped. */
  readonly failure: Failed | undefined
}

/** The service of the projection with this name: provided by its layers. */
export interface Service<in out Name extends string> {
  readonly name: Name
  readonly queries: Queries.Queries<any, any>
  readonly waitFor: (
    position: number,
    timeout: Duration.Input
  ) => Effect.Effect<void, ProjectionError | DocumentStoreError>
  readonly rebuild: Stream.Stream<Progress, ProjectionError | EventStoreError | DocumentStoreError>
  readonly status: Effect.Effect<Status, EventStoreError | DocumentStoreError>
}

/** A layer of a projection. */
export type ProjectionLayer<Name extends string, R = EventStore.EventStore | DocumentStore> = Layer.Layer<
  Service<Name>,
  ProjectionError | EventStoreError | DocumentStoreError,
  R
>

/** A projection: its definition, and what can be done with it. */
export interface Projection<in out Name extends string, in out E, in out Doc, in out Encoded> {
  readonly name: Name
  readonly version: number
  readonly events: Event.Set<E>
  readonly document: Schema.Codec<Doc, Encoded>
  readonly service: Context.Service<Service<Name>, Service<Name>>
  /** Which documents an event concerns. */
  readonly id: (event: Event.Recorded<E>) => ReadonlyArray<string>
  /** What an event makes of a document. */
  readonly evolve: Evolve<E, Doc>
  /** Its documents, as of the generation that is live for this version. */
  readonly queries: Effect.Effect<Queries.Queries<Doc, Encoded>, never, Service<Name>>
  /**
   * Waits until the documents reflect what was appended, given the receipts or a position: then queries see it. Fails with
   * `TimedOut` after 10 seconds, or as long as is given; at once if the projection has stopped.
   */
  readonly waitFor: (
    appended: Target,
    timeout?: Duration.Input
  ) => Effect.Effect<void, ProjectionError | DocumentStoreError, Service<Name>>
  /**
   * Makes all documents anew, beside those in use, which go on being kept up to date until the new ones have caught up and
   * take their place in one commit. Reports how far it has come, and ends when the new documents are live. If another
   * process is at it already, it waits for that one. One that was broken off is gone on with.
   */
  readonly rebuild: Stream.Stream<
    Progress,
    ProjectionError | EventStoreError | DocumentStoreError,
    Service<Name>
  >
  readonly status: Effect.Effect<Status, EventStoreError | DocumentStoreError, Service<Name>>
  /**
   * Keeps the documents up to date in the background, exactly once for every event: they are written together with how
   * far they go. (In a document store that has no transactions they are written before; events that come again leave
   * alone what they have changed.) One process does it, and another takes over when that one dies. It is ready when
   * there are documents of this version, so that one that starts with a new version builds them first. Processes of the
   * version before go on with theirs, until the last of them has ended.
   */
  readonly layer: ProjectionLayer<Name>
  /**
   * Writes the documents in the transaction of each append, so that queries see at once what was appended. What other
   * writers append without it (processes of another version are such) is taken in from the log; until that is done, some
   * milliseconds later, what is appended with it is not written at once either, but taken in after theirs: use `waitFor`
   * where there are such writers. It is ready when it has caught up. Needs a document store that
   * shares the transactions of the event store, or fails with `NotInline`. While an event cannot be taken in, appending it
   * fails with `InlineFailed`.
   */
  readonly layerInline: ProjectionLayer<Name>
  /** Keeps the documents in the memory of this process, made from the log at the start. It is ready when it has caught up. */
  readonly layerLive: ProjectionLayer<Name, EventStore.EventStore>
  /**
   * Only asks: other processes keep the documents up to date. Fails with `NotLive` before these have built them, and with
   * `Outdated` when they have been dropped for those of a newer version.
   */
  readonly layerQueries: ProjectionLayer<Name>
}

/** The type of a projection's documents: `Projection.Document<typeof CustomerHistory>`. */
export type Document<P> = P extends Projection<any, any, infer Doc, any> ? Doc : never

/** Defines a projection. Its name is a letter, then letters, digits and `_`; at most 40 characters. */
export const make = <
  const Name extends string,
  E extends { readonly _tag: string },
  // const, so that what `evolve` returns keeps its literals: `{ ...order, status: "paid" }` is not of a mere string.
  const Doc,
  Encoded
>(
  name: Name,
  options: Options<E, Doc, Encoded>
): Projection<Name, E, Doc, Encoded> => {
  const compiled = Compiled.make(name, options)
  const { definition } = compiled
  const service = Context.Service<Service<Name>, Service<Name>>(`dunnock/Projection/${name}`)
  const layer = (how: How) => Layer.effect(service, start<Name, Doc>(name, compiled, how))
  return {
    name,
    version: options.version,
    events: options.events,
    document: options.document,
    service,
    id: (event) => [options.id(event)].flat(),
    evolve: definition.evolve,
    queries: Effect.map(service, ({ queries }) => queries),
    waitFor: (appended, timeout = "10 seconds") =>
      Effect.flatMap(service, ({ waitFor }) => waitFor(positionOf(appended), timeout)),
    rebuild: Stream.unwrap(Effect.map(service, ({ rebuild }) => rebuild)),
    status: Effect.flatMap(service, ({ status }) => status),
    layer: layer("async"),
    layerInline: layer("inline"),
    layerLive: Layer.provide(layer("live"), layerMemory),
    layerQueries: layer("queries")
  }
}

type How = "async" | "inline" | "live" | "queries"

const layerMemory: Layer.Layer<DocumentStore> = Layer.sync(
  DocumentStore,
  () => MemoryDocuments.make("live").documents
)

const start = Effect.fnUntraced(function* <Name extends string, Doc>(
  name: Name,
  compiled: Compiled.Compiled<Doc>,
  how: How
) {
  const store = yield* EventStore.EventStore
  const documents = yield* DocumentStore
  if (how === "inline" && documents.log !== store.driver.store) {
    const reason = new NotInline({ projection: name, documents: documents.name, events: store.driver.name })
    return yield* Effect.fail(new ProjectionError({ reason }))
  }
  const running = yield* Running.make({ ...compiled, store, documents, works: how !== "queries" })
  if (how !== "queries") {
    yield* Running.ensureLive(running)
    yield* Effect.forkScoped(Running.keepLive(running, how === "inline"))
  }
  if (how === "inline") {
    yield* store.addInline(Inline.make(running))
    yield* Effect.forkScoped(Running.keepPointer(running))
  }
  if (how === "inline" || how === "live") {
    yield* ProgressOf.started(running)
  }
  const service: Service<Name> = {
    name,
    queries: Queries.make(running, compiled.model),
    waitFor: (position, timeout) => ProgressOf.waitFor(running, position, timeout),
    rebuild: ProgressOf.rebuild(running),
    status: ProgressOf.status(running)
  }
  return service
})
