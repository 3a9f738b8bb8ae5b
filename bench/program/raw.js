/** A worker with one aggregate, written without a library. */
const streams = new Map()

const fold = (events) => events.reduce((balance, event) => balance + event.amount, 0)

const append = async (id, expected, event) => {
  const events = streams.get(id) ?? []
  if (events.length !== expected) throw new Error("conflict")
  streams.set(id, [...events, event])
}

const deposit = async (id, amount) => {
  if (!Number.isInteger(amount)) throw new Error("amount is not an integer")
  const events = streams.get(id) ?? []
  await append(id, events.length, { type: "MoneyDeposited", amount })
  return fold(events) + amount
}

export default {
  fetch: async (request) => {
    const { id, amount } = await request.json()
    return Response.json({ balance: await deposit(id, amount) })
  }
}
