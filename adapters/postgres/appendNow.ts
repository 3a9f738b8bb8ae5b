// The append of one statement: decided before the log is asked, on assumptions that the statement verifies.
import * as Result from "effect/Result"
import {
  type Append,
  type Appended,
  type Expected,
  type Outcome,
  plan,
  positionOf,
  type StoredEvent
} from "../../src/event/EventStoreDriver.ts"
import type { Rows, Statement } from "../sql/EventLog.ts"
import { integerArray, numberArray, textArray } from "./values.ts"

/** A stream of a batch. */
interface Assumed {
  /** Its place among those of the batch, from 1 on. */
  readonly place: number
  /** What is assumed of its revision: -1 means any but 0, null any at all. */
  readonly revision: number | null
  /** The revision that it is planned with: where another one may be found, the numbers of the plan are moved by it. */
  readonly planned: number
}

/** An append in one statement, and what it comes to, given the row that the statement gave. */
export interface Attempt {
  readonly statement: Statement
  /** Undefined if what was assumed is not so; nothing was written then. */
  readonly outcomes: (rows: Rows) => ReadonlyArray<Outcome> | undefined
}

/** Undefined if the outcomes depend on more than can be assumed. */
export const attempt = (
  appends: ReadonlyArray<Append>,
  store: string,
  now: number
): Attempt | undefined => {
  const streams = assume(appends, store)
  if (streams === undefined) return undefined
  const { events, outcomes } = plan(appends, {
    store,
    head: { position: 0, recordedAt: 0 },
    revision: (stream) => streams.get(stream)!.planned,
    byId: () => undefined,
    match: () => undefined,
    now
  })
  // One that is refused by others of its batch may be a repeat, or refused for a stream of which nothing is known.
  if (outcomes.some(Result.isFailure)) return undefined
  return {
    statement: toStatement(streams, events, now),
    outcomes: ([row]) => {
      const [before, revisions] = row as [number | null, ReadonlyArray<number>]
      return before === null
        ? undefined
        : outcomes.map((outcome) =>
          Result.map(outcome, ({ receipts, repeated }): Appended => ({
            receipts: receipts.map(({ position, revision, stream }) => {
              const { place, planned } = streams.get(stream)!
              return {
                stream,
                revision: revision - planned + revisions[place - 1]!,
                position: position + before
              }
            }),
            repeated
          }))
        )
    }
  }
}

const isOpen = (expected: Expected): boolean => expected === "any" || expected === "exists"

/** What appends assume of their streams. */
const assume = (appends: ReadonlyArray<Append>, store: string): ReadonlyMap<string, Assumed> | undefined => {
  const assumed = new Map<string, Assumed>()
  for (const { condition, streams } of appends) {
    if (condition !== undefined) return undefined
    for (const { events, expected, stream } of streams) {
      const known = assumed.get(stream)
      if (known === undefined) {
        const revision = expected === "none"
          ? 0
          : expected === "any"
          ? null
          : expected === "exists"
          ? -1
          : expected
        assumed.set(stream, { place: assumed.size + 1, revision, planned: Math.abs(revision ?? 0) })
      } else if (!isOpen(expected) && (known.revision ?? -1) < 0) return undefined
      if (events.some(({ id }) => id !== undefined && positionOf(store, id) !== undefined)) return undefined
    }
  }
  return assumed
}

const sql = `select before, revisions from dunnock_append(${
  Array.from({ length: 15 }, (_, i) => `$${i + 1}`).join(", ")
})`

const toStatement = (
  assumed: ReadonlyMap<string, Assumed>,
  events: ReadonlyArray<StoredEvent>,
  now: number
): Statement => {
  const ids = events.map(({ id }) => id ?? null)
  const ofEvents = events.map(({ stream }) => assumed.get(stream)!)
  const { names, places } = tagsOf(events)
  return [sql, [
    textArray([...assumed.keys()]),
    numberArray(Array.from(assumed.values(), ({ revision }) => revision)),
    textArray(ids.filter((id) => id !== null)),
    textArray(events.map(({ stream }) => stream)),
    integerArray(ofEvents.map(({ place }) => place)),
    integerArray(events.map(({ revision }, i) => revision - ofEvents[i]!.planned)),
    textArray(ids),
    textArray(events.map(({ type }) => type)),
    numberArray(events.map(({ version }) => version)),
    textArray(events.map(({ data }) => data)),
    textArray(events.map(metadataOf)),
    textArray(events.map(tagsTextOf)),
    textArray(names),
    integerArray(places),
    now
  ]]
}

/** What is empty is null: it costs less to read. */
const metadataOf = ({ metadata }: StoredEvent): string | null => metadata === "{}" ? null : metadata

const tagsTextOf = ({ tags }: StoredEvent): string | null => tags.length === 0 ? null : JSON.stringify(tags)

/** Each tag of each event once, and the place of the event, from 1 on. */
export const tagsOf = (events: ReadonlyArray<StoredEvent>) => {
  const names: Array<string> = []
  const places: Array<number> = []
  for (const [i, { tags }] of events.entries()) {
    if (tags.length === 0) continue
    for (const tag of new Set(tags)) {
      names.push(tag)
      places.push(i + 1)
    }
  }
  return { names, places }
}
