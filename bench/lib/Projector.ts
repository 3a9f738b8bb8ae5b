import { items } from "./Cart.ts"
import type { Totals } from "./View.ts"

/** What a contender offers to the workload `project`. */
export interface Projector {
  /** The number of events in the log. */
  readonly count: () => Promise<number>
  /** Writes the log: `each` events to each cart, in rounds, so that carts next to each other in the log differ. */
  readonly seed: (carts: ReadonlyArray<string>, each: number) => Promise<void>
  /** Removes what an earlier repetition projected. */
  readonly forget: () => Promise<void>
  /** Projects the `total` events of the log; gives up when `expired`. Gives the number of events it has projected. */
  readonly project: (total: number, expired: () => boolean) => Promise<number>
  /** Reads what was projected. */
  readonly view: () => Promise<Totals>
  /** Ends, leaving the log as it is. */
  readonly close: () => Promise<void>
}

/** Opens a database of the contender's own, by its address or its file name. */
export type Open = (address: string) => Promise<Projector>

/** Events that one transaction of a projection takes. */
export const batch = 5000

/** The JSON of the item that each cart gets in each round. */
export const rounds = (each: number): ReadonlyArray<string> => items(each).map((item) => JSON.stringify(item))

/** Waits until `done`, looking every few milliseconds. */
export const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5))
}
