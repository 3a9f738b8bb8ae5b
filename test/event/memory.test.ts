/** A log of any length is read in constant memory. */
import { expect, test } from "bun:test"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { file } from "../contract/scratch.ts"

/** The data of its events alone is 75 MB. */
const events = 300_000
const program = join(import.meta.dirname, "longLog.ts")

/** Resident memory after each tenth of the log. */
const read = (filename: string, how: string): ReadonlyArray<number> => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [program, filename, String(events), how], {
    encoding: "utf8"
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

test(
  "the memory of a process that reads a long log, or projects it, does not grow with the log",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const filename = yield* file
      read(filename, "log") // writes it too, which takes memory of its own
      for (const how of ["log", "projection"]) {
        const sizes = read(filename, how)
        expect(sizes).toHaveLength(10)
        // By then it is warm, and seven tenths are to come, whose data is more than that.
        expect(sizes[9]! - sizes[2]!).toBeLessThan(50_000_000)
      }
    }))),
  60_000
)
