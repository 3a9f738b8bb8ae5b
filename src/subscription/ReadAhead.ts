// The events of a shard that have been read and not yet been passed by the checkpoint. Not public.
import type { StoredEvent } from "../event/EventStoreDriver.ts"

/** An event on its way. */
export interface Entry {
  readonly event: StoredEvent
  done: boolean
}

/** The events of one stream, in order. */
export interface Lane {
  readonly stream: string
  readonly waiting: Array<Entry>
  /** Somebody works on it, or it waits for somebody. */
  taken: boolean
  /** What was parked of it is to be dealt with first. */
  requested: boolean
}

export interface ReadAhead {
  /** How many events are in it. */
  readonly size: () => number
  /** How long their data are, in characters. */
  readonly length: () => number
  /** Up to here everything is done. */
  readonly reached: () => number
  /** Everything up to a position has been read: these events of it are to be handled. */
  readonly add: (events: ReadonlyArray<StoredEvent>, upTo: number) => void
  /** What was parked of a stream is to be dealt with, before anything else of it. */
  readonly request: (stream: string) => void
  /** The lane whose turn it is: of the oldest event that waits. It is to be given back. */
  readonly take: () => Lane | undefined
  readonly giveBack: (lane: Lane) => void
  readonly finish: (entries: ReadonlyArray<Entry>) => void
}

export const make = (start: number): ReadAhead => {
  const lanes = new Map<string, Lane>()
  /** Sorted by what is next in each. */
  const ready: Array<Lane> = []
  let entries: Array<Entry> = []
  let first = 0
  let length = 0
  let upTo = start

  const lane = (stream: string): Lane => {
    let found = lanes.get(stream)
    if (found === undefined) {
      lanes.set(stream, found = { stream, waiting: [], taken: false, requested: false })
    }
    return found
  }

  const turn = ({ requested, waiting }: Lane) => requested ? 0 : waiting[0]!.event.position

  const enqueue = (lane: Lane) => {
    lane.taken = true
    const mine = turn(lane)
    let at = ready.length
    while (at > 0 && turn(ready[at - 1]!) > mine) at--
    ready.splice(at, 0, lane)
  }

  return {
    size: () => entries.length - first,
    length: () => length,
    reached: () => first < entries.length ? entries[first]!.event.position - 1 : upTo,
    add: (events, to) => {
      upTo = to
      for (const event of events) {
        const entry = { event, done: false }
        entries.push(entry)
        length += event.data.length
        const its = lane(event.stream)
        its.waiting.push(entry)
        if (!its.taken) enqueue(its)
      }
    },
    request: (stream) => {
      const its = lane(stream)
      its.requested = true
      if (!its.taken) enqueue(its)
    },
    take: () => ready.shift(),
    giveBack: (lane) => {
      lane.taken = false
      if (lane.requested || lane.waiting.length > 0) enqueue(lane)
      else lanes.delete(lane.stream)
    },
    finish: (done) => {
      for (const entry of done) entry.done = true
      for (; first < entries.length && entries[first]!.done; first++) {
        length -= entries[first]!.event.data.length
      }
      if (first > 1_000 || first === entries.length) {
        entries = entries.slice(first)
        first = 0
      }
    }
  }
}
