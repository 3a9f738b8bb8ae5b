/** What is read ahead: the order of handling, and what the checkpoint may pass. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import type { StoredEvent } from "../../src/event/EventStoreDriver.ts"
import * as ReadAhead from "../../src/subscription/ReadAhead.ts"

const event = (position: number, stream: string): StoredEvent => ({
  id: undefined,
  stream,
  revision: position,
  position,
  type: "T",
  version: 1,
  data: "{}",
  tags: [],
  metadata: "{}",
  recordedAt: 0
})

test("whatever is read, taken and finished in whichever order: each event once, in order in its stream, and what is not done is not passed", () => {
  fc.assert(fc.property(
    fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 40 }),
    fc.infiniteStream(fc.nat(5)),
    (streams, choices) => {
      const choose = (n: number) => choices.next().value % n
      const ahead = ReadAhead.make(0)
      const unread = streams.map((stream, i) => event(i * 2 + 1, stream))
      const open: Array<{ readonly lane: ReadAhead.Lane; readonly entries: ReadonlyArray<StoredEvent> }> = []
      const done: Array<StoredEvent> = []
      const takes: Array<StoredEvent> = []
      while (done.length < streams.length) {
        const what = choose(3)
        if (what === 0 && unread.length > 0) {
          const page = unread.splice(0, 1 + choose(5))
          ahead.add(page, page[page.length - 1]!.position + 1)
        } else if (what === 1) {
          const lane = ahead.take()
          if (lane === undefined) continue
          expect(open.some((other) => other.lane.stream === lane.stream)).toBe(false)
          const entries = lane.waiting.splice(0, 1 + choose(2))
          takes.push(...entries)
          open.push({ lane, entries })
        } else if (open.length > 0) {
          const [{ entries, lane }] = open.splice(choose(open.length), 1) as [typeof open[number]]
          ahead.finish(entries)
          ahead.giveBack(lane)
          done.push(...entries)
        }
        const isDone = new Set(done.map(({ position }) => position))
        for (let i = 0; i < streams.length; i++) {
          if (i * 2 + 1 <= ahead.reached()) expect(isDone.has(i * 2 + 1)).toBe(true)
        }
      }
      expect(ahead.size()).toBe(0)
      expect(ahead.isFull()).toBe(false)
      expect(ahead.reached()).toBe(streams.length * 2)
      for (const stream of ["a", "b", "c"]) {
        const positions = takes.filter((event) => event.stream === stream).map(({ position }) => position)
        expect(positions).toEqual(streams.flatMap((s, i) => s === stream ? [i * 2 + 1] : []))
      }
    }
  ))
})
