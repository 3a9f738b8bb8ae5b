// What a process knows of the log without asking. Not public.
import type { Append, Facts, StoredEvent } from "../../src/event/EventStoreDriver.ts"

/**
 * The newest event of the log and the revisions of the streams lately written or read. They are never ahead of the log,
 * though they may lag behind it: an insert that follows from them then violates a unique key, and writes nothing.
 */
export interface Heads {
  /** The newest event; undefined when it is not known, or it is known that others write. */
  readonly log: () => Facts["head"] | undefined
  /** The revision of a stream, if it is known. */
  readonly revision: (stream: string) => number | undefined
  /** A stream was found at this revision. */
  readonly saw: (stream: string, revision: number) => void
  /** The newest event was found to be this one; whether others write follows from that. */
  readonly found: (head: Facts["head"]) => void
  /** These were written, after the newest event. */
  readonly wrote: (events: ReadonlyArray<StoredEvent>) => void
  /** Somebody else has written: ask before the next append. */
  readonly contended: () => void
  /** Nothing is known any longer: after a broken connection it may be another server. */
  readonly forget: () => void
}

const capacity = 10_000

export const make = (): Heads => {
  let revisions = new Map<string, number>()
  /** Those of the streams that were used before the map above was last full. */
  let older = new Map<string, number>()
  let head: Facts["head"] | undefined
  let alone = false
  const known = (stream: string) => revisions.get(stream) ?? older.get(stream)
  const set = (stream: string, revision: number) => {
    if (revisions.size >= capacity) {
      older = revisions
      revisions = new Map()
    }
    revisions.set(stream, revision)
  }
  return {
    log: () => alone ? head : undefined,
    revision: known,
    saw: (stream, revision) => {
      if (revision >= (known(stream) ?? 0)) set(stream, revision)
    },
    found: (now) => {
      alone = head === undefined || head.position === now.position
      head = now
    },
    wrote: (events) => {
      for (const { revision, stream } of events) set(stream, revision)
      head = events[events.length - 1] ?? head
    },
    contended: () => {
      alone = false
    },
    forget: () => {
      revisions = new Map()
      older = new Map()
      head = undefined
      alone = false
    }
  }
}

/**
 * The revision that a stream has if the append is to happen: the one that is known, or that a new stream has. Undefined
 * if it takes asking: a revision that were assumed too high would leave a gap.
 */
export const assumed = (
  heads: Heads,
  appends: ReadonlyArray<Append>
): ((stream: string) => number) | undefined => {
  const revisions = new Map<string, number>()
  for (const { condition, streams } of appends) {
    if (condition !== undefined) return undefined
    for (const { expected, stream } of streams) {
      const revision = revisions.get(stream) ?? heads.revision(stream) ??
        (expected === "none" || expected === 0 ? 0 : undefined)
      if (revision === undefined) return undefined
      revisions.set(stream, revision)
    }
  }
  return (stream) => revisions.get(stream)!
}
