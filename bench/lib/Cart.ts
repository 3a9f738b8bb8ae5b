/**
 * The domain that every contender implements: carts to which items are added. One command adds one item as one event,
 * whose JSON is about 250 bytes.
 */

/** The payload of the one command and of the one event. */
export interface Item {
  readonly id: string
  readonly sku: string
  readonly quantity: number
  readonly price: number
  readonly at: string
  readonly tags: ReadonlyArray<string>
  readonly note: string
}

/** A cart folded from its events. */
export interface Cart {
  readonly count: number
  readonly total: number
  readonly last: string
}

const note = "x".repeat(140)

/** The `index`-th item of a workload. */
export const item = (index: number): Item => ({
  id: `item-${index}`,
  sku: `SKU-${index % 997}`,
  quantity: (index % 7) + 1,
  price: 100 + (index % 50),
  at: "2026-01-01T00:00:00.000Z",
  tags: ["a", "b"],
  note
})

/** The first `count` items. */
export const items = (count: number): Array<Item> => Array.from({ length: count }, (_, index) => item(index))

/** A cart without events. */
export const empty: Cart = { count: 0, total: 0, last: "" }

/** The cart after one more item. */
export const evolve = (cart: Cart, added: Item): Cart => ({
  count: cart.count + 1,
  total: cart.total + added.quantity * added.price,
  last: added.id
})

/** Above this total a cart takes no more items; no workload reaches it. */
export const limit = 1e12

/** The item that the command adds to a cart. */
export const decide = (cart: Cart, added: Item): Item => {
  if (cart.total > limit) throw new Error("the cart is full")
  return added
}
