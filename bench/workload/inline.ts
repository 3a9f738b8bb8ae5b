import { compiled } from "../lib/Compiled.ts"
import { drive, local, remote } from "../lib/Callers.ts"
import { fileIn, remove } from "../lib/Contenders.ts"
import * as Mysql from "../lib/Mysql.ts"
import * as Postgres from "../lib/Postgres.ts"
import type { Inlined } from "../lib/Store.ts"
import { type Case, check, type Measure } from "../lib/Workload.ts"

const many = 32

type Open = (address: string) => Promise<Inlined>

/** The views must have every event that is stored. */
const verify = async (store: Inlined, expected: number): Promise<void> => {
  const { count } = await store.view()
  check(count === expected, `${count} events in the views, ${expected} expected`)
}

const inFile = (open: () => Promise<Open>, callers = many): Measure => async (settings) => {
  const filename = fileIn(settings.folder, `inline-${process.pid}`)
  try {
    return await drive(await (await open())(filename), { callers, verify, ...local(settings, 1500) })
  } finally {
    remove(filename)
  }
}

const onPostgres = (open: () => Promise<Open>): Measure => async (settings) => {
  const { url } = await Postgres.database(settings.servers.postgres ?? "", "bench_inline")
  return drive(await (await open())(url), { callers: many, verify, ...remote(settings) })
}

const onMysql = (open: () => Promise<Open>): Measure => async (settings) => {
  const { url } = await Mysql.database(settings.servers.mysql ?? "", "bench_inline")
  return drive(await (await open())(url), { callers: many, verify, ...remote(settings) })
}

/** The commands of 32 callers, each of which also changes the view of its cart, in the transaction of the append. */
export const cases: ReadonlyArray<Case> = [
  {
    name: "sqlite",
    unit: "opsPerSec",
    repetitions: 3,
    contenders: {
      "raw": inFile(async () => (await import("../contender/inlineSqlite.ts")).open),
      "dunnock": inFile(async () =>
        (await compiled(() => import("../contender/inlineDunnock.ts"))).openSqlite
      ),
      "@event-driven-io/emmett-sqlite": inFile(
        async () => (await import("../contender/inlineEmmett.ts")).openSqlite
      ),
      "@event-driven-io/emmett-sqlite, 1 caller": inFile(
        async () => (await import("../contender/inlineEmmett.ts")).openSqlite,
        1
      )
    }
  },
  {
    name: "postgres",
    unit: "opsPerSec",
    server: "postgres",
    repetitions: 3,
    contenders: {
      "raw": onPostgres(async () => (await import("../contender/inlinePostgres.ts")).open),
      "dunnock": onPostgres(async () =>
        (await compiled(() => import("../contender/inlineDunnock.ts"))).openPostgres
      ),
      "@event-driven-io/emmett-postgresql": onPostgres(
        async () => (await import("../contender/inlineEmmett.ts")).openPostgres
      )
    }
  },
  {
    name: "mysql",
    unit: "opsPerSec",
    server: "mysql",
    repetitions: 3,
    contenders: {
      "raw": onMysql(async () => (await import("../contender/inlineMysql.ts")).open),
      "dunnock": onMysql(async () =>
        (await compiled(() => import("../contender/inlineDunnock.ts"))).openMysql
      )
    }
  }
]
