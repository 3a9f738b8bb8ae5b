/**
 * What goes on in the shop: so many orders, each of which comes as far as its number says. The same numbers always make the
 * same orders, and a command that was carried out in an earlier run is not carried out again.
 */
import { Effect } from "effect"
import { type Line, Order } from "./Order.ts"

const customers = ["ann", "ben", "cleo", "dan", "eve", "fred", "gus"]
const products = [
  { product: "chair", price: 89_00 },
  { product: "desk", price: 349_00 },
  { product: "lamp", price: 39_90 },
  { product: "rug", price: 120_00 },
  { product: "shelf", price: 64_50 }
] as const

const lineOf = (n: number): typeof Line.Type => ({ ...products[n % 5]!, quantity: 1 + n % 3 })

const linesOf = (n: number) => n % 2 === 0 ? [lineOf(n)] : [lineOf(n), lineOf(n + 3)]

/** An order from placing it to wherever it ends; gives the last receipt. */
const order = Effect.fnUntraced(function* (n: number) {
  const client = yield* Order.client
  const { Cancel, Pay, Place, Ship } = client(String(n).padStart(4, "0"))
  const once = { idempotencyKey: "trade" }
  const placed = yield* Place({ customer: customers[n % 7]!, lines: linesOf(n) }, once)
  if (n % 10 === 9) return yield* Cancel({ reason: "changed their mind" }, once)
  if (n % 4 === 0) return placed
  const paid = yield* Pay(undefined, once)
  if (n % 10 === 3) return yield* Cancel({ reason: "out of stock" }, once)
  return n % 3 === 0 ? paid : yield* Ship(undefined, once)
})

/** The orders from one number to another, 32 at a time. */
export const trade = (from: number, to: number) =>
  Effect.forEach(Array.from({ length: to - from + 1 }, (_, i) => from + i), order, { concurrency: 32 })
