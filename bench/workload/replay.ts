import { type Cart, empty, evolve, items } from "../lib/Cart.ts"
import * as Contenders from "../lib/Contenders.ts"
import type { Store } from "../lib/Store.ts"
import { type Case, check, rate, type Sample, type Settings } from "../lib/Workload.ts"

const stream = "cart-1"
const length = 100_000

const expected: Cart = items(length).reduce(evolve, empty)

/** Replays the stream again and again, first to get warm, and looks at each cart. */
const measure = async (store: Store, ms: number): Promise<Sample> => {
  const prepare = async () => async () => {
    const cart = await store.replay(stream)
    check(
      cart.count === length && cart.total === expected.total &&
        cart.last === expected.last,
      JSON.stringify(cart)
    )
    return length
  }
  await rate(ms / 3, prepare)
  const sample = await rate(ms, prepare)
  await store.close()
  return sample
}

const ms = ({ quick }: Settings): number => quick ? 400 : 1500

/** One stream of 100,000 events is folded; an operation is one event. */
export const cases: ReadonlyArray<Case> = [
  {
    name: "memory",
    unit: "opsPerSec",
    repetitions: 3,
    contenders: Contenders.measured(
      Contenders.memory,
      (open) => async (settings) => {
        const store = await open()
        await store.seed([stream], length)
        return measure(store, ms(settings))
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
        const file = Contenders.fileIn(settings.folder, `replay-${contender}`)
        await Contenders.seeded(open, file, [stream], length)
        return measure(
          await open({ filename: file, synchronous: "NORMAL" }),
          ms(settings)
        )
      }
    )
  }
]
