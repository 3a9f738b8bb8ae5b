/** A worker with one aggregate on Emmett's in-memory store. */
import { CommandHandler, getInMemoryEventStore } from "@event-driven-io/emmett"

const store = getInMemoryEventStore()
const handle = CommandHandler({
  evolve: (balance, event) => balance + event.data.amount,
  initialState: () => 0
})

const deposit = (id, amount) => handle(store, id, () => ({ type: "MoneyDeposited", data: { amount } }))

export default {
  fetch: async (request) => {
    const { id, amount } = await request.json()
    return Response.json({ balance: (await deposit(id, amount)).newState })
  }
}
