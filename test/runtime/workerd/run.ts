/**
 * Bundles the workers beside this file for Cloudflare's runtime, starts workerd with them on free ports, asks each once
 * and prints what it answered, then `N passed, N failed`. Run with `bun test/runtime/workerd/run.ts`.
 */
import { Contract, EventStoreContract } from "dunnock/testing"
import * as Postgres from "dunnock/postgres"
import { Effect } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { createInterface } from "node:readline"
import { report, root } from "../../house/check.ts"
import { postgres, skipped } from "../../services/mod.ts"
import type { Outcome } from "./outcomes.ts"

const folder = join(root, ".cache/workerd")

/** The one in memory needs nothing of Node; PostgreSQL's client does, and a way to the server. */
const workers = [
  { name: "memory", compatibility: `"no_nodejs_compat"`, external: [] },
  { name: "postgres", compatibility: "", external: ["node:*"] }
] as const

const config = `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "network", network = (allow = ["private", "public"])),
${
  workers.map(({ compatibility, name }) => `
    (name = "${name}", worker = (
      modules = [(name = "worker.js", esModule = embed "${name}.js")],
      compatibilityDate = "2026-10-01",
      compatibilityFlags = [${compatibility}],
      globalOutbound = "network",
    )),`).join("")
}
  ],
  sockets = [
    ${
  workers.map(({ name }) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}"),`)
    .join("\n")
}
  ],
);
`

for (const { external, name } of workers) {
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile: join(folder, `${name}.js`),
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker"],
    external: [...external],
    logLevel: "warning"
  })
}
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, "config.capnp"), config)

// workerd writes each port it listens on as a line of JSON to file descriptor 3.
const workerd = spawn("workerd", ["serve", "--control-fd=3", join(folder, "config.capnp")], {
  stdio: ["ignore", "inherit", "inherit", "pipe"]
})
const ports = new Promise<ReadonlyMap<string, number>>((resolve, reject) => {
  const found = new Map<string, number>()
  createInterface({ input: workerd.stdio[3] as Readable }).on("line", (line) => {
    const { event, port, socket } = JSON.parse(line)
    if (event === "listen") found.set(socket, port)
    if (found.size === workers.length) resolve(found)
  })
  workerd.on("error", reject)
  workerd.on("exit", (code) => reject(new Error(`workerd ended with ${code}`)))
})

const ask = async (name: string, body: string): Promise<ReadonlyArray<Outcome>> => {
  const url = `http://127.0.0.1:${(await ports).get(name)}/`
  const answer = await fetch(url, { method: "POST", body, signal: AbortSignal.timeout(120_000) })
  if (!answer.ok) throw new Error(await answer.text())
  return await answer.json() as ReadonlyArray<Outcome>
}

const onPostgres = Effect.scoped(
  Effect.flatMap(postgres.database, ({ url }) => Effect.promise(() => ask("postgres", url)))
)

try {
  const outcomes = [...await ask("memory", "")]
  const missing = skipped(
    "postgres",
    Contract.select(EventStoreContract.cases, Postgres.guarantees).run.length,
    postgres
  )
  if (missing === undefined) outcomes.push(...await Effect.runPromise(onPostgres))
  else console.log(missing)
  report(outcomes.map(({ failure, name }) => [name, failure]))
} finally {
  workerd.kill()
}
