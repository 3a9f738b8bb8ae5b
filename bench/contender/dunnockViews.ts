import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Projection from "dunnock/Projection"
import * as View from "../lib/View.ts"
import { Cart } from "./dunnock.ts"

/** The views of carts as a projection of dunnock, with a name that another repetition does not have. */
export const views = Projection.make(`Views${process.pid}`, {
  version: 1,
  events: Cart.events,
  document: Schema.Struct({ count: Schema.Int, total: Schema.Int }),
  id: ({ stream }) => stream,
  evolve: { ItemAdded: (view, { data }) => View.apply(view ?? View.empty, data) }
})

/** What all of its documents say together. */
export const totals = Effect.gen(function* () {
  const queries = yield* views.queries
  return yield* Stream.runFold(queries.stream(), () => none, ({ carts, count, total }, { value }) => ({
    carts: carts + 1,
    count: count + value.count,
    total: total + value.total
  }))
})

const none: View.Totals = { carts: 0, count: 0, total: 0 }
