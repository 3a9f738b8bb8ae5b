/**
 * Runs each `examples/<name>/main.ts` under Bun, Deno and Node, in an empty folder, and compares what it prints with
 * `expected.txt` beside it. Where there is an `expected-again.txt`, it runs a second time in the same folder, on the
 * files the first run left, and is compared with that.
 */
import { Glob } from "bun"
import { existsSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { type Check, difference, inEmptyFolder, report, root, run } from "./check.ts"

const runtimes: Record<string, ReadonlyArray<string>> = {
  bun: ["bun"],
  deno: ["deno", "run", "--quiet", "--allow-all", "--config", join(root, "deno.json")],
  node: ["node"]
}

const checks = function* (): Iterable<Check> {
  for (const main of [...new Glob("examples/*/main.ts").scanSync(root)].toSorted()) {
    const file = join(root, main)
    const promised = ["expected.txt", "expected-again.txt"].map((name) => join(dirname(file), name))
      .filter((path, i) => i === 0 || existsSync(path))
    for (const [runtime, command] of Object.entries(runtimes)) {
      yield* inEmptyFolder((folder) =>
        promised.map((path): Check => {
          const { ok, stderr, stdout } = run([...command, file], folder)
          const problem = ok
            ? difference(readFileSync(path, "utf8"), stdout)
            : `it failed\n${stdout}${stderr}`
          return [`${main} on ${runtime} prints ${basename(path)}`, problem]
        })
      )
    }
  }
}

report(checks())
