import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The top of the repository. */
export const root: string = join(import.meta.dirname, "../..")

/** What a command did. */
export interface Outcome {
  readonly ok: boolean
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end, a minute at most. */
export const run = (command: ReadonlyArray<string>, cwd: string): Outcome => {
  const [program = "", ...args] = command
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    timeout: 60_000
  })
  return { ok: status === 0, stdout: stdout ?? "", stderr: `${stderr ?? ""}${error ?? ""}` }
}

/** Gives `use` an empty folder that is gone afterwards. */
export const inEmptyFolder = <A>(use: (folder: string) => A): A => {
  const folder = mkdtempSync(join(tmpdir(), "dunnock-"))
  try {
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The first line where output departs from what was promised, if one does. Blanks at the ends do not count. */
export const difference = (expected: string, actual: string): string | undefined => {
  const wanted = lines(expected)
  const printed = lines(actual)
  const at = Array.from({ length: Math.max(wanted.length, printed.length) }, (_, i) => i)
    .find((i) => wanted[i] !== printed[i])
  return at === undefined
    ? undefined
    : `line ${at + 1}\n  expected: ${wanted[at] ?? "(the end)"}\n  printed:  ${printed[at] ?? "(the end)"}`
}

const lines = (text: string): ReadonlyArray<string> =>
  text.trimEnd().split("\n").map((line) => line.trimEnd())

/** A check's name, and what is wrong, if anything is. */
export type Check = readonly [name: string, problem: string | undefined]

/** Prints the checks and their count as `N passed, N failed`, and sets the exit code. */
export const report = (checks: Iterable<Check>): void => {
  let passed = 0
  let failed = 0
  for (const [name, problem] of checks) {
    if (problem === undefined) passed++
    else failed++
    console.log(problem === undefined ? `ok    ${name}` : `FAIL  ${name}: ${problem}`)
  }
  console.log(`${passed} passed, ${failed} failed`)
  // Nothing checked is a check that went wrong.
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
