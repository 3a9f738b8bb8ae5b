import { item } from "../lib/Cart.ts"
import * as Contenders from "../lib/Contenders.ts"
import type { Store } from "../lib/Store.ts"
import { type Case, check, rate, type Sample, type Settings } from "../lib/Workload.ts"

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
const drive = async (
  store: Store,
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

/** Rounds of commands on streams that are new in each round, first to get warm and then for `ms`. */
const measure = async (
  store: Store,
  callers: number,
  width: number,
  ms: number
): Promise<Sample> => {
  const pick = random(42)
  let rounds = 0
  let expected = 0

  const prepare = async () => {
    const round = rounds++
    const name = (index: number) => `cart-${round}-${index}`
    await store.seed(
      Array.from({ length: width }, (_, index) => name(index)),
      present
    )
    const picked = Array.from(
      { length: width * commandsPerStream },
      () => name(Math.floor(pick() * width))
    )
    return async () => {
      const done = await drive(store, callers, picked, ms)
      expected += width * present + done
      return done
    }
  }

  await rate(ms * 0.6, prepare)
  const sample = await rate(ms, prepare)
  const stored = await store.count()
  check(stored === expected, `${stored} events stored, ${expected} expected`)
  await store.close()
  return sample
}

const width = ({ quick }: Settings): number => quick ? 200 : 1000

const memory = { ...Contenders.memory, ...Contenders.uncachedMemory }

const inMemory = (callers: number): Case => ({
  name: `memory c=${callers}`,
  unit: "opsPerSec",
  repetitions: 3,
  contenders: Contenders.measured(
    memory,
    (open) => async (settings) =>
      measure(
        await open(),
        callers,
        width(settings),
        settings.quick ? 150 : 600
      )
  )
})

const one = { ...Contenders.sqlite, ...Contenders.uncachedSqlite }
const several = { ...one, ...Contenders.groupedSqlite }

const onSqlite = (synchronous: "NORMAL" | "FULL", callers: number): Case => ({
  name: `sqlite ${synchronous} c=${callers}`,
  unit: "opsPerSec",
  repetitions: 3,
  contenders: Contenders.measured(
    callers === 1 ? one : several,
    (open) => async (settings) => {
      const filename = Contenders.fileIn(
        settings.folder,
        `command-${process.pid}`
      )
      try {
        const store = await open({ filename, synchronous })
        return await measure(
          store,
          callers,
          width(settings),
          settings.quick ? 200 : 1500
        )
      } finally {
        Contenders.remove(filename)
      }
    }
  )
})

const callers = [1, 32, 128]

/** Commands on a thousand carts: load about five events, decide, append one. */
export const cases: ReadonlyArray<Case> = [
  ...callers.map(inMemory),
  ...callers.map((count) => onSqlite("NORMAL", count)),
  ...callers.map((count) => onSqlite("FULL", count))
]
