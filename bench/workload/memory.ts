import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { compiled } from "../lib/Compiled.ts"
import { fileIn } from "../lib/Contenders.ts"
import { type Reader, sampler } from "../lib/Memory.ts"
import { type Case, check, type Measure } from "../lib/Workload.ts"

type Open = (address: string) => Promise<Reader>

/** How each contender of each case opens its log. */
export const readers: Readonly<Record<string, Readonly<Record<string, Open>>>> = {
  sqlite: {
    "raw": async (file) => (await import("../reader/raw.ts")).openSqlite(file),
    "dunnock": async (file) => (await compiled(() => import("../reader/dunnock.ts"))).openSqlite(file),
    "dunnock, projection": async (file) =>
      (await compiled(() => import("../reader/dunnock.ts"))).projectSqlite(file)
  },
  postgres: {
    "raw": async (server) => (await import("../reader/raw.ts")).openPostgres(server),
    "dunnock": async (server) => (await compiled(() => import("../reader/dunnock.ts"))).openPostgres(server),
    "dunnock, projection": async (server) =>
      (await compiled(() => import("../reader/dunnock.ts"))).projectPostgres(server)
  }
}

const program = fileURLToPath(new URL("../fill.ts", import.meta.url))
const carts = 5000

const fill = (...options: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync(process.execPath, [program, ...options])
  check(status === 0, `the log was not written: ${String(stderr).slice(-300)}`)
}

const measure =
  (name: string, contender: string, open: Open): Measure => async ({ folder, quick, servers }) => {
    const address = name === "postgres"
      ? servers.postgres ?? ""
      : fileIn(folder, `memory-${contender.split(",")[0]}`)
    const total = quick ? 500_000 : 5_000_000
    const reader = await open(address)
    const present = await reader.count()
    if (present === 0) fill(name, contender, address, String(carts), String(total / carts))
    else check(present === total, `${present} events stored, ${total} expected`)
    Bun.gc(true)
    const sample = sampler(total)
    await reader.read(sample.event)
    check(sample.events() === total, `${sample.events()} events read, ${total} expected`)
    await reader.close()
    return { value: sample.growth(), note: sample.series() }
  }

/** By how much the memory of a process grows while it reads a log of 5,000,000 events from its start. */
export const cases: ReadonlyArray<Case> = Object.entries(readers).map(([name, contenders]): Case => ({
  name,
  unit: "bytes",
  ...(name === "postgres" ? { server: "postgres" } : {}),
  repetitions: 1,
  contenders: Object.fromEntries(
    Object.entries(contenders).map(([contender, open]) => [contender, measure(name, contender, open)])
  )
}))
