/**
 * Runs every contract on every adapter, without a test runner, on Bun, Deno and Node alike:
 * `bun test/runtime/run.ts`, `deno run -A test/runtime/run.ts`, `node test/runtime/run.ts` (Node 24, which strips
 * types). Prints a line for each case that fails, then `N passed, N failed`; the exit code is 1 if any did. Adapters whose
 * server is not there are left out, which is printed as well. Names of adapters as arguments run those alone.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import process from "node:process"
import * as Memory from "../../adapters/memory/mod.ts"
import * as Mysql from "../../adapters/mysql/mod.ts"
import * as Postgres from "../../adapters/postgres/mod.ts"
import * as Sqlite from "../../adapters/sqlite/mod.ts"
import type { EventStore } from "../../src/event/EventStore.ts"
import type { Guarantees } from "../../src/event/EventStoreDriver.ts"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"
import {
  Contract,
  DocumentStoreContract,
  EventStoreContract,
  SubscriptionContract
} from "../../src/testing/mod.ts"
import { leftOut } from "../contract/leftOut.ts"
import { file } from "../contract/scratch.ts"
import { type Database, mysql, postgres, type Service, skipped } from "../services/mod.ts"

/** The message of a failure and where it came from, in one line. */
const firstLines = (cause: Cause.Cause<unknown>): string =>
  Cause.pretty(cause).split("\n", 2).map((line) => line.trim()).join(" ")

type Services = EventStore | DocumentStore
type Place = Layer.Layer<Services, unknown>

/** Of every contract. A case for the event store alone runs on both. */
const cases: ReadonlyArray<Contract.Case<Services>> = [
  ...EventStoreContract.cases as ReadonlyArray<Contract.Case<any>>,
  ...DocumentStoreContract.cases,
  ...SubscriptionContract.cases
]

const isAsked = (adapter: string): boolean => process.argv.length <= 2 || process.argv.includes(adapter)

/** What went wrong with each case that failed, a line each, and how many there were. */
const failures = (
  adapter: string,
  guarantees: Guarantees,
  place: Effect.Effect<Place, unknown, Scope.Scope>
) =>
  Effect.gen(function* () {
    const failed: Array<string> = []
    if (!isAsked(adapter)) return { failed, ran: 0 }
    const { left, run } = Contract.select(cases, guarantees)
    for (const line of leftOut(adapter, left)) console.log(line)
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

/** Those on a server, in a database of its own, if it is there. */
const onServer = (
  adapter: string,
  service: Service,
  guarantees: Guarantees,
  place: (database: Database) => Effect.Effect<Place, unknown, Scope.Scope>
) =>
  Effect.suspend(() => {
    const missing = isAsked(adapter) ? skipped(adapter, cases.length, service) : ""
    if (missing) console.log(missing)
    return missing === undefined
      ? Effect.scoped(
        Effect.flatMap(service.database, (database) => failures(adapter, guarantees, place(database)))
      )
      : Effect.succeed({ failed: [], ran: 0 })
  })

let schemas = 0

const outcomes = await Effect.runPromise(Effect.all([
  failures("memory", Memory.guarantees, Effect.succeed(Memory.layer)),
  failures("sqlite", Sqlite.guarantees, Effect.map(file, (filename) => Sqlite.layer({ filename }))),
  onServer(
    "postgres",
    postgres,
    Postgres.guarantees,
    ({ url }) => Effect.sync(() => Postgres.layer({ url, schema: `place ${++schemas}` }))
  ),
  onServer(
    "mysql",
    mysql,
    Mysql.guarantees,
    () => Effect.map(mysql.database, ({ url }) => Mysql.layer({ url }))
  )
]))

const failed = outcomes.flatMap(({ failed }) => failed)
const ran = outcomes.reduce((sum, { ran }) => sum + ran, 0)
for (const line of failed) console.log(`FAIL  ${line}`)
console.log(`${ran - failed.length} passed, ${failed.length} failed`)
process.exitCode = failed.length > 0 || ran === 0 ? 1 : 0
