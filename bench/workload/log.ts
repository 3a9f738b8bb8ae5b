import * as Contenders from "../lib/Contenders.ts"
import type { Store } from "../lib/Store.ts"
import { type Case, check, rate, type Sample, type Settings } from "../lib/Workload.ts"
import type { Item } from "../lib/Cart.ts"

const eventsPerStream = 100

const streamNames = ({ quick }: Settings): ReadonlyArray<string> =>
  Array.from({ length: quick ? 500 : 5000 }, (_, index) => `cart-${index}`)

/** The view that the consumer keeps: per cart, its events and the value of its items. */
const view = () => {
  const carts = new Map<string, { count: number; total: number }>()
  return {
    carts,
    handle: (stream: string, item: Item): void => {
      const cart = carts.get(stream)
      const value = item.quantity * item.price
      if (cart === undefined) {
        carts.set(stream, { count: 1, total: value })
      } else {
        cart.count++
        cart.total += value
      }
    }
  }
}

/** Streams were written one after another, so all but the last one seen must be whole. */
const verify = (
  carts: ReadonlyMap<string, { count: number; total: number }>,
  whole: number
): number => {
  const seen = [...carts.values()]
  const total = seen[0]?.total
  const partial = seen.slice(0, -1).find((cart) => cart.count !== eventsPerStream || cart.total !== total)
  check(
    partial === undefined,
    `a cart of ${partial?.count} events, ${eventsPerStream} expected`
  )
  const events = seen.reduce((sum, cart) => sum + cart.count, 0)
  check(events > 0 && events <= whole, `${events} events read of ${whole}`)
  return events
}

/** Reads the log from its start, again until the time is over; who cannot read it in `patience` ms is stopped there. */
const measure = async (
  store: Store,
  whole: number,
  { quick }: Settings
): Promise<Sample> => {
  const patience = quick ? 1500 : 6000
  const prepare = async () => {
    const { carts, handle } = view()
    return async () => {
      const end = performance.now() + patience
      await store.consume(whole, handle, () => performance.now() > end)
      const events = verify(carts, whole)
      check(
        events === whole || performance.now() > end,
        `${events} events read, ${whole} expected`
      )
      return events
    }
  }
  const sample = await rate(quick ? 300 : 1500, prepare)
  await store.close()
  return sample
}

const { "@castore/core": _hasNoLog, ...memoryWithLog } = Contenders.memory

/** A consumer reads a log of 500,000 events from its start; an operation is one event. */
export const cases: ReadonlyArray<Case> = [
  {
    name: "memory",
    unit: "opsPerSec",
    repetitions: 3,
    contenders: Contenders.measured(
      memoryWithLog,
      (open) => async (settings) => {
        const streams = streamNames(settings)
        const store = await open()
        await store.seed(streams, eventsPerStream)
        return measure(store, streams.length * eventsPerStream, settings)
      }
    )
  },
  {
    name: "sqlite",
    unit: "opsPerSec",
    repetitions: 3,
    contenders: Contenders.measured(
      Contenders.sqlite,
      (open, contender) => async (settings) => {
        const streams = streamNames(settings)
        const filename = Contenders.fileIn(settings.folder, `log-${contender}`)
        await Contenders.seeded(open, filename, streams, eventsPerStream)
        const store = await open({ filename, synchronous: "NORMAL" })
        return measure(store, streams.length * eventsPerStream, settings)
      }
    )
  }
]
