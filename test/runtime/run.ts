/**
 * Runs the contracts of the adapters that work everywhere, without a test runner, on Bun, Deno and Node alike:
 * `bun test/runtime/run.ts`, `deno run -A test/runtime/run.ts`, `node test/runtime/run.ts` (Node 24, which strips
 * types). Prints a line for each case that fails, then `N passed, N failed`; the exit code is 1 if any did.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import process from "node:process"
import * as Memory from "../../adapters/memory/mod.ts"
import * as Sqlite from "../../adapters/sqlite/mod.ts"
import type { Guarantees } from "../../src/event/EventStoreDriver.ts"
import { Contract, DocumentStoreContract, EventStoreContract } from "../../src/testing/mod.ts"
import { leftOut } from "../contract/leftOut.ts"
import { file } from "../contract/scratch.ts"

/** The message of a failure and where it came from, in one line. */
const firstLines = (cause: Cause.Cause<unknown>): string =>
  Cause.pretty(cause).split("\n", 2).map((line) => line.trim()).join(" ")

/** What went wrong with each case that failed, a line each, and how many there were. */
const failures = <S>(
  adapter: string,
  cases: ReadonlyArray<Contract.Case<S>>,
  guarantees: Guarantees,
  place: Effect.Effect<Layer.Layer<S, unknown>, never, Scope.Scope>
) =>
  Effect.gen(function* () {
    const { left, run } = Contract.select(cases, guarantees)
    for (const line of leftOut(adapter, left)) console.log(line)
    const failed: Array<string> = []
    for (const { name, run: body, topic } of run) {
      const exit = yield* Effect.exit(
        Effect.timeout(Effect.scoped(Effect.flatMap(place, body)), "20 seconds")
      )
      if (Exit.isFailure(exit)) {
        failed.push(`${adapter}, ${topic}: ${name}: ${firstLines(exit.cause)}`)
      }
    }
    return { failed, ran: run.length }
  })

const memory = Effect.succeed(Memory.layer)
const sqlite = Effect.map(file, (filename) => Sqlite.layer({ filename }))

const outcomes = await Effect.runPromise(Effect.all([
  failures("memory", EventStoreContract.cases, Memory.guarantees, memory),
  failures("memory", DocumentStoreContract.cases, Memory.guarantees, memory),
  failures("sqlite", EventStoreContract.cases, Sqlite.guarantees, sqlite),
  failures("sqlite", DocumentStoreContract.cases, Sqlite.guarantees, sqlite)
]))

const failed = outcomes.flatMap(({ failed }) => failed)
const ran = outcomes.reduce((sum, { ran }) => sum + ran, 0)
for (const line of failed) console.log(`FAIL  ${line}`)
console.log(`${ran - failed.length} passed, ${failed.length} failed`)
process.exitCode = failed.length > 0 || ran === 0 ? 1 : 0
