// The events of a shard that have been read and not yet been finished. Not public.
import type { StoredEvent } from "../event/EventStoreDriver.ts"

/** The events of one stream, in order. */
export interface Lane {
  readonly stream: string
  readonly waiting: Array<StoredEvent>
  /** Somebody works on it, or it waits for somebody. */
  taken: boolean
  /** What was parked of it is to be dealt with first. */
  requested: boolean
}

/** How many unfinished events may be held, how long their data may be, in characters, and how far they may be spread. */
export const maxEvents = 1_000
const maxLength = 8_000_000
const maxSpread = 100_000

export interface ReadAhead {
  /** How many events are in it: those that are not finished. */
  readonly size: () => number
  /** Whether nothing more is to be read for now. */
  readonly isFull: () => boolean
  /** Up to here everything is done. */
  readonly reached: () => number
  /** Up to here everything has been read. */
  readonly upTo: () => number
  /** Everything up to a position has been read: these events of it are to be handled. */
  readonly add: (events: ReadonlyArray<StoredEvent>, upTo: number) => void
  /** What was parked of a stream is to be dealt with, before anything else of it. */
  readonly request: (stream: string) => void
  /** The lane whose turn it is: of the oldest event that waits. It is to be given back. */
  readonly take: () => Lane | undefined
  readonly giveBack: (lane: Lane) => void
  readonly finish: (events: ReadonlyArray<StoredEvent>) => void
}

export const make = (start: number): ReadAhead => {
  const lanes = new Map<string, Lane>()
  /** Sorted by what is next in each. */
  const ready: Array<Lane> = []
  /** The positions of what is not finished, upwards, each with its number among all that were read. */
  const unfinished = new Map<number, number>()
  let count = 0
  let length = 0
  let upTo = start

  const lane = (stream: string): Lane => {
    let found = lanes.get(stream)
    if (found === undefined) {
      lanes.set(stream, found = { stream, waiting: [], taken: false, requested: false })
    }
    return found
  }

  const turn = ({ requested, waiting }: Lane) => requested ? 0 : waiting[0]!.position

  const enqueue = (lane: Lane) => {
    lane.taken = true
    const mine = turn(lane)
    let at = ready.length
    while (at > 0 && turn(ready[at - 1]!) > mine) at--
    ready.splice(at, 0, lane)
  }

  return {
    size: () => unfinished.size,
    isFull: () => {
      const [first = count] = unfinished.values()
      return unfinished.size >= maxEvents || length >= maxLength || count - first >= maxSpread
    },
    reached: () => {
      const [first = upTo + 1] = unfinished.keys()
      return first - 1
    },
    upTo: () => upTo,
    add: (events, to) => {
      upTo = to
      for (const event of events) {
        unfinished.set(event.position, count++)
        length += event.data.length
        const its = lane(event.stream)
        its.waiting.push(event)
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
    finish: (events) => {
      for (const { data, position } of events) if (unfinished.delete(position)) length -= data.length
    }
  }
}
