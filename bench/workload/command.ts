import { drive, local, remote } from "../lib/Callers.ts"
import * as Contenders from "../lib/Contenders.ts"
import * as Mysql from "../lib/Mysql.ts"
import * as Postgres from "../lib/Postgres.ts"
import type { Case, Server } from "../lib/Workload.ts"

const memory = { ...Contenders.memory, ...Contenders.uncachedMemory }

const inMemory = (callers: number): Case => ({
  name: `memory c=${callers}`,
  unit: "opsPerSec",
  repetitions: 3,
  inFullOnly: Contenders.inFullOnly,
  contenders: Contenders.measured(
    memory,
    (open) => async (settings) => drive(await open(), { callers, ...local(settings, 600) })
  )
})

const one = { ...Contenders.sqlite, ...Contenders.uncachedSqlite }
const several = { ...one, ...Contenders.groupedSqlite }

const onSqlite = (synchronous: "NORMAL" | "FULL", callers: number): Case => ({
  name: `sqlite ${synchronous} c=${callers}`,
  unit: "opsPerSec",
  repetitions: 3,
  inFullOnly: Contenders.inFullOnly,
  contenders: Contenders.measured(
    callers === 1 ? one : several,
    (open) => async (settings) => {
      const filename = Contenders.fileIn(
        settings.folder,
        `command-${process.pid}`
      )
      try {
        const store = await open({ filename, synchronous })
        return await drive(store, { callers, ...local(settings, 1500) })
      } finally {
        Contenders.remove(filename)
      }
    }
  )
})

const databases: Record<Server, typeof Postgres.database> = {
  postgres: Postgres.database,
  mysql: Mysql.database
}

const onServer = (
  server: Server,
  contenders: Contenders.Contenders<Contenders.OpenDatabase>,
  callers: number
): Case => ({
  name: `${server} c=${callers}`,
  unit: "opsPerSec",
  server,
  repetitions: 3,
  inFullOnly: Contenders.inFullOnly,
  contenders: Contenders.measured(
    contenders,
    (open) => async (settings) => {
      const { url } = await databases[server](settings.servers[server] ?? "", "bench_command")
      return drive(await open(url), { callers, ...remote(settings) })
    }
  )
})

const onPostgres = (callers: number): Case =>
  onServer(
    "postgres",
    callers === 1 ? Contenders.postgres : { ...Contenders.postgres, ...Contenders.groupedPostgres },
    callers
  )

const callers = [1, 32, 128]

/** Commands on a thousand carts: load about five events, decide, append one. */
export const cases: ReadonlyArray<Case> = [
  ...callers.map(inMemory),
  ...callers.map((count) => onSqlite("NORMAL", count)),
  ...callers.map((count) => onSqlite("FULL", count)),
  ...callers.map(onPostgres),
  ...callers.map((count) => onServer("mysql", Contenders.mysql, count))
]
