import { connect } from "../contender/actPostgres.ts"
import type { Item } from "../lib/Cart.ts"
import { client, once } from "../lib/Postgres.ts"
import type { Appender } from "../lib/Relay.ts"

const meta = { correlation: "bench", causation: {} }

/** Act's event store. */
export const open = async (url: string): Promise<Appender> => {
  const { store } = await connect(url)
  return {
    append: (stream, data) => store.commit(stream, [{ name: "ItemAdded", data }], meta),
    count: async () => Number((await once<{ count: string }>(url, "select count(*) from events"))[0]?.count),
    close: () => store.dispose()
  }
}

/** Its store notifies, but nothing in it listens: that is done here, and each notification makes it drain. */
export const listen = async (url: string, handle: (item: Item) => void): Promise<void> => {
  const { app } = await connect(url, { drainLimit: 100, handle: async ({ data }) => handle(data) })
  const listener = await client(url)
  let isDraining = false
  let isAsked = false

  const drain = async () => {
    isAsked = true
    if (isDraining) return
    isDraining = true
    while (isAsked) {
      isAsked = false
      if (await app.drain() > 0) isAsked = true
    }
    isDraining = false
  }

  listener.on("notification", () => void drain())
  await listener.query("listen events")
}
