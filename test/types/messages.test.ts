// What the compiler says of each mistake in mistakes.ts: short, and with the words a person needs to mend it.
import { beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root, run } from "../house/check.ts"

const text = readFileSync(join(import.meta.dirname, "mistakes.ts"), "utf8")
const marker = "// @ts-expect-error "

/** Each mistake's line, and the words that its message must hold. */
const mistakes = text.split("\n").flatMap((line, i) => {
  const words = line.split(marker)[1]?.split(" … ")
  return words === undefined ? [] : [{ line: i + 2, code: text.split("\n")[i + 1]!.trim(), words }]
})

/** The messages of the compiler by the line they are for, when nothing is said to be expected. */
const messages = new Map<number, string>()

beforeAll(() => {
  const folder = join(root, ".cache/types")
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, "mistakes.ts"),
    text.replaceAll(marker, "// ").replaceAll(/"..\/(command|repository)\//g, '"../../test/$1/')
  )
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
  const config = { extends: "../../tsconfig.json", compilerOptions, include: ["mistakes.ts"] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  const tsc = join(root, "node_modules/.bin/tsc")
  const { ok, stderr, stdout } = run([tsc, "--pretty", "false", "--project", folder], root)
  if (ok) throw new Error(`nothing was wrong\n${stderr}`)
  for (const message of stdout.trimEnd().split(/\n(?=\S)/)) {
    const [, file, line, what] = /^(.*?)\((\d+),\d+\): ([^]*)$/.exec(message) ?? []
    if (file !== ".cache/types/mistakes.ts") throw new Error(message)
    messages.set(Number(line), `${messages.get(Number(line)) ?? ""}${what}\n`)
  }
})

test("there are mistakes, and nothing else is wrong", () => {
  expect(mistakes.length).toBeGreaterThan(40)
  expect([...messages.keys()].toSorted((a, b) => a - b)).toEqual(mistakes.map(({ line }) => line))
})

test("most messages are one line", () => {
  const short = [...messages.values()].filter((message) => !message.trim().includes("\n"))
  expect(short.length).toBeGreaterThan(mistakes.length * 0.6)
})

describe("the compiler says of", () => {
  for (const { code, line, words } of mistakes) {
    test(`${code} in line ${line}: ${words.join(" … ")}`, () => {
      const message = messages.get(line) ?? "nothing"
      for (const word of words) expect(message).toContain(word)
      expect(message.trim().split("\n").length).toBeLessThan(10)
      expect(message.length).toBeLessThan(2_500)
    })
  }
})
