/** The size of a worker, since it is easily made larger without noticing. */
import { expect, test } from "bun:test"
import { gzipSync } from "node:zlib"
import { bundle } from "../../bench/workload/size.ts"

test("a worker with one aggregate in memory is at most 45 kB, minified and gzipped", async () => {
  const bytes = gzipSync(await bundle("dunnock.ts"), { level: 9 }).length
  console.log(`${bytes} bytes`)
  expect(bytes).toBeGreaterThan(0)
  expect(bytes).toBeLessThanOrEqual(45_000)
})
