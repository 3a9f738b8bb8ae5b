/** A worker with one aggregate on Castore's in-memory storage. */
import { EventStore, EventType } from "@castore/core"
import { InMemoryEventStorageAdapter } from "@castore/event-storage-adapter-in-memory"

const store = new EventStore({
  eventStoreId: "accounts",
  eventTypes: [new EventType({ type: "MoneyDeposited" })],
  eventStorageAdapter: new InMemoryEventStorageAdapter(),
  reducer: (account, event) => ({
    aggregateId: event.aggregateId,
    version: event.version,
    balance: (account?.balance ?? 0) + event.payload.amount
  })
})

const deposit = async (aggregateId, amount) => {
  const { aggregate } = await store.getAggregate(aggregateId)
  const version = (aggregate?.version ?? 0) + 1
  await store.pushEvent({
    aggregateId,
    version,
    type: "MoneyDeposited",
    payload: { amount }
  })
  return (aggregate?.balance ?? 0) + amount
}

export default {
  fetch: async (request) => {
    const { id, amount } = await request.json()
    return Response.json({ balance: await deposit(id, amount) })
  }
}
