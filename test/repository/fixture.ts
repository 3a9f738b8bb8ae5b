import { Repository } from "dunnock"
import * as Memory from "dunnock/memory"
import { Effect, type Layer, Schema } from "effect"
import { TestClock } from "effect/testing"

export const Status = Schema.Literals(["open", "paid", "sent"])
export const OrderId = Schema.String.pipe(Schema.brand("OrderId"))

/** A field of every sort that a condition may be on. */
export const Order = Schema.Struct({
  customer: Schema.String,
  total: Schema.Finite,
  weight: Schema.Number,
  status: Status,
  parent: Schema.NullOr(OrderId),
  gift: Schema.Boolean,
  note: Schema.optionalKey(Schema.String),
  paidAt: Schema.NullOr(Schema.Date),
  sentAt: Schema.optional(Schema.DateTimeUtcFromMillis),
  points: Schema.BigInt,
  code: Schema.FiniteFromString,
  lines: Schema.Array(Schema.Struct({ product: Schema.String, quantity: Schema.Int }))
})
export type Order = typeof Order.Type

export const Orders = Repository.make("orders", { schema: Order, indexes: ["customer", "total", "paidAt"] })

export const order: Order = {
  customer: "ann",
  total: 100,
  weight: 1.5,
  status: "open",
  parent: null,
  gift: false,
  paidAt: null,
  points: 0n,
  code: 7,
  lines: [{ product: "tea", quantity: 2 }]
}

/** Runs a program on empty stores in memory, with a clock that stands still. */
export const run = <A, E>(
  program: Effect.Effect<A, E, Layer.Success<typeof Memory.layer>>
): Promise<A> => Effect.runPromise(Effect.provide(program, [Memory.layer, TestClock.layer()]))
