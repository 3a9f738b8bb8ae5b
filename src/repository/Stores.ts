/**
 * The two stores of an adapter, which share a database and its transactions, and the layer that provides both. This is
 * how an adapter makes its `layer`.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as EventStore from "../event/EventStore.ts"
import type { EventStoreDriver, Inline } from "../event/EventStoreDriver.ts"
import { EventStoreError } from "../event/EventStoreError.ts"
import * as MemoryEvents from "../event/MemoryEvents.ts"
import { DocumentStore } from "./DocumentStore.ts"
import type { DocumentStoreError } from "./DocumentStoreError.ts"
import * as Input from "./Input.ts"
import * as MemoryDocuments from "./MemoryDocuments.ts"

/** What an adapter makes: events and documents, each by its port. */
export interface Stores {
  readonly events: EventStoreDriver
  readonly documents: DocumentStore
}

/** Stores in memory, empty at first. */
export const makeMemory: Effect.Effect<Stores> = /* @__PURE__ */ Effect.sync(() => {
  const name = MemoryEvents.newName()
  const { documents, writeInline } = MemoryDocuments.make(name)
  return { events: MemoryEvents.make(name, writeInline), documents }
})

/** A layer with both stores. Whatever reaches the drivers through it has been checked. */
export const layer = <E, R>(
  make: Effect.Effect<Stores, E, R>
): Layer.Layer<EventStore.EventStore | DocumentStore, E, Exclude<R, Scope.Scope>> =>
  Layer.effectContext(
    Effect.flatMap(make, ({ documents, events }) =>
      Effect.map(EventStore.make(checkedEvents(events)), (store) =>
        Context.make(EventStore.EventStore, store).pipe(Context.add(DocumentStore, checked(documents)))))
  )

/** A document store that takes nothing but good input. */
export const checked = (store: DocumentStore): DocumentStore => {
  const when = <A>(
    problem: DocumentStoreError | undefined,
    then: () => Effect.Effect<A, DocumentStoreError>
  ) => problem === undefined ? then() : Effect.fail(problem)
  const none: Effect.Effect<ReadonlyArray<never>> = Effect.succeed([])
  return {
    ...store,
    commit: (writes) =>
      when(Input.problemOfWrites(writes), () => writes.length === 0 ? none : store.commit(writes)),
    get: (collection, ids) =>
      when(
        Input.problemOfCollection(collection) ?? Input.problemOfIds(ids),
        () => ids.length === 0 ? none : store.get(collection, ids)
      ),
    find: (collection, selection) =>
      when(
        Input.problemOfCollection(collection) ?? Input.problemOfSelection(selection),
        () => store.find(collection, selection)
      ),
    count: (collection, selection) =>
      when(
        Input.problemOfCollection(collection) ??
          Input.problemOfSelection({ ...selection, sort: [], limit: 0, offset: 0 }),
        () => store.count(collection, selection)
      ),
    clearExpired: (collection) =>
      when(Input.problemOfCollection(collection), () => store.clearExpired(collection)),
    drop: (collection) => when(Input.problemOfCollection(collection), () => store.drop(collection))
  }
}

const checkedEvents = (events: EventStoreDriver): EventStoreDriver => ({
  ...events,
  append: (appends, inline) => events.append(appends, inline && checkedInline(inline))
})

const checkedInline = ({ read, write }: Inline): Inline => ({
  read: (events) => {
    const reads = read(events)
    for (const { collection, ids } of reads) {
      refuse(Input.problemOfCollection(collection) ?? Input.problemOfIds(ids))
    }
    return reads
  },
  write: (events, documents, before) => {
    const writes = write(events, documents, before)
    refuse(Input.problemOfWrites(writes))
    return writes
  }
})

const refuse = (problem: DocumentStoreError | undefined): void => {
  if (problem?.reason._tag === "InvalidInput") throw new EventStoreError({ reason: problem.reason })
}
