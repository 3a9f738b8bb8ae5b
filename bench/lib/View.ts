/** The read model that projections keep: for each cart, its events and the value of its items. */
import type { Item } from "./Cart.ts"

/** The view of one cart. */
export interface View {
  readonly count: number
  readonly total: number
}

/** What is kept of one cart, or of all of them together. */
export interface Totals {
  readonly carts: number
  readonly count: number
  readonly total: number
}

/** A cart without events. */
export const empty: View = { count: 0, total: 0 }

/** The view after one more item. */
export const apply = (view: View, item: Item): View => ({
  count: view.count + 1,
  total: view.total + item.quantity * item.price
})

/** What a batch of events adds to the view of each cart. */
export const add = <Event>(
  events: ReadonlyArray<Event>,
  streamOf: (event: Event) => string,
  itemOf: (event: Event) => Item
): ReadonlyMap<string, View> => {
  const views = new Map<string, { count: number; total: number }>()
  for (const event of events) {
    const stream = streamOf(event)
    const item = itemOf(event)
    const value = item.quantity * item.price
    const view = views.get(stream)
    if (view === undefined) {
      views.set(stream, { count: 1, total: value })
    } else {
      view.count++
      view.total += value
    }
  }
  return views
}

/** The totals as an aggregate query on the views gives them, as numbers or as text. */
export const totals = (row: Partial<Record<keyof Totals, unknown>> | undefined): Totals => ({
  carts: Number(row?.carts ?? 0),
  count: Number(row?.count ?? 0),
  total: Number(row?.total ?? 0)
})

/** Many views as SQL literals, for libraries that take no parameters; the names need no escape. */
export const literals = (views: ReadonlyMap<string, View>): string =>
  [...views].map(([id, { count, total }]) => `('${id}',${count},${total})`).join(",")
