import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Sample, Settings } from "./Workload.ts"

const child = fileURLToPath(new URL("../child.ts", import.meta.url))
const patience = ({ quick }: Settings): number => quick ? 60_000 : 900_000

/** A sample, or what went wrong. */
export type Outcome = Sample | { readonly error: string }

const outcome = (stdout: string, stderr: string): Outcome => {
  const line = stdout.split("\n").findLast((text) => text.startsWith("@@"))
  return line === undefined ? { error: `no result: ${stderr.trim().slice(-300)}` } : JSON.parse(line.slice(2))
}

/** Measures one contender once, in a fresh process of the runtime that runs this one. */
export const measure = (
  workload: string,
  name: string,
  contender: string,
  settings: Settings
): Promise<Outcome> =>
  new Promise((resolve) => {
    const run = spawn(process.execPath, [
      child,
      workload,
      name,
      contender,
      JSON.stringify(settings)
    ])
    let stdout = ""
    let stderr = ""
    run.stdout.on("data", (data) => stdout += data)
    run.stderr.on("data", (data) => stderr += data)
    const stop = setTimeout(() => run.kill("SIGKILL"), patience(settings))
    run.on("close", () => {
      clearTimeout(stop)
      resolve(outcome(stdout, stderr))
    })
  })
