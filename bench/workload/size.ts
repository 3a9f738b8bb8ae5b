import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { type Case, check, type Measure, quantile } from "../lib/Workload.ts"

const path = (file: string): string => fileURLToPath(new URL(`../program/${file}`, import.meta.url))

/** The worker of a program as it would be deployed. */
export const bundle = async (program: string): Promise<Uint8Array> => {
  const { outputFiles } = await build({
    entryPoints: [path(program)],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    mainFields: ["module", "main"],
    conditions: ["import"],
    legalComments: "none",
    logLevel: "silent"
  })
  return outputFiles[0]?.contents ?? new Uint8Array()
}

/** The bundled worker must still answer: a bundler can drop too much. */
const answers = async (contents: Uint8Array): Promise<void> => {
  const url = `data:text/javascript;base64,${Buffer.from(contents).toString("base64")}`
  const worker: {
    default: { fetch: (request: Request) => Promise<Response> }
  } = await import(url)
  const body = JSON.stringify({ id: "account-1", amount: 10 })
  const response = await worker.default.fetch(
    new Request("http://localhost/", { method: "POST", body })
  )
  const answer = await response.text()
  check(
    answer === JSON.stringify({ balance: 10 }),
    `the worker answers ${answer.slice(0, 200)}`
  )
}

const bundled = (program: string): Measure => async () => {
  const contents = await bundle(program)
  await answers(contents)
  return { value: gzipSync(contents, { level: 9 }).length }
}

/** One fresh process, from its start to its end. */
const start = (module: string): number => {
  const begin = performance.now()
  const { status, stderr } = spawnSync(process.execPath, [
    path("import.ts"),
    module
  ])
  const ms = performance.now() - begin
  check(status === 0, String(stderr).slice(0, 300))
  return ms
}

const times = (module: string, quick: boolean) => {
  start(module) // fills the file cache
  const all = Array.from({ length: quick ? 7 : 21 }, () => start(module))
  return { value: quantile(all, 0.5), p99: quantile(all, 0.99) }
}

const imported = (program: string): Measure => async ({ quick }) => times(path(program), quick)

const importedBundle = (program: string): Measure => async ({ quick, folder }) => {
  const file = `${folder}/${program}.bundle.mjs`
  writeFileSync(file, await bundle(program))
  return times(file, quick)
}

/** A worker with one aggregate in memory: its bundle, minified and gzipped, and the time it takes to be imported. */
export const cases: ReadonlyArray<Case> = [
  {
    name: "bundle",
    unit: "bytes",
    repetitions: 1,
    contenders: {
      "raw": bundled("raw.js"),
      "effect": bundled("effect.js"),
      "dunnock": bundled("dunnock.ts"),
      "@event-driven-io/emmett": bundled("emmett.js"),
      "@castore/core": bundled("castore.js")
    }
  },
  {
    name: "import",
    unit: "ms",
    repetitions: 3,
    contenders: {
      "raw": imported("raw.js"),
      "effect": imported("effect.js"),
      "effect, bundled": importedBundle("effect.js"),
      "dunnock": imported("dunnock.ts"),
      "dunnock, bundled": importedBundle("dunnock.ts"),
      "@event-driven-io/emmett": imported("emmett.js"),
      "@castore/core": imported("castore.js")
    }
  }
]
