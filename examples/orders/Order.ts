/**
 * An order of a shop: it is placed, paid and shipped, or cancelled before it is shipped.
 */
import { Aggregate } from "dunnock"
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"

/** So many of a product. */
export const Line = Schema.Struct({
  product: Schema.String,
  quantity: Schema.Int.check(Schema.isGreaterThan(0)),
  /** In cents, for one. */
  price: Schema.Int
})

export const Status = Schema.Literals(["new", "placed", "paid", "shipped", "cancelled"])

export class WrongStatus extends Schema.TaggedError<WrongStatus>()("WrongStatus", {
  status: Status,
  command: Schema.String
}) {
  override get message(): string {
    return `an order that is ${this.status} cannot ${this.command}`
  }
}

const lines = Schema.Array(Line)
const customer = Schema.String

export const totalOf = (lines: ReadonlyArray<typeof Line.Type>): number =>
  lines.reduce((sum, { price, quantity }) => sum + price * quantity, 0)

export const Order = Aggregate.make("Order", {
  state: Schema.Struct({ status: Status, customer, lines }),
  initial: { status: "new", customer: "", lines: [] },

  // Each event says what its readers need: whose order it is, and what is in it where that matters to the stock.
  events: {
    OrderPlaced: { customer, lines },
    OrderPaid: { customer, amount: Schema.Int },
    OrderShipped: { customer, lines },
    OrderCancelled: { customer, lines, reason: Schema.String }
  },

  commands: [
    Rpc.make("Place", { payload: { customer, lines }, error: WrongStatus }),
    Rpc.make("Pay", { error: WrongStatus }),
    Rpc.make("Ship", { error: WrongStatus }),
    Rpc.make("Cancel", { payload: { reason: Schema.String }, error: WrongStatus })
  ],

  evolve: {
    OrderPlaced: (_, { customer, lines }) => ({ status: "placed", customer, lines }),
    OrderPaid: (state) => ({ ...state, status: "paid" }),
    OrderShipped: (state) => ({ ...state, status: "shipped" }),
    OrderCancelled: (state) => ({ ...state, status: "cancelled" })
  }
})

const refuse = (status: typeof Status.Type, command: string) =>
  Effect.fail(new WrongStatus({ status, command }))

export const OrderLive = Order.toLayer({
  Place: ({ command, state }) =>
    state.status === "new" ? [{ _tag: "OrderPlaced", ...command }] : refuse(state.status, "be placed"),

  Pay: ({ state: { customer, lines, status } }) =>
    status === "placed"
      ? [{ _tag: "OrderPaid", customer, amount: totalOf(lines) }]
      : refuse(status, "be paid"),

  Ship: ({ state: { customer, lines, status } }) =>
    status === "paid" ? [{ _tag: "OrderShipped", customer, lines }] : refuse(status, "be shipped"),

  Cancel: ({ command, state: { customer, lines, status } }) =>
    status === "placed" || status === "paid"
      ? [{ _tag: "OrderCancelled", customer, lines, reason: command.reason }]
      : refuse(status, "be cancelled")
})
