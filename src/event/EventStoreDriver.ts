/**
 * The narrow port that an adapter implements: encoded events in, encoded events out. Schemas, upcasting, paging, group
 * commit and live subscriptions are written once, in `EventStore`, on top of it.
 *
 * An adapter writes {@link EventStoreDriver} and passes it to `EventStore.layer`; `dunnock/testing` holds the contract
 * that shows it to be right.
 *
 * @module
 */
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Collection, StoredDocument, Write } from "../repository/DocumentStore.ts"
import {
  ConditionFailed,
  Conflict,
  DuplicateEventId,
  type EventStoreError,
  InvalidInput,
  type Reason
} from "./EventStoreError.ts"

/**
 * What a stream must be like for an append to happen: `"any"` may be anything, `"none"` has no events, `"exists"` has
 * some, a number is its exact revision (0 is the same as `"none"`).
 */
export type Expected = "any" | "none" | "exists" | number

/**
 * Which events of the log: of one of the `types` (any when absent), with all of the `tags`, in streams whose name begins
 * with `streamPrefix`. A list of queries asks for the events that match at least one.
 */
export interface Query {
  readonly streamPrefix?: string
  readonly types?: ReadonlyArray<string>
  readonly tags?: ReadonlyArray<string>
}

/** An event to be appended. */
export interface NewEvent {
  /** Its id, if the writer gave one; undefined means {@link givenId}. */
  readonly id: string | undefined
  readonly type: string
  readonly version: number
  /** JSON text. */
  readonly data: string
  readonly tags: ReadonlyArray<string>
  /** JSON text of an object. */
  readonly metadata: string
}

/** An event of the log. */
export interface StoredEvent extends NewEvent {
  readonly stream: string
  /** 1, 2, … in its stream. */
  readonly revision: number
  /** Its place in the log: grows, and is never given twice. */
  readonly position: number
  /** Milliseconds since 1970 UTC; never falls along the log. */
  readonly recordedAt: number
}

/** Events for one stream; at least one. */
export interface StreamAppend {
  readonly stream: string
  readonly expected: Expected
  readonly events: ReadonlyArray<NewEvent>
}

/** Events for one or more streams, each named once, which are written whole or not at all. */
export interface Append {
  readonly streams: ReadonlyArray<StreamAppend>
  /** Nothing is written if an event after the position matches one of the queries. */
  readonly condition: { readonly queries: ReadonlyArray<Query>; readonly after: number } | undefined
}

/** Where the last of a stream's appended events stands. */
export interface Receipt {
  readonly stream: string
  readonly revision: number
  readonly position: number
}

/** What came of an append that is in the log. */
export interface Appended {
  /** A receipt for each stream, in their order. */
  readonly receipts: ReadonlyArray<Receipt>
  /** Whether it was there before, and nothing was written now: what was written then may have had other data. */
  readonly repeated: boolean
}

/** What came of an append, or why it was not written. */
export type Outcome = Result.Result<Appended, Reason>

/** A part of the log. */
export interface LogPage {
  /** At most `limit` matching events, in order. */
  readonly events: ReadonlyArray<StoredEvent>
  /**
   * Every matching event up to this position has been given, and none will ever be added there: reading goes on after
   * it. It is the asked `after` when there is nothing more, and greater otherwise, even if no event on the way matched:
   * a driver may end a page early.
   */
  readonly upTo: number
}

/** A folded state kept to shorten later reads. */
export interface Snapshot {
  readonly revision: number
  readonly position: number
  /** Names the definition that wrote it. */
  readonly fingerprint: string
  /** JSON text. */
  readonly state: string
}

/** Documents that are written in the transaction of an append: what an inline projection makes of its events. */
export interface Inline {
  /** What is to be read, in the transaction, before writing. */
  readonly read: (
    events: ReadonlyArray<StoredEvent>
  ) => ReadonlyArray<{ readonly collection: Collection; readonly ids: ReadonlyArray<string> }>
  /**
   * What is to be written, given what was read, in the same order, and the position of the newest event before these.
   * May throw an `EventStoreError`; nothing is written then, and the append fails with it.
   */
  readonly write: (
    events: ReadonlyArray<StoredEvent>,
    documents: ReadonlyArray<ReadonlyArray<StoredDocument | undefined>>,
    before: number
  ) => ReadonlyArray<Write>
}

