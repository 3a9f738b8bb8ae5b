/**
 * What the shop wants to know of its orders: three read models, made of the same events.
 */
import { Projection } from "dunnock"
import { Schema } from "effect"
import { Order, Status, totalOf } from "./Order.ts"

/** A document for each order. */
export const OrderView = Projection.make("OrderView", {
  version: 1,
  events: Order.events,
  document: Schema.Struct({
    customer: Schema.String,
    status: Status,
    total: Schema.Int,
    placedAt: Schema.Int,
    reason: Schema.NullOr(Schema.String)
  }),
  indexes: ["customer", "status"],
  id: ({ stream }) => Order.id(stream),
  evolve: {
    OrderPlaced: (_, { data, recordedAt }) => ({
      customer: data.customer,
      status: "placed",
      total: totalOf(data.lines),
      placedAt: recordedAt,
      reason: null
    }),
    OrderPaid: (order) => order && ({ ...order, status: "paid" }),
    OrderShipped: (order) => order && ({ ...order, status: "shipped" }),
    OrderCancelled: (order, { data }) => order && ({ ...order, status: "cancelled", reason: data.reason })
  }
})

/** A document for each customer, made of the events of all of the customer's orders. */
export const CustomerHistory = Projection.make("CustomerHistory", {
  version: 1,
  events: Order.events,
  document: Schema.Struct({
    orders: Schema.Int,
    cancelled: Schema.Int,
    spent: Schema.Int,
    history: Schema.Array(Schema.String)
  }),
  id: ({ data }) => data.customer,
  evolve: {
    OrderPlaced: (customer = { orders: 0, cancelled: 0, spent: 0, history: [] }, { stream }) => ({
      ...customer,
      orders: customer.orders + 1,
      history: [...customer.history, `placed ${Order.id(stream)}`]
    }),
    OrderPaid: (customer, { data, stream }) =>
      customer && ({
        ...customer,
        spent: customer.spent + data.amount,
        history: [...customer.history, `paid ${Order.id(stream)}`]
      }),
    OrderShipped: (customer, { stream }) =>
      customer && ({ ...customer, history: [...customer.history, `received ${Order.id(stream)}`] }),
    OrderCancelled: (customer, { stream }) =>
      customer && ({
        ...customer,
        cancelled: customer.cancelled + 1,
        history: [...customer.history, `cancelled ${Order.id(stream)}`]
      })
  }
})

/** A document for each product: an event concerns as many of them as there are products in its order. */
export const StockIndex = Projection.make("StockIndex", {
  version: 1,
  events: Order.events,
  document: Schema.Struct({ reserved: Schema.Int, shipped: Schema.Int }),
  id: ({ data }) => "lines" in data ? data.lines.map(({ product }) => product) : [],
  evolve: {
    OrderPlaced: (stock = { reserved: 0, shipped: 0 }, { data }, product) => ({
      ...stock,
      reserved: stock.reserved + quantityOf(data.lines, product)
    }),
    OrderShipped: (stock, { data }, product) =>
      stock && ({
        reserved: stock.reserved - quantityOf(data.lines, product),
        shipped: stock.shipped + quantityOf(data.lines, product)
      }),
    OrderCancelled: (stock, { data }, product) =>
      stock && ({ ...stock, reserved: stock.reserved - quantityOf(data.lines, product) })
  }
})

const quantityOf = (lines: ReadonlyArray<{ product: string; quantity: number }>, product: string) =>
  lines.reduce((sum, line) => line.product === product ? sum + line.quantity : sum, 0)
