/**
 * Starts every server that this machine has and prints the variables that tell tests to use them; they run until this is
 * ended. With a command, runs it with those variables set and ends with it:
 *
 *     bun test/services/start.ts
 *     bun test/services/start.ts bun test test/contract
 */
import { spawn } from "node:child_process"
import process from "node:process"
import * as Effect from "effect/Effect"
import { services } from "./mod.ts"

const there = services.filter(({ missing }) => missing === undefined)
const started = await Effect.runPromise(
  Effect.forEach(there, ({ url, variable }) => Effect.map(url, (url) => [variable, url] as const), {
    concurrency: "unbounded"
  })
)
for (const { missing, name } of services) if (missing !== undefined) console.error(`${name}: ${missing}`)

const [program, ...args] = process.argv.slice(2)
if (program === undefined) {
  for (const [variable, url] of started) console.log(`${variable}=${url}`)
  // until it is ended
  setInterval(() => {}, 60_000)
} else {
  const child = spawn(program, args, {
    stdio: "inherit",
    env: { ...process.env, ...Object.fromEntries(started) }
  })
  child.on("exit", (code) => process.exit(code ?? 1))
  child.on("error", (error) => {
    console.error(error.message)
    process.exit(1)
  })
}