/** What a store does with encoded events. Effects may be interrupted; an append that was begun is then left to finish. */
export interface EventStoreDriver {
  /** Names the store in errors: its kind and where it is. */
  readonly name: string
  /** The unique name under which the store gives ids: a UUID that was made, and is kept, with it. */
  readonly store: string
  /**
   * Whether a commit costs so much more than an event that it pays to let every append of the current turn of the event
   * loop join it.
   */
  readonly groupCommit: boolean
  /**
   * Commits appends in one transaction, in their order, each keeping its own outcome: one that is refused leaves the
   * others alone and is not seen by them. {@link plan} decides the outcomes. When the effect fails nothing was written,
   * except for the reason `OutcomeUnknown`.
   *
   * With `inline`, what it makes of the events to be inserted, if there are any, is written in the same transaction, in
   * the document store whose `log` is this `store`; its writes expect what has just been read.
   */
  readonly append: (
    appends: ReadonlyArray<Append>,
    inline?: Inline
  ) => Effect.Effect<ReadonlyArray<Outcome>, EventStoreError>
  /**
   * A part of a stream in the given direction, starting at revision `from` itself, which may be Infinity backwards: the
   * last. Fewer than `limit` events mean that there are no more. When `bare` is asked for, ids, tags and
   * metadata may be left out: they are not looked at.
   */
  readonly readStream: (options: {
    readonly bare: boolean
    readonly stream: string
    readonly direction: "forwards" | "backwards"
    readonly from: number
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<StoredEvent>, EventStoreError>
  /** Events after a position that match one of the queries (all of them when there is none). */
  readonly readLog: (options: {
    readonly after: number
    readonly limit: number
    readonly queries: ReadonlyArray<Query>
  }) => Effect.Effect<LogPage, EventStoreError>
  /** The event with an id. */
  readonly find: (id: string) => Effect.Effect<StoredEvent | undefined, EventStoreError>
  /** The position of the newest event, 0 when there is none. */
  readonly head: Effect.Effect<number, EventStoreError>
  /**
   * Called before reading: the effect ends when another process may have appended since the call, on its signal or after
   * a while. Never, where there is no other. The appends of this process need no signal.
   */
  readonly changed: () => Effect.Effect<void>
  /** The newest snapshot of a stream. */
  readonly readSnapshot: (stream: string) => Effect.Effect<Snapshot | undefined, EventStoreError>
  /** Replaces the snapshot of a stream. */
  readonly writeSnapshot: (stream: string, snapshot: Snapshot) => Effect.Effect<void, EventStoreError>
}

/** What an adapter guarantees beyond the promises that every adapter keeps. */
export interface Guarantees {
  /** What was written is there when the store is opened again. */
  readonly durable: boolean
  /** Several processes may have the same store open. */
  readonly shared: boolean
}

/** What a store knows of an event by its id. */
export interface EventPlace {
  readonly stream: string
  readonly revision: number
  readonly position: number
}

/**
 * The id that a store gives to an event that came without one. It is made of what the event has anyway, so that a store
 * need not keep it nor index it: the place of such an event is in its id.
 */
export const givenId = (store: string, position: number): string => `${store}:${position}`

/** The position in an id of the store's own make; undefined if it is of another. NaN when no event can ever have it. */
export const positionOf = (store: string, id: string): number | undefined =>
  id.startsWith(`${store}:`) ? Number(id.slice(store.length + 1)) : undefined

/** What {@link plan} must know of the store, as of the transaction that will write. */
export interface Facts {
  /** The unique name of the store. */
  readonly store: string
  /** The newest event's position and time, both 0 when there is none. */
  readonly head: { readonly position: number; readonly recordedAt: number }
  /** The revision of a stream, 0 when it has no events. */
  readonly revision: (stream: string) => number
  /** Where the event with an id is, if there is one; asked only for ids that writers gave. */
  readonly byId: (id: string) => EventPlace | undefined
  /** An event in the store after the condition's position that matches it. */
  readonly match: (
    condition: NonNullable<Append["condition"]>
  ) => { readonly position: number; readonly stream: string; readonly type: string } | undefined
  /** Now, in milliseconds since 1970 UTC. */
  readonly now: number
}

/**
 * Decides a batch of appends against a store's facts: the outcome of each, and the events to insert. This is where the
 * rules of appending are, for every adapter: expectations, conditions, repeats, numbering.
 */
export const plan = (
  appends: ReadonlyArray<Append>,
  facts: Facts
): { readonly outcomes: ReadonlyArray<Outcome>; readonly events: ReadonlyArray<StoredEvent> } => {
  const events: Array<StoredEvent> = []
  const recordedAt = Math.max(facts.now, facts.head.recordedAt)
  // What the appends of this batch add to the facts, of use to those after them.
  const isBatch = appends.length > 1
  const revisions = new Map<string, number>()
  const given = new Map<string, EventPlace>()
  const revisionOf = (stream: string) => revisions.get(stream) ?? facts.revision(stream)
  const placeOf = (id: string) => given.get(id) ?? facts.byId(id)
  let position = facts.head.position

  const insert = ({ events: added, stream }: StreamAppend, before: number): Receipt => {
    let revision = before
    for (const { data, id, metadata, tags, type, version } of added) {
      revision++
      position++
      const stored = { position, stream, revision, id, type, version, data, metadata, tags, recordedAt }
      events.push(stored)
      if (isBatch && id !== undefined) given.set(id, stored)
    }
    if (isBatch) revisions.set(stream, revision)
    return { stream, revision, position }
  }

  const decide = (append: Append): Outcome => {
    const { condition, streams } = append
    if (streams.some(hasIds)) {
      const settled = repeatOf(append, placeOf) ?? reservedIn(append, facts.store)
      if (settled !== undefined) return settled
    }
    const actuals = streams.map(({ stream }) => revisionOf(stream))
    for (const [i, { expected, stream }] of streams.entries()) {
      const actual = actuals[i]!
      if (!meets(expected, actual)) return Result.fail(new Conflict({ stream, expected, actual }))
    }
    if (condition !== undefined) {
      const { after, queries } = condition
      const found = facts.match(condition) ??
        events.find((event) => event.position > after && matches(queries, event))
      if (found !== undefined) {
        const { position, stream, type } = found
        return Result.fail(new ConditionFailed({ after, position, stream, type }))
      }
    }
    return Result.succeed({
      receipts: streams.map((write, i) => insert(write, actuals[i]!)),
      repeated: false
    })
  }

  return { outcomes: appends.map(decide), events }
}

const hasIds = ({ events }: StreamAppend): boolean => events.some(({ id }) => id !== undefined)

const meets = (expected: Expected, actual: number): boolean =>
  expected === "any" ||
  (expected === "none" ? actual === 0 : expected === "exists" ? actual > 0 : actual === expected)

/** The first result again if the append has been written before; a refusal if only its ids have been used. */
const repeatOf = (append: Append, find: (id: string) => EventPlace | undefined): Outcome | undefined => {
  const placeOf = (id: string | undefined) => id === undefined ? undefined : find(id)
  const receipts: Array<Receipt> = []
  let isNew = false
  let used: { readonly id: string; readonly stream: string; readonly place: EventPlace } | undefined
  for (const { events, expected, stream } of append.streams) {
    const first = placeOf(events[0]!.id)?.revision ?? 0
    // What the stream's revision was when it was written, if it was.
    let same = first > 0 && meets(expected, first - 1)
    let last: EventPlace | undefined
    for (let i = 0; i < events.length; i++) {
      const id = events[i]!.id
      last = placeOf(id)
      if (last === undefined) isNew = true
      else used ??= { id: id!, stream, place: last }
      same &&= last?.stream === stream && last.revision === first + i
    }
    if (same) receipts.push({ stream, revision: last!.revision, position: last!.position })
    else isNew = true
  }
  if (used === undefined) return undefined
  if (!isNew) return Result.succeed({ receipts, repeated: true })
  const { id, place, stream } = used
  return Result.fail(
    new DuplicateEventId({ id, stream, existingStream: place.stream, existingRevision: place.revision })
  )
}

/** A refusal if one of the ids is one that the store will give. */
const reservedIn = ({ streams }: Append, store: string): Outcome | undefined => {
  const ids = streams.flatMap(({ events }) => events.flatMap(({ id }) => id ?? []))
  const reserved = ids.find((id) => positionOf(store, id) !== undefined)
  return reserved === undefined
    ? undefined
    : Result.fail(new InvalidInput({ at: "id", problem: `"${reserved}" is an id that this store gives` }))
}

/** Whether an event matches at least one of the queries; with no queries every event does. */
export const matches = (
  queries: ReadonlyArray<Query>,
  event: { readonly stream: string; readonly type: string; readonly tags: ReadonlyArray<string> }
): boolean =>
  queries.length === 0 ||
  queries.some(({ streamPrefix, tags, types }) =>
    (streamPrefix === undefined || event.stream.startsWith(streamPrefix)) &&
    (types === undefined || types.includes(event.type)) &&
    (tags === undefined || tags.every((tag) => event.tags.includes(tag)))
  )
