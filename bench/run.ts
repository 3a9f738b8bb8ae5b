/**
 * Measures dunnock beside the bare driver and its peers:
 * `bun bench/run.ts <workload> [--quick] [--json] [--only <case>]`. What the workloads do is in README.md.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { parseArgs } from "node:util"
import { measure, type Outcome } from "./lib/Child.ts"
import * as Peers from "./lib/Peers.ts"
import * as Report from "./lib/Report.ts"
import * as Servers from "./lib/Servers.ts"
import type { Case, Server, Settings } from "./lib/Workload.ts"
import { casesOf, workloads } from "./workload/index.ts"

const usage = `usage: bun bench/run.ts <workload> [--quick] [--json] [--only <case>]
workloads: ${Object.keys(workloads).join(", ")}`

const rotate = <A>(values: ReadonlyArray<A>, by: number): ReadonlyArray<A> => {
  const first = by % values.length
  return [...values.slice(first), ...values.slice(0, first)]
}

/** The case of that name, or those whose name contains it. */
const select = (
  cases: ReadonlyArray<Case>,
  only: string | undefined
): ReadonlyArray<Case> => {
  const exact = cases.filter(({ name }) => name === only)
  return exact.length > 0 ? exact : cases.filter(({ name }) => name.includes(only ?? ""))
}

/** Repeats a case: its contenders one after another in fresh processes, each time beginning with another one. */
const run = async (workload: string, subject: Case, settings: Settings) => {
  const leftOut = settings.quick ? subject.inFullOnly ?? [] : []
  const contenders = Object.keys(subject.contenders).filter((contender) => !leftOut.includes(contender))
  const entries = contenders.map((contender) => ({
    contender,
    outcomes: new Array<Outcome>()
  }))
  for (
    let repetition = 0;
    repetition < (settings.quick ? 1 : subject.repetitions);
    repetition++
  ) {
    for (const { contender, outcomes } of rotate(entries, repetition)) {
      if (outcomes.some((outcome) => "error" in outcome)) continue
      outcomes.push(await measure(workload, subject.name, contender, settings))
    }
  }
  const raw = entries.find(({ contender }) => contender === "raw")?.outcomes ??
    []
  return entries.map(({ contender, outcomes }) => Report.summarise(contender, outcomes, raw))
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string" }
  }
})

const [workload = ""] = positionals
if (!(workload in workloads) || positionals.length !== 1) {
  console.error(usage)
  process.exit(2)
}

const cases = select(await casesOf(workload), values.only)
if (cases.length === 0) {
  console.error(`no case "${values.only}" in ${workload}`)
  process.exit(2)
}

Peers.install()
const data = process.env["BENCH_DATA"] ?? tmpdir()
process.env["TMPDIR"] = data // where servers that are started keep theirs
const folder = mkdtempSync(`${data}/dunnock-bench-`)
const started = new Map<Server, Servers.Started>()

const finish = async (code: number): Promise<never> => {
  for (const server of started.values()) if ("stop" in server) await server.stop()
  rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void finish(130))

/** Why the case cannot run here; its server is started when it is needed first. */
const missing = async ({ server }: Case): Promise<string | undefined> => {
  if (server === undefined) return undefined
  const found = started.get(server) ?? await Servers.start(server)
  started.set(server, found)
  return "missing" in found ? found.missing : undefined
}

const addresses = (): Settings["servers"] =>
  Object.fromEntries(
    started.entries().flatMap(([name, server]) => "url" in server ? [[name, server.url]] : [])
  )

let failed = false
try {
  for (const subject of cases) {
    const reason = await missing(subject)
    if (reason !== undefined) {
      console.log((values.json ? Report.jsonLeftOut : Report.leftOut)(workload, subject, reason))
      continue
    }
    const results = await run(workload, subject, {
      quick: values.quick,
      folder,
      servers: addresses()
    })
    const lines = values.json
      ? results.map((result) => Report.json(workload, subject, result))
      : [Report.table(workload, subject, results)]
    for (const line of lines) console.log(line)
    // Peers have known failures, which the table shows; ours and raw's must not pass unnoticed.
    failed ||= results.some((result) => "error" in result && !result.contender.startsWith("@"))
  }
} catch (error) {
  failed = true
  console.error(error)
}
await finish(failed ? 1 : 0)
