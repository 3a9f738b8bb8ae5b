/**
 * One contender, measured once in a process of its own: `bun bench/child.ts <workload> <case> <contender> <settings>`
 * ends with a line that holds a sample or an error.
 */
import type { Settings } from "./lib/Workload.ts"
import { casesOf } from "./workload/index.ts"

const [workload = "", name = "", contender = "", settings = "{}"] = process.argv
  .slice(2)

const finish = (result: object): never => {
  process.stdout.write(`\n@@${JSON.stringify(result)}\n`)
  process.exit(0)
}

const fail = (error: unknown): never => finish({ error: String(error).split("\n")[0] })

process.on("unhandledRejection", fail)
process.on("uncaughtException", fail)
console.log = () => {} // some peers log each conflict

try {
  const found = (await casesOf(workload)).find((candidate) => candidate.name === name)
  const measure = found?.contenders[contender]
  if (measure === undefined) {
    throw new Error(`no contender "${contender}" in ${workload}: ${name}`)
  }
  finish(await measure(JSON.parse(settings) as Settings))
} catch (error) {
  fail(error)
}
