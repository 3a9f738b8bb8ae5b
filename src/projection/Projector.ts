// Brings the documents of a generation up to date with the log, page by page. Not public.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as EventStore from "../event/EventStore.ts"
import type { StoredEvent } from "../event/EventStoreDriver.ts"
import type { EventStoreError } from "../event/EventStoreError.ts"
import type { DocumentStore, Field, Write } from "../repository/DocumentStore.ts"
import { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Generations from "./Generations.ts"
import * as Known from "./Known.ts"
import type { Failed } from "./ProjectionError.ts"
import * as ProjectionFold from "./ProjectionFold.ts"

/** A projection over its stores. */
export interface Projector<Doc> {
  readonly definition: ProjectionFold.Definition<Doc>
  readonly indexes: ReadonlyArray<Field>
  readonly store: EventStore.EventStore
  readonly documents: DocumentStore
  /** Told of every step, and of how many events were taken in with it. */
  readonly onStep: (generation: number, standing: Standing, handled: number) => void
}

/** How far a run has come. */
export interface Standing {
  readonly checkpoint: Generations.Checkpoint
  /** Where it is; beyond its checkpoint if there was nothing to write. */
  readonly position: number
  /** The position of the newest event of the log, as last seen. */
  readonly head: number
  /** When a position was last written, in milliseconds since 1970 UTC. */
  readonly savedAt: number
}

/**
 * What to do when there are no more events: go on reading, begin again at the checkpoint (which others may have moved), or
 * end. `changed` ends when there may be more.
 */
export type AtEnd<E> = (
  standing: Standing,
  changed: Effect.Effect<void>
) => Effect.Effect<"go on" | "save" | "again" | "end", E>

/** Pages of the log: small at first, for whoever waits for it, but soon large; and not too large for the memory. */
const firstSize = 256
const largestSize = 10_000
const largestPage = 8_000_000

/** How long a position for which there was nothing to write may go unwritten, in milliseconds. */
export const unsavedFor = 100

interface Page {
  readonly events: ReadonlyArray<StoredEvent>
  readonly upTo: number
  readonly head: number
  /** Asked for before reading. */
  readonly changed: Effect.Effect<void>
}

/**
 * Takes in the events of the log after the checkpoint of a generation. Ends with `false` when the generation has been
 * retired. While a page is worked on the next is read. A commit that fails ends it: what is known of the documents may
 * be wrong then, and it has to be run again.
 */
export const run = <Doc, E>(
  projector: Projector<Doc>,
  generation: number,
  atEnd: AtEnd<E>
): Effect.Effect<boolean, E | Failed | EventStoreError | DocumentStoreError> =>
  Effect.scoped(Effect.gen(function* () {
    while (true) {
      const checkpoint = yield* Generations.readCheckpoint(
        projector.documents,
        projector.definition.name,
        generation
      )
      if (checkpoint === undefined) return false
      const then = yield* follow(projector, generation, checkpoint, atEnd).pipe(
        // Others have moved the checkpoint: a transaction of an append, or whoever has the lease by now.
        Effect.catchIf(isConflict, () => Effect.succeed("again" as const))
      )
      if (then === "end") return true
    }
  }))

/** Whether another was first. */
export const isConflict = (error: unknown): error is DocumentStoreError =>
  error instanceof DocumentStoreError && error.reason._tag === "VersionConflict"

const follow = Effect.fnUntraced(function* <Doc, E>(
  projector: Projector<Doc>,
  generation: number,
  begin: Generations.Checkpoint,
  atEnd: AtEnd<E>
) {
  const { documents, onStep } = projector
  const writer = makeWriter(projector, generation, begin)
  yield* writer.settle
  const known = Known.make(
    projector.definition,
    documents,
    writer.collection,
    begin.at === 1 && begin.position === 0 && documents.transactional
  )
  let position = begin.position
  let size = firstSize
  let savedAt = yield* Clock.currentTimeMillis
  let next: Effect.Effect<Page, EventStoreError> = readPage(projector, position, size)
  let head = position
  let isTold = false
  const standing = (): Standing => ({ checkpoint: writer.checkpoint(), position, head, savedAt })
  while (true) {
    const page: Page = yield* next
    const { changed, events, upTo } = page
    head = page.head
    if (!isTold) onStep(generation, standing(), 0)
    isTold = true
    if (upTo <= position) {
      const then = yield* atEnd(standing(), changed)
      if (then === "end" || then === "again") return then
      if (then === "save" && position > writer.checkpoint().position) {
        yield* writer.write(position, [], 0, [])
        savedAt = yield* Clock.currentTimeMillis
      }
      next = readPage(projector, position, size)
      continue
    }
    size = nextSize(size, events)
    const reading = yield* Effect.forkScoped(readPage(projector, upTo, size))
    next = Fiber.join(reading)
    const reached = yield* takeIn(projector, writer, known, events, upTo, savedAt)
    position = upTo
    savedAt = reached
    onStep(generation, standing(), events.length)
  }
})

const readPage = <Doc>(
  { definition, store }: Projector<Doc>,
  after: number,
  limit: number
): Effect.Effect<Page, EventStoreError> =>
  Effect.suspend(() => {
    // Asked for before reading, so that an append in between is not missed.
    const changed = store.changed()
    return Effect.flatMap(
      store.driver.readLog({ after, limit, queries: [{ types: definition.events.types }] }),
      ({ events, upTo }) =>
        // A page that neither is full nor has come far mostly ends with the log.
        Effect.map(
          events.length < limit && upTo - after < limit ? Effect.succeed(upTo) : store.head,
          (head) => ({ events, upTo, head, changed })
        )
    )
  })

const nextSize = (size: number, events: ReadonlyArray<StoredEvent>): number => {
  if (events.length === 0) return size
  const length = events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0)
  const fitting = Math.floor(largestPage * events.length / length)
  return Math.max(1, Math.min(size * 4, largestSize, fitting))
}

