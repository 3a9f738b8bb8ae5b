import { item } from "./Cart.ts"
import type { Commands } from "./Store.ts"
import { check, rate, type Sample, type Settings } from "./Workload.ts"

/** Events in a stream before its first command; the three commands that follow on average meet about five. */
const present = 4
const commandsPerStream = 3

/** Numbers in [0, 1), the same in every run. */
const random = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}

/** Callers that take the next command as soon as theirs is done, until there is none or `ms` have passed. */
const round = async (
  store: Commands,
  callers: number,
  streams: ReadonlyArray<string>,
  ms: number
): Promise<number> => {
  const end = performance.now() + ms
  const waiting = streams.entries()
  let done = 0
  const caller = async () => {
    for (const [index, stream] of waiting) {
      await store.command(stream, item(index))
      done++
      if (performance.now() > end) return
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return done
}

/** How a store is driven. */
export interface Options<Store> {
  readonly callers: number
  /** The number of streams in a round. */
  readonly width: number
  /** How it gets warm: for so many milliseconds each, with as many callers as later or with others. */
  readonly warmUps: ReadonlyArray<{ readonly ms: number; readonly callers?: number }>
  /** How long it is measured, in milliseconds. */
  readonly ms: number
  /** Checks more than the number of events. */
  readonly verify?: (store: Store, expected: number) => Promise<void>
}

/** Rounds of commands on streams that are new in each round. */
export const drive = async <Store extends Commands>(
  store: Store,
  { callers, ms, verify = async () => {}, warmUps, width }: Options<Store>
): Promise<Sample> => {
  const pick = random(42)
  let rounds = 0
  let expected = 0

  const prepare = (callers: number, limit: number) => async () => {
    const number = rounds++
    const name = (index: number) => `cart-${number}-${index}`
    await store.seed(
      Array.from({ length: width }, (_, index) => name(index)),
      present
    )
    const picked = Array.from(
      { length: width * commandsPerStream },
      () => name(Math.floor(pick() * width))
    )
    return async () => {
      const done = await round(store, callers, picked, limit)
      expected += width * present + done
      return done
    }
  }

  for (const warmUp of warmUps) {
    await rate(warmUp.ms, prepare(warmUp.callers ?? callers, warmUp.ms))
  }
  const sample = await rate(ms, prepare(callers, ms))
  const stored = await store.count()
  check(stored === expected, `${stored} events stored, ${expected} expected`)
  await verify(store, expected)
  await store.close()
  return sample
}

/** For how long a store is driven, and how. */
export type Times = Pick<Options<never>, "width" | "warmUps" | "ms">

/** The times of a store in this process, which gets warm soon. */
export const local = ({ quick }: Settings, ms: number): Times =>
  quick ? { width: 200, warmUps: [{ ms: 120 }], ms: 200 } : { width: 1000, warmUps: [{ ms: ms * 0.6 }], ms }

/** The times of a store on a server: one caller waits so much that its client would never get warm, but with many it does. */
export const remote = ({ quick }: Settings): Times =>
  quick
    ? { width: 200, warmUps: [{ ms: 200, callers: 32 }], ms: 250 }
    : { width: 1000, warmUps: [{ ms: 3000, callers: 32 }, { ms: 2000 }], ms: 2000 }
