/** Documents that several processes write: no change is lost, and none is there by half. */
import { expect, test } from "bun:test"
import * as Sqlite from "dunnock/sqlite"
import { Effect } from "effect"
import { join } from "node:path"
import type { Selection } from "../../../src/repository/DocumentStore.ts"
import { file } from "../../contract/scratch.ts"
import * as Process from "../../faults/Process.ts"
import { type Account, accounts, type Job, journal } from "./documentsJob.ts"

const script = join(import.meta.dir, "documents.child.ts")
const everything: Selection = { where: undefined, sort: [], deleted: "with", limit: 1_000, offset: 0 }
const names = ["one", "two", "three"]

const start = (job: Job) =>
  Effect.tap(Process.start(script, job), ({ tell }) => Effect.sync(() => tell("go")))

/** The moves that a process was told to be written: the last number that it said. */
const acknowledged = ({ said }: Process.Process): number =>
  said.findLast((line): line is number => typeof line === "number") ?? 0

/** The amounts of a collection by id, and the sums of amounts and versions. */
const sumsOf = (filename: string, collection: typeof accounts) =>
  Effect.scoped(Effect.gen(function* () {
    const { documents } = yield* Sqlite.make({ filename })
    const all = yield* documents.find(collection, everything)
    const amounts = all.map(({ data }) => (JSON.parse(data) as Account).amount)
    return {
      byId: new Map(all.map(({ id }, i) => [id, amounts[i]!])),
      amount: amounts.reduce((sum, amount) => sum + amount, 0),
      versions: all.reduce((sum, { version }) => sum + version, 0)
    }
  }))

test(
  "3 processes move amounts between the same documents, each killed again and again: none is lost, none is made",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const filename = yield* file
      const known = new Map(names.map((name) => [name, 0]))
      let conflicts = 0
      const kill = 5
      for (let round = 0; round <= kill; round++) {
        // The last ones are left to finish.
        const moves = round === kill ? 200 : 1_000_000
        const processes = yield* Effect.forEach(
          names,
          (name) => start({ filename, name, accounts: 5, moves }),
          { concurrency: "unbounded" }
        )
        for (const [i, process] of processes.entries()) {
          const name = names[i]!
          if (round === kill) expect(yield* process.ended).toBe(0)
          else {
            for (let n = 0; n < 40 + 20 * i; n++) yield* process.hear
            process.kill()
            expect(yield* process.ended).toBe("SIGKILL")
          }
          conflicts += process.said.filter((line) => line === "conflict").length
          known.set(name, Math.max(known.get(name)!, acknowledged(process)))
        }
        const [moved, counted] = [yield* sumsOf(filename, accounts), yield* sumsOf(filename, journal)]
        expect(moved.amount).toBe(0)
        expect(counted.versions).toBe(counted.amount)
        expect(moved.versions).toBe(2 * counted.amount)
        for (const [name, count] of known) {
          // A move may have been written whose acknowledgement was cut off.
          expect(counted.byId.get(name)! - count).toBeOneOf(round === kill ? [0] : [0, 1])
          known.set(name, counted.byId.get(name)!)
        }
      }
      // or they did not race
      expect(conflicts).toBeGreaterThan(0)
    }))),
  60_000
)