/** Takes in a page, in one commit, and says when it was saved. */
const takeIn = Effect.fnUntraced(function* <Doc>(
  { definition, store }: Projector<Doc>,
  writer: Writer<Doc>,
  known: Known.Known<Doc>,
  events: ReadonlyArray<StoredEvent>,
  upTo: number,
  savedAt: number
) {
  const now = yield* Clock.currentTimeMillis
  if (events.length === 0 && now - savedAt < unsavedFor) return savedAt
  const prepared = ProjectionFold.prepare(definition, store.driver.store, events)
  yield* known.load(prepared)
  const write = (check: ProjectionFold.Way["check"]) =>
    Effect.suspend(() => {
      const { changes, failures } = ProjectionFold.fold(definition, prepared, known.entry, {
        guarded: !writer.fenced,
        check
      })
      const stopped = definition.onFailure === "stop" ? failures[0] : undefined
      const reached = stopped === undefined ? upTo : stopped.position - 1
      const handled = stopped === undefined
        ? events.length - failures.length
        : events.findIndex(({ position }) => position === stopped.position)
      return Effect.map(writer.write(reached, changes, handled, failures), (versions) => {
        known.remember(changes, versions)
        return { failures, stopped }
      })
    })
  const { failures, stopped } = yield* Effect.catchReason(
    write("not"),
    "DocumentStoreError",
    "InvalidInput",
    // One of the documents cannot be stored: whose fault is it?
    () => write("at each step")
  )
  for (const failure of failures) yield* Effect.logError(failure.message)
  if (stopped !== undefined) return yield* Effect.fail(stopped)
  return now
})

interface Writer<Doc> {
  readonly collection: ReturnType<typeof Generations.documentsOf>
  /** Whether the checkpoint guards the documents: they are written together or not at all. */
  readonly fenced: boolean
  readonly checkpoint: () => Generations.Checkpoint
  /** Finishes what a commit that broke off has left. */
  readonly settle: Effect.Effect<void, DocumentStoreError>
  /** Writes what has changed and how far it goes; gives the new versions of the documents. */
  readonly write: (
    position: number,
    changes: ReadonlyArray<ProjectionFold.Change<Doc>>,
    handled: number,
    failures: ReadonlyArray<Failed>
  ) => Effect.Effect<ReadonlyArray<number>, DocumentStoreError>
}

const makeWriter = <Doc>(
  { definition: { name, onFailure }, documents, indexes }: Projector<Doc>,
  generation: number,
  begin: Generations.Checkpoint
): Writer<Doc> => {
  const collection = Generations.documentsOf(name, indexes, generation)
  const fenced = documents.transactional
  let checkpoint = begin
  const countsAfter = (
    changes: ReadonlyArray<ProjectionFold.Change<Doc>>,
    handled: number,
    failures: ReadonlyArray<Failed>
  ): Generations.Counts => {
    const last = failures[failures.length - 1]
    return {
      handled: checkpoint.handled + handled,
      skipped: checkpoint.skipped + (onFailure === "skip" ? failures.length : 0),
      failure: last !== undefined
        ? Generations.toFailure(last)
        : onFailure === "skip"
        ? checkpoint.failure
        : null,
      removing: fenced ? [] : changes.flatMap(({ id, text }) => text === undefined ? [id] : [])
    }
  }
  /** Moves the checkpoint, after other writes; gives the versions of these. */
  const commit = (writes: ReadonlyArray<Write>, position: number, counts: Generations.Counts) =>
    Effect.map(
      documents.commit([...writes, Generations.advance(name, generation, checkpoint.at, position, counts)]),
      (versions) => {
        checkpoint = { ...counts, position, at: versions[writes.length]! }
        return versions
      }
    )
  /** Removes what the checkpoint says is to go. */
  const settle = Effect.suspend(() => {
    const { position, removing } = checkpoint
    if (removing.length === 0) return Effect.void
    const removes = removing.map((id): Write => ({ op: "remove", collection, id, expected: "any" }))
    return Effect.asVoid(commit(removes, position, { ...checkpoint, removing: [] }))
  })
  return {
    collection,
    fenced,
    checkpoint: () => checkpoint,
    settle,
    write: (position, changes, handled, failures) => {
      const counts = countsAfter(changes, handled, failures)
      if (fenced) {
        const writes = changes.map((change) => ProjectionFold.toWrite(collection, change, "any"))
        return commit(writes, position, counts)
      }
      // One by one: a document that is ahead of the checkpoint is left alone when its events come again, which is why
      // those that go are there until the checkpoint has moved.
      const puts = changes.flatMap((change) =>
        change.text === undefined ? [] : [ProjectionFold.toWrite(collection, change, "version")]
      )
      return Effect.flatMap(commit(puts, position, counts), (versions) => {
        let i = 0
        return Effect.as(settle, changes.map(({ text }) => text === undefined ? 0 : versions[i++]!))
      })
    }
  }
}
