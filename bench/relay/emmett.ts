import { connect } from "../contender/emmettPostgres.ts"
import type { Item } from "../lib/Cart.ts"
import { sleep } from "../lib/Clock.ts"
import { once } from "../lib/Postgres.ts"
import type { Appender, Relay } from "../lib/Relay.ts"

/** Emmett's event store. */
export const open = async (url: string): Promise<Appender> => {
  const store = await connect(url)
  return {
    append: (stream, data) => store.appendToStream(stream, [{ type: "ItemAdded", data }]),
    count: async () =>
      Number((await once<{ count: string }>(url, "select count(*) from emt_messages"))[0]?.count),
    close: () => store.close()
  }
}

/** Its consumer, polling as often as it can; when there is nothing new it waits longer each time, up to a second. */
export const listen: Relay["listen"] = async (url, handle) => {
  const store = await connect(url)
  const consumer = store.consumer({ pulling: { pullingFrequencyInMs: 1 } })
  consumer.reactor({
    processorId: "reader",
    startFrom: "BEGINNING",
    eachMessage: ({ data }: { readonly data: Item }) => handle(data)
  })
  void consumer.start()
  await sleep(300) // it does not say when it is ready
}
