import { Glob } from "bun"
import { expect, test } from "bun:test"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { inEmptyFolder, root } from "./check.ts"

const exports = (text: string, name: string): boolean =>
  new RegExp(`export (const|function) ${name}\\b|export \\{[^}]*\\b${name}\\b[^}]*\\}`).test(text)

/** The adapters of a tree that declare stores. */
const declaring = (tree: string): ReadonlyArray<string> =>
  [...new Glob("adapters/*/mod.ts").scanSync(tree)].filter((path) => {
    const text = readFileSync(join(tree, path), "utf8")
    return exports(text, "layer") && exports(text, "guarantees")
  }).map((path) => basename(dirname(path))).toSorted()

/** Those of them without a contract test, or with one that does not run the contracts on the adapter. */
const unproven = (tree: string): ReadonlyArray<string> =>
  declaring(tree).filter((adapter) => {
    const path = join(tree, `test/contract/${adapter}.test.ts`)
    if (!existsSync(path)) return true
    const text = readFileSync(path, "utf8")
    return !text.includes(`"dunnock/${adapter}"`) ||
      !new RegExp(`^contracts\\(\\s*"${adapter}",`, "m").test(text)
  })

/** What is unproven in a tree that holds these files. */
const planted = (files: Record<string, string>): ReadonlyArray<string> =>
  inEmptyFolder((tree) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true })
      writeFileSync(join(tree, path), text)
    }
    return unproven(tree)
  })

test("every adapter that declares stores runs their contracts", () => {
  expect(declaring(root)).toEqual(expect.arrayContaining(["memory", "mysql", "postgres", "sqlite"]))
  expect(unproven(root)).toEqual([])
})

test("every contract is among those that are run", () => {
  const text = readFileSync(join(root, "test/contract/contract.ts"), "utf8")
  const names = [...new Glob("src/testing/*Contract.ts").scanSync(root)].map((path) => basename(path, ".ts"))
    .filter((name) => name !== "Contract")
  expect(names.length).toBeGreaterThan(2)
  expect(names.filter((name) => !text.includes(`...${name}.cases`))).toEqual([])
})

test("an adapter's contract test is under ten lines", () => {
  for (const adapter of declaring(root)) {
    const text = readFileSync(join(root, `test/contract/${adapter}.test.ts`), "utf8")
    expect(text.split("\n").filter((line) => line.trim() !== "").length, adapter).toBeLessThan(10)
  }
})

const adapter = { "adapters/oracle/mod.ts": "export const guarantees = {}\nexport const layer = 1\n" }
const contract = "test/contract/oracle.test.ts"

test("a planted adapter without a contract test is found", () => {
  expect(planted(adapter)).toEqual(["oracle"])
  expect(planted({ "adapters/oracle/mod.ts": "export { guarantees, layer } from './x.ts'\n" })).toEqual([
    "oracle"
  ])
})

test("a planted contract test that does not run the contract, or not on the adapter, is found", () => {
  const imports = 'import * as Oracle from "dunnock/oracle"\n'
  const run = 'contracts("oracle", Oracle.guarantees, place)\n'
  expect(planted({ ...adapter, [contract]: imports })).toEqual(["oracle"])
  expect(planted({ ...adapter, [contract]: `${imports}// ${run}` })).toEqual(["oracle"])
  expect(planted({ ...adapter, [contract]: run })).toEqual(["oracle"])
  expect(planted({ ...adapter, [contract]: imports + run })).toEqual([])
})

test("an adapter of another port needs no contract of stores", () => {
  expect(planted({ "adapters/casbin/mod.ts": "export const layer = 1\n" })).toEqual([])
})
