// The contract can fail: a store that breaks a promise fails the cases that show it.
import { describe, expect, test } from "bun:test"
import { Stores } from "dunnock"
import * as Memory from "dunnock/memory"
import { DocumentStoreContract } from "dunnock/testing"
import { Cause, type Duration, Effect, Exit } from "effect"
import { broken } from "./brokenStores.ts"

type Stores = Stores.Stores

/** A place with one pair of stores, however often it is opened. */
const over = (change: (stores: Stores) => Stores) => {
  const stores = change(Effect.runSync(Memory.make))
  return Stores.layer(Effect.succeed(stores))
}

/** Runs the cases of these topics on stores made for each, and gives those that fail. */
const failing = async (
  topics: ReadonlyArray<string>,
  change: (stores: Stores) => Stores,
  patience: Duration.Input = "2 seconds"
) => {
  const cases = DocumentStoreContract.cases.filter(({ topic }) => topics.includes(topic))
  expect(cases.length).toBeGreaterThan(0)
  const failures: Array<{ readonly name: string; readonly why: string }> = []
  for (const { name, run } of cases) {
    const exit = await Effect.runPromiseExit(Effect.timeout(run(over(change)), patience))
    if (Exit.isFailure(exit)) failures.push({ name, why: Cause.pretty(exit.cause) })
  }
  return failures
}

const topics = [...new Set(DocumentStoreContract.cases.map(({ topic }) => topic))]

describe("the contract of documents", () => {
  test("passes a store that is not broken, with every case", async () => {
    expect(await failing(topics, (stores) => stores, "10 seconds")).toEqual([])
  })

  for (const [fault, [topic, change]] of Object.entries(broken)) {
    test(`fails a store that ${fault}, under "${topic}"`, async () => {
      const failures = await failing([topic], change)
      expect(failures.map(({ name }) => name)).not.toEqual([])
      for (const { why } of failures) expect(why.length).toBeGreaterThan(10)
    })
  }

  test("fails a store that keeps nothing when it is said to be durable, or shared", async () => {
    for (const topic of ["documents, durable", "documents, shared"]) {
      const [first, ...others] = DocumentStoreContract.cases.filter((one) => one.topic === topic)
      for (const { run } of [first!, ...others.slice(0, 1)]) {
        const exit = await Effect.runPromiseExit(Effect.timeout(run(Memory.layer), "2 seconds"))
        expect(Exit.isFailure(exit)).toBe(true)
      }
    }
  })

  test("no two cases have the same topic and name", () => {
    const names = DocumentStoreContract.cases.map(({ name, topic }) => `${topic}: ${name}`)
    expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([])
  })

  test("every topic has a store that breaks it", () => {
    const shown = new Set(Object.values(broken).map(([topic]) => topic))
    const others = ["bad input of documents", "documents, durable", "documents, shared"]
    expect(topics.filter((topic) => !shown.has(topic)).toSorted()).toEqual(others)
  })
})
