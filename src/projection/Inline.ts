// A projection in the transactions of appends. Not public.
import type { Inline, StoredEvent } from "../event/EventStoreDriver.ts"
import { EventStoreError, InlineFailed } from "../event/EventStoreError.ts"
import type { StoredDocument, Write } from "../repository/DocumentStore.ts"
import * as Generations from "./Generations.ts"
import * as ProjectionFold from "./ProjectionFold.ts"
import type { Running } from "./Running.ts"

/**
 * Writes what events make of documents with the append of these events: of the live generation, and of one that is being
 * built, so that there is no gap when it becomes live. A generation that does not stand right before these events (others
 * have appended without it) or is no longer there gets nothing: it is brought up to date from the log.
 */
export const make = <Doc>(running: Running<Doc>): Inline => {
  const { definition, store } = running
  let last: { readonly events: ReadonlyArray<StoredEvent>; readonly ready: Ready } | undefined
  const readied = (events: ReadonlyArray<StoredEvent>): Ready => {
    if (last?.events !== events) {
      const ours = events.filter(({ type }) => definition.events.codecs.has(type))
      const prepared = ProjectionFold.prepare(definition, store.driver.store, ours)
      const ids = [...new Set(prepared.concerned.flatMap((one) => one.ids))]
      last = { events, ready: { prepared, ids, count: ours.length, generations: generationsOf(running) } }
    }
    return last.ready
  }
  return {
    read: (events) => {
      const { generations, ids } = readied(events)
      return generations.flatMap(({ generation }) => [
        { collection: Generations.collection, ids: [Generations.checkpointId(definition.name, generation)] },
        { collection: Generations.documentsOf(definition.name, running.indexes, generation), ids }
      ])
    },
    write: (events, found, before) => {
      const ready = readied(events)
      const position = events[events.length - 1]!.position
      last = undefined
      return ready.generations.flatMap((target, i) => {
        const checkpoint = Generations.toCheckpoint(found[2 * i]![0])
        if (checkpoint === undefined) running.here.moved.notify()
        return checkpoint?.position === before
          ? writesOf(running, ready, target, checkpoint, position, found[2 * i + 1]!)
          : []
      })
    }
  }
}

interface Ready {
  readonly prepared: ProjectionFold.Prepared
  /** The documents that they concern. */
  readonly ids: ReadonlyArray<string>
  /** How many events of the projection there are. */
  readonly count: number
  readonly generations: ReadonlyArray<Target>
}

interface Target {
  readonly generation: number
  readonly isLive: boolean
}

const generationsOf = <Doc>({ lastPointer, version }: Running<Doc>): ReadonlyArray<Target> => {
  const pointer = lastPointer()
  if (pointer === undefined) return []
  const { building } = pointer
  const generation = Generations.ofVersion(pointer, version)
  return [
    ...(generation !== undefined ? [{ generation, isLive: true }] : []),
    ...(building?.version === version ? [{ generation: building.generation, isLive: false }] : [])
  ]
}

const writesOf = <Doc>(
  { definition, indexes }: Running<Doc>,
  { count, ids, prepared }: Ready,
  { generation, isLive }: Target,
  checkpoint: Generations.Checkpoint,
  position: number,
  found: ReadonlyArray<StoredDocument | undefined>
): ReadonlyArray<Write> => {
  const collection = Generations.documentsOf(definition.name, indexes, generation)
  const entries = new Map(ids.map((id, i) => [id, found[i]]))
  const { changes, failures } = ProjectionFold.fold(
    definition,
    prepared,
    (id) => ProjectionFold.toEntry(definition, entries.get(id)),
    { guarded: false, check: "at the end" }
  )
  const failure = failures[failures.length - 1]
  if (failure !== undefined && definition.onFailure === "stop") {
    // The one that is being built says so itself, when it comes to this event.
    if (!isLive) return []
    throw new EventStoreError({
      reason: new InlineFailed({ projection: definition.name, problem: failure.message })
    })
  }
  return [
    ...changes.map((change) => ProjectionFold.toWrite(collection, change, "any")),
    Generations.advance(definition.name, generation, checkpoint.at, position, {
      handled: checkpoint.handled + count - failures.length,
      skipped: checkpoint.skipped + failures.length,
      failure: failure === undefined ? checkpoint.failure : Generations.toFailure(failure),
      removing: []
    })
  ]
}
