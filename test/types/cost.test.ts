import { expect, test } from "bun:test"
import { join } from "node:path"
import { root, run } from "../house/check.ts"

test("checking a program with dunnock takes hardly more instantiations than the same program by hand", () => {
  const { ok, stderr, stdout } = run([process.execPath, join(import.meta.dirname, "cost.ts")], root)
  expect(stderr).toBe("")
  expect(ok).toBe(true)
  const ratio = Number(/^ratio +([\d.]+)/m.exec(stdout)?.[1])
  expect(ratio).toBeGreaterThan(0.2)
  expect(ratio).toBeLessThan(1.1)
}, 60_000)
