/** The size of a worker, since it is easily made larger without noticing. */
import { expect, test } from "bun:test"
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

test("a worker with one aggregate in memory is at most 45 kB, minified and gzipped", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../../bench/program/dunnock.ts", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    mainFields: ["module", "main"],
    conditions: ["import"],
    legalComments: "none"
  })
  const bytes = gzipSync(outputFiles[0]!.contents, { level: 9 }).length
  console.log(`${bytes} bytes`)
  expect(bytes).toBeLessThanOrEqual(45_000)
})
