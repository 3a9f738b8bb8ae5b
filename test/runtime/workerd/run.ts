/**
 * Bundles `worker.ts` for Cloudflare's runtime, without Node compatibility, starts workerd with it on a free port, asks
 * it once and prints what the worker answered, then `N passed, N failed`. Run with `bun test/runtime/workerd/run.ts`.
 */
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { report, root } from "../../house/check.ts"
import type { Outcome } from "./worker.ts"

const folder = join(root, ".cache/workerd")

const config = `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "worker", worker = (
    modules = [(name = "worker.js", esModule = embed "worker.js")],
    compatibilityDate = "2026-10-01",
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
`

await build({
  entryPoints: [join(import.meta.dirname, "worker.ts")],
  outfile: join(folder, "worker.js"),
  bundle: true,
  format: "esm",
  conditions: ["workerd", "worker"],
  logLevel: "warning"
})
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, "config.capnp"), config)

// workerd writes the port it listens on as a line of JSON to file descriptor 3.
const workerd = spawn("workerd", ["serve", "--control-fd=3", join(folder, "config.capnp")], {
  stdio: ["ignore", "inherit", "inherit", "pipe"]
})
try {
  const port = await new Promise<number>((resolve, reject) => {
    const control = workerd.stdio[3] as Readable
    control.on("data", (line: Buffer) => resolve(JSON.parse(line.toString()).port))
    workerd.on("error", reject)
    workerd.on("exit", (code) => reject(new Error(`workerd ended with ${code}`)))
  })
  const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(60_000) })
  if (!answer.ok) throw new Error(await answer.text())
  const outcomes = (await answer.json()) as ReadonlyArray<Outcome>
  report(outcomes.map(({ failure, name }) => [name, failure]))
} finally {
  workerd.kill()
}
