import type { Cart, Item } from "./Cart.ts"
import type { Totals } from "./View.ts"

/** What a contender offers to the workload `command`. */
export interface Commands {
  /** Appends the first `each` items to each of these new streams, one stream after another. */
  readonly seed: (
    streams: ReadonlyArray<string>,
    each: number
  ) => Promise<void>
  /** Loads the cart, decides, appends one event; repeats itself after a conflict. */
  readonly command: (stream: string, item: Item) => Promise<unknown>
  /** The number of events stored. */
  readonly count: () => Promise<number>
  /** Closes the store; its files stay. */
  readonly close: () => Promise<void>
}

/** What it offers to `inline`: each command also changes the view of its cart, in the same transaction. */
export interface Inlined extends Commands {
  /** Reads the views. */
  readonly view: () => Promise<Totals>
}

/** What it offers to `replay` and `log`. */
export interface Store extends Commands {
  /** Folds the cart from all of its events. */
  readonly replay: (stream: string) => Promise<Cart>
  /** Hands the first `total` events of the log to `handle`, in order; gives up when `expired`. */
  readonly consume: (
    total: number,
    handle: Handle,
    expired: () => boolean
  ) => Promise<void>
}

/** What a consumer of the log does with an event. */
export type Handle = (stream: string, item: Item) => void

/** How a store on disk is opened. */
export interface File {
  readonly filename: string
  readonly synchronous: "NORMAL" | "FULL"
}
