import * as RawPostgres from "../contender/rawPostgres.ts"
import * as RawSqlite from "../contender/rawSqlite.ts"
import type { Reader } from "../lib/Memory.ts"
import { client, database, pool } from "../lib/Postgres.ts"

/** By hand on `node:sqlite`, in pages of 1,000. */
export const openSqlite = async (filename: string): Promise<Reader> => {
  const store = await RawSqlite.open({ filename, synchronous: "NORMAL" })
  return {
    count: store.count,
    seed: store.seed,
    read: (event) => store.consume(Infinity, event, () => false),
    close: store.close
  }
}

/** By hand on `pg`, in pages of 1,000. */
export const openPostgres = async (server: string): Promise<Reader> => {
  const { isNew, url } = await database(server, "bench_memory_raw", true)
  const connection = await client(url)
  if (isNew) await connection.query(RawPostgres.schema)
  return {
    count: async () => {
      const { rows } = await connection.query<{ count: string }>("select count(*) from event")
      return Number(rows[0]?.count)
    },
    seed: async (carts, each) => {
      const opened = await pool(url)
      for (let at = 0; at < carts.length; at += 1000) {
        await RawPostgres.seed(opened, carts.slice(at, at + 1000), each)
      }
      await opened.end()
    },
    read: async (event) => {
      const page = async (position: string) => {
        const { rows } = await connection.query<{ position: string }>({
          name: "read",
          text:
            "select position, stream, type, data from event where position > $1 order by position limit 1000",
          values: [position]
        })
        for (const _ of rows) event()
        return rows.at(-1)?.position
      }
      for (let at: string | undefined = "0"; at !== undefined;) at = await page(at)
    },
    close: () => connection.end()
  }
}
