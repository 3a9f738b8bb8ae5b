// The orders example does the same on PostgreSQL with one line changed, and carries on wherever it was killed.
import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { testsOn } from "../services/bun.ts"
import { mysql, postgres, type Service } from "../services/mod.ts"

const root = join(import.meta.dir, "../..")
const example = join(root, "examples/orders")
const expected = readFileSync(join(example, "expected.txt"), "utf8")
const again = readFileSync(join(example, "expected-again.txt"), "utf8")

const run = async (main: string, ...args: ReadonlyArray<string>) => {
  const child = Bun.spawn([process.execPath, main, ...args], { stdout: "pipe", stderr: "pipe" })
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text()
  ])
  return { out, error }
}

/** The example with the line changed that says where all is kept, in a folder of its own. */
const changed = (module: string, name: string, url: string): string => {
  const folder = join(root, ".cache", `orders-${name}`)
  rmSync(folder, { recursive: true, force: true })
  cpSync(example, folder, { recursive: true })
  const main = readFileSync(join(example, "main.ts"), "utf8")
  const text = main
    .replace('import * as Sqlite from "dunnock/sqlite"', `import * as ${name} from "${module}"`)
    .replace(
      "\nconst StoreLive = Sqlite.layer({ filename })",
      `\nconst StoreLive = ${name}.layer({ url: "${url}" })`
    )
    .replace('\nconst filename = process.argv[2] ?? "orders.db"\n', "\n")
  expect(text).toContain(`StoreLive = ${name}`)
  writeFileSync(join(folder, "main.ts"), text)
  return join(folder, "main.ts")
}

const onServer = (module: string, name: string, service: Service) => {
  const test = testsOn(`the orders example, ${name}`, service)
  test(
    `on ${name}, with one line changed, it prints the same`,
    () =>
      Effect.runPromise(
        Effect.scoped(Effect.flatMap(service.database, ({ url }) =>
          Effect.promise(async () => {
            const main = changed(module, name, url)
            const first = await run(main)
            expect(first.error).toMatch(/\[#+\.*\] \d+ %/)
            expect(first.out).toBe(expected)
            expect((await run(main)).out).toBe(again)
          })))
      ),
    60_000
  )
}
onServer("dunnock/postgres", "Postgres", postgres)
onServer("dunnock/mysql", "Mysql", mysql)

describe("killed", () => {
  test("at any moment and run again, it ends the same", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dunnock-orders-"))
    try {
      const filename = join(folder, "orders.db")
      for (const after of [250, 400, 600, 800]) {
        const child = Bun.spawn([process.execPath, join(example, "main.ts"), filename], { stdout: "ignore" })
        await Bun.sleep(after)
        child.kill("SIGKILL")
        await child.exited
      }
      await run(join(example, "main.ts"), filename)
      expect((await run(join(example, "main.ts"), filename)).out).toBe(again)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }, 60_000)
})
