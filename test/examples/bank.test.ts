// The bank example finishes what it had begun, whenever it was stopped, and finds what is wrong in a file.
import { afterAll, describe, expect, test } from "bun:test"
import { EventStore } from "dunnock"
import * as Memory from "dunnock/memory"
import * as Sqlite from "dunnock/sqlite"
import { Effect, Layer, Stream } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Account, AccountLive } from "../../examples/bank/Account.ts"
import { importMovements, type Movement, readMovements } from "../../examples/bank/Movements.ts"
import { reconcile } from "../../examples/bank/Reconciliation.ts"

const example = join(import.meta.dir, "../../examples/bank")

const folder = mkdtempSync(join(tmpdir(), "dunnock-bank-"))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const newFile = () => join(folder, `${++files}.db`)

const tableOf = (output: string) => output.slice(output.indexOf("All accounts")).trim()
const promised = tableOf(readFileSync(join(example, "expected.txt"), "utf8"))

const start = (filename: string) =>
  Bun.spawn([process.execPath, join(example, "main.ts"), filename], { stdout: "pipe", stderr: "inherit" })

/** Runs the example to its end and gives its final table. */
const finish = async (filename: string) => tableOf(await new Response(start(filename).stdout).text())

const inStore = <A, E>(filename: string, use: Effect.Effect<A, E, EventStore.EventStore>) =>
  Effect.runPromise(Effect.provide(use, Sqlite.layer({ filename, synchronous: "NORMAL" })))

describe("stopped and started again, it ends with the same balances:", () => {
  const whole = newFile()
  /** Every event of an uninterrupted run. */
  const log = finish(whole).then(() =>
    inStore(
      whole,
      Effect.flatMap(EventStore.EventStore, ({ driver }) =>
        driver.readLog({ after: 0, limit: 10_000, queries: [] }))
    )
  ).then(({ events }) => events)

  // 6 is between the two halves of the transfer.
  test.each([4, 6, 1500])("stopped after event %i", async (n) => {
    const filename = newFile()
    const appends = (await log).slice(0, n).map((event) => ({
      streams: [{ stream: event.stream, expected: "any" as const, events: [event] }],
      condition: undefined
    }))
    await inStore(filename, Effect.flatMap(EventStore.EventStore, ({ driver }) => driver.append(appends)))
    expect(await finish(filename)).toBe(promised)
  }, 30_000)

  test("killed again and again", async () => {
    const filename = newFile()
    const total = (await log).length
    // Early on, and twice more on the way.
    const at = [0, 1, 2].map((fifth) => 1 + Math.floor((fifth + Math.random()) * total / 5))
    const left = []
    for (const target of at) {
      const kill = Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        const child = start(filename)
        yield* store.subscribe(Account.events).pipe(
          Stream.take(target),
          Stream.runDrain,
          Effect.raceFirst(Effect.promise(() => child.exited))
        )
        child.kill("SIGKILL")
        yield* Effect.promise(() => child.exited)
        return yield* store.head
      })
      left.push(await inStore(filename, kill))
    }
    // It was killed while it had more to do.
    expect(left[0]).toBeLessThan(total)
    expect({ at, table: await finish(filename) }).toEqual({ at, table: promised })
  }, 30_000)
})

describe("the reconciliation of a file", () => {
  const readAll = Effect.runPromise(readMovements(pathToFileURL(join(example, "movements.csv"))))

  /** What does not agree after these files were imported, one after the other. */
  const importing = (...all: ReadonlyArray<ReadonlyArray<Movement>>) =>
    Effect.forEach(all, importMovements).pipe(
      Effect.map((imports) => imports.at(-1)!.flatMap(reconcile)),
      Effect.provide(Layer.provideMerge(AccountLive, Memory.layer)),
      Effect.runPromise
    )

  const changed = (movements: ReadonlyArray<Movement>, row: number, fields: Partial<Movement>) =>
    movements.with(row, { ...movements[row]!, ...fields })

  test("finds nothing in the file as shipped", async () => {
    const movements = await readAll
    expect(movements.length).toBeGreaterThan(3000)
    expect(await importing(movements, movements)).toEqual([])
  })

  test("names the row whose amount was changed, and no other", async () => {
    const movements = await readAll
    expect(await importing(changed(movements, 0, { amount: 279_400 }))).toEqual([
      "2025-01-01 K-1001 R-00001: leaves 2794.00 in the account, but 2793.00 in the file"
    ])
  })

  test("names the row whose amount was changed after it had been imported", async () => {
    const movements = await readAll
    expect(await importing(movements, changed(movements, 7, { amount: 1 }))).toEqual([
      "2025-01-02 K-1001 R-00008: booked as -159.52, but -0.01 in the file"
    ])
  })

  test("names the row whose checksum was changed, and the next, which does not follow from it", async () => {
    const movements = await readAll
    const problems = await importing(changed(movements, 7, { checksum: 1 }))
    expect(problems).toHaveLength(2)
    expect(problems[0]).toBe("2025-01-02 K-1001 R-00008: leaves 2633.48 in the account, but 0.01 in the file")
  })

  test("names a row that was refused, and no other", async () => {
    const movements = await readAll
    expect(await importing(changed(movements, 7, { amount: 1_000_000_00 }))).toEqual([
      "2025-01-02 K-1001 R-00008: a withdrawal of 1000000.00 was refused with 2793.00 in the account"
    ])
  })

  test("names the row after one that is missing, and the second of two with the same reference", async () => {
    const movements = await readAll
    const [next] = movements.slice(1).filter(({ account }) => account === "K-1001").slice(1)
    const expected = [expect.stringContaining(`${next!.account} ${next!.reference}: leaves`)]
    expect(await importing(movements.filter(({ reference }) => reference !== "R-00008"))).toEqual(expected)
    // of the same kind: a key is one of a command's
    const again = movements.findIndex(({ reference }) => reference === "R-00061")
    const [problem] = await importing(changed(movements, again, { reference: "R-00008" }))
    expect(problem).toContain("K-1001 R-00008: booked as -159.52")
  })

  test("is not begun when the file cannot be read: it says where and why", async () => {
    const file = join(folder, "broken.csv")
    const reading = Effect.flip(readMovements(pathToFileURL(file)))
    expect((await Effect.runPromise(reading)).message).toContain(`${file} cannot be read: ENOENT`)
    writeFileSync(file, "date,account,kind,amount,reference,checksum\n2025-01-01,K-1,deposit,-5,R-1,5\n")
    expect((await Effect.runPromise(reading)).message).toBe(
      `${file} cannot be read: Expected a value greater than 0\n  at [2]["amount"]`
    )
  })
})
