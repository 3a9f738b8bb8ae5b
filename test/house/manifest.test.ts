import { expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import deno from "../../deno.json" with { type: "json" }
import npm from "../../package.json" with { type: "json" }
import tsconfig from "../../tsconfig.json" with { type: "json" }

const root = join(import.meta.dir, "../..")
const exports = Object.entries(deno.exports)
const importName = (key: string) => key.replace(".", "dunnock")

test("npm and JSR have the same name and version", () => {
  expect(deno.name).toBe(`@${npm.name}/${npm.name}`)
  expect(deno.version).toBe(npm.version)
})

test("npm and JSR have the same license, and the changelog an entry for the version", () => {
  expect(deno.license).toBe(npm.license)
  expect(readFileSync(join(root, "CHANGELOG.md"), "utf8")).toContain(`\n## [${npm.version}]`)
})

const packages = Object.entries(npm.peerDependencies)

test("npm and JSR ask for the same effect and drivers", () => {
  expect<object>(deno.imports).toMatchObject(
    Object.fromEntries(packages.map(([name, version]) => [name, `npm:${name}@${version}`]))
  )
})

test("npm exports what JSR exports, as built", () => {
  const built = exports.map(([key, file]) => {
    const path = file.replace("./", "./dist/").replace(/\.ts$/, "")
    return [key, { types: `${path}.d.ts`, default: `${path}.js` }]
  })
  expect<object>(npm.exports).toEqual(Object.fromEntries([...built, ["./package.json", "./package.json"]]))
})

test("every export is a file, and none is a wildcard", () => {
  expect(exports.filter(([key, file]) => key.includes("*") || !existsSync(join(root, file)))).toEqual([])
})

test("examples and tests find the exports by name under Deno", () => {
  const imports = Object.entries(deno.imports).filter(([name]) => !(name in npm.peerDependencies))
  expect(Object.fromEntries(imports)).toEqual(
    Object.fromEntries(exports.map(([key, file]) => [importName(key), file]))
  )
})

test("examples and tests find the exports by name under Bun and tsc", () => {
  expect<object>(tsconfig.compilerOptions.paths).toEqual(
    Object.fromEntries(exports.map(([key, file]) => [importName(key), [file]]))
  )
})

test("every adapter exports the same names", async () => {
  const adapters = exports.map(([, file]) => file).filter((file) => file.startsWith("./adapters/"))
  const names = await Promise.all(
    adapters.map(async (file) => Object.keys(await import(join(root, file))).toSorted())
  )
  expect(adapters.length).toBeGreaterThan(1)
  expect(names).toEqual(adapters.map(() => ["guarantees", "layer", "make"]))
})
