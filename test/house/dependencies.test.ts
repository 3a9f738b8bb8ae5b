import { Glob } from "bun"
import { describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import deno from "../../deno.json" with { type: "json" }
import npm from "../../package.json" with { type: "json" }
import { type House, type Source, violations } from "./dependencies.ts"

const house: House = {
  entries: new Map(
    Object.entries(deno.exports).map(([key, file]) => [key.replace(".", "dunnock"), file.replace("./", "")])
  ),
  drivers: new Set(Object.keys(npm.peerDependencies).filter((name) => name !== "effect"))
}

const read = (root: string): ReadonlyArray<Source> =>
  ["mod.ts", "src/**/*.ts", "adapters/**/*.ts", "examples/**/*.ts"]
    .flatMap((pattern) => [...new Glob(pattern).scanSync(root)])
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))

/** The violations in a tree that holds this one file. */
const planted = (path: string, text: string, declared: House = house): ReadonlyArray<string> => {
  const root = mkdtempSync(join(tmpdir(), "dunnock-planted-"))
  try {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    return violations(read(root), declared)
  } finally {
    rmSync(root, { recursive: true })
  }
}

test("this tree has no dependency in the wrong direction", () => {
  const sources = read(join(import.meta.dir, "../.."))
  for (const area of ["mod.ts", "src/", "adapters/", "examples/"]) {
    expect(sources.some(({ path }) => path.startsWith(area))).toBe(true)
  }
  expect(violations(sources, house)).toEqual([])
})

describe("a planted import is found:", () => {
  const wrong: ReadonlyArray<readonly [why: string, path: string, specifier: string]> = [
    ["src → adapter", "src/event/Event.ts", "../../adapters/memory/mod.ts"],
    ["src → test", "src/event/Event.ts", "../../test/runtime/run.ts"],
    ["src → mod.ts", "src/event/Event.ts", "../../mod.ts"],
    ["src → itself by name", "src/event/Event.ts", "dunnock/Metadata"],
    ["src → effect barrel", "src/event/Event.ts", "effect"],
    ["src → effect sub-barrel", "src/command/AggregateRpc.ts", "effect/rpc"],
    ["src → Node", "src/event/Event.ts", "node:crypto"],
    ["src → Bun", "src/event/Event.ts", "bun:sqlite"],
    ["src → package", "src/event/Event.ts", "redis"],
    ["mod.ts → adapter", "mod.ts", "./adapters/memory/mod.ts"],
    ["adapter → adapter", "adapters/sqlite/mod.ts", "../memory/mod.ts"],
    ["shared SQL → dialect", "adapters/sql/Store.ts", "../sqlite/mod.ts"],
    ["adapter → private src", "adapters/memory/mod.ts", "../../src/event/groupCommit.ts"],
    ["adapter → mod.ts", "adapters/memory/mod.ts", "../../mod.ts"],
    ["adapter → effect barrel", "adapters/memory/mod.ts", "effect"],
    ["adapter → effect sub-barrel", "adapters/sql/Store.ts", "effect/sql"],
    ["adapter → undeclared driver", "adapters/redis/mod.ts", "redis"],
    ["adapter → dunnock by name", "adapters/memory/mod.ts", "dunnock/EventStore"],
    ["example → src", "examples/bank/main.ts", "../../src/event/Event.ts"],
    ["example → another example", "examples/bank/main.ts", "../shop/main.ts"],
    ["example → package", "examples/bank/main.ts", "lodash"],
    ["example → undeclared entry", "examples/bank/main.ts", "dunnock/internal"]
  ]
  test.each([...wrong])("%s", (_, path, specifier) => {
    expect(planted(path, `\nimport * as X from "${specifier}"\nX\n`)).toEqual([
      `${path}:2 must not import "${specifier}"`
    ])
  })

  test.each([
    ["type import", `import type { Layer } from "redis"`],
    ["side effect", `import "redis"`],
    ["re-export", `export { x } from "redis"`],
    ["re-export of all", `export * from "redis"`],
    ["dynamic import", `const redis = await import("redis")`],
    ["import type expression", `type Redis = import("redis").Redis`]
  ])("%s", (_, code) => {
    expect(planted("src/event/Event.ts", code)).toEqual([`src/event/Event.ts:1 must not import "redis"`])
  })
})

describe("a planted runtime global is found:", () => {
  test.each([
    ["process", "export const x = process.env"],
    ["Bun", "export const x = Bun.version"],
    ["Deno", "export const x = Deno.version"],
    ["Buffer", "export const x = (b: Buffer) => b"],
    ["globalThis", "export const x = globalThis"],
    ["globalThis", `export const x = globalThis["fetch"]`],
    ["fetch", "export const x = globalThis.fetch"],
    ["Buffer", "export const x = (b: globalThis.Buffer) => b"],
    ["setTimeout", "setTimeout(() => {}, 1)"],
    ["fetch", "export const x = { fetch }"],
    ["crypto", "export const x = `${crypto.randomUUID()}`"],
    ["console", "console.log(1)"],
    ["import.meta", "export const x = import.meta.url"]
  ])("%s", (name, code) => {
    expect(planted("src/event/Event.ts", code)).toEqual([`src/event/Event.ts:1 must not use ${name}`])
  })
})

describe("what is allowed passes:", () => {
  const redis: House = { ...house, drivers: new Set(["redis", "@effect/sql-pg"]) }
  test.each([
    ["src → src", "src/command/Aggregate.ts", `import * as Event from "../event/Event.ts"`],
    ["src → effect module", "src/command/Aggregate.ts", `import * as Rpc from "effect/rpc/Rpc"`],
    ["mod.ts → src", "mod.ts", `export * as Event from "./src/event/Event.ts"`],
    ["adapter → public src", "adapters/memory/mod.ts", `import * as Event from "../../src/event/Event.ts"`],
    ["adapter → own file", "adapters/memory/mod.ts", `import { x } from "./log.ts"`],
    ["adapter → shared SQL", "adapters/sqlite/mod.ts", `import { x } from "../sql/Store.ts"`],
    ["adapter → driver", "adapters/redis/mod.ts", `import { createClient } from "redis"`],
    ["adapter → scoped driver", "adapters/postgres/mod.ts", `import * as Pg from "@effect/sql-pg/PgClient"`],
    ["adapter → Node", "adapters/sqlite/mod.ts", `import { DatabaseSync } from "node:sqlite"`],
    ["adapter → runtime global", "adapters/redis/mod.ts", "process.version"],
    [
      "example → dunnock, effect, Node",
      "examples/bank/main.ts",
      `import "dunnock/sqlite"; import "effect"; import "node:fs"`
    ],
    ["example → own file", "examples/bank/main.ts", `import { x } from "./account.ts"`],
    [
      "members named like globals",
      "src/event/Event.ts",
      "export const x = (y: { fetch(): void }) => y.fetch"
    ],
    [
      "globals of the language",
      "src/event/Event.ts",
      "export const x: globalThis.Set<1> = new globalThis.Set()"
    ],
    ["comments", "src/event/Event.ts", `// process.env, import "redis"`]
  ])("%s", (_, path, code) => {
    expect(planted(path, code, redis)).toEqual([])
  })
})
