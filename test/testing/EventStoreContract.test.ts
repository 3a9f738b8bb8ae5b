// The contract can fail: a driver that breaks a promise fails the cases that show it.
import { describe, expect, test } from "bun:test"
import { EventStore, type EventStoreDriver } from "dunnock"
import * as Memory from "dunnock/memory"
import { Contract, EventStoreContract } from "dunnock/testing"
import { Cause, type Duration, Effect, Exit, type Layer } from "effect"
import { broken } from "./brokenDrivers.ts"

type Driver = EventStoreDriver.EventStoreDriver
type Case = (typeof EventStoreContract.cases)[number]

/** Runs the cases of these topics on stores made for each, and gives those that fail. */
const failing = async (
  topics: ReadonlyArray<string>,
  layerOf: () => Layer.Layer<EventStore.EventStore, unknown>,
  patience: Duration.Input = "300 millis"
) => {
  const cases = EventStoreContract.cases.filter(({ topic }) => topics.includes(topic))
  expect(cases.length).toBeGreaterThan(0)
  const failures: Array<{ readonly case: Case; readonly why: string }> = []
  for (const each of cases) {
    const exit = await Effect.runPromiseExit(Effect.timeout(each.run(layerOf()), patience))
    if (Exit.isFailure(exit)) failures.push({ case: each, why: Cause.pretty(exit.cause) })
  }
  return failures
}

const topics = [...new Set(EventStoreContract.cases.map(({ topic }) => topic))]

/** A store over one driver, however often it is opened. */
const over = (change: (driver: Driver) => Driver) => {
  const driver = change(Effect.runSync(Memory.make).events)
  return EventStore.layer(Effect.sync(() => driver))
}

describe("the contract", () => {
  test("passes a driver that is not broken, with every case", async () => {
    const shared = (driver: Driver): Driver => ({ ...driver, changed: () => Effect.sleep("2 millis") })
    expect(await failing(topics, () => over(shared), "4 seconds")).toEqual([])
  })

  for (const [fault, [topic, change]] of Object.entries(broken)) {
    test(`fails a driver that ${fault}, under "${topic}"`, async () => {
      const failures = await failing([topic], () => over(change))
      expect(failures.map(({ case: { name } }) => name)).not.toEqual([])
      for (const { why } of failures) expect(why.length).toBeGreaterThan(10)
    })
  }

  test("fails a driver that keeps nothing when it is said to be durable", async () => {
    expect(await failing(["durable"], () => Memory.layer)).not.toEqual([])
  })

  test("fails a driver that is not shared when it is said to be", async () => {
    expect(await failing(["shared"], () => Memory.layer)).not.toEqual([])
  })

  test("fails a shared driver that does not say that another has written", async () => {
    const names = (await failing(["shared"], () => over((driver) => driver), "1 second")).map((
      { case: { name } }
    ) => name)
    expect(names).toEqual(["what one writes, the other reads and hears of"])
  })
})

describe("choosing cases", () => {
  const count = (durable: boolean, shared: boolean) => {
    const { left, run } = Contract.select(EventStoreContract.cases, { durable, shared })
    expect(run.length + left.length).toBe(EventStoreContract.cases.length)
    return left.map(({ needs }) => needs)
  }

  test("leaves out those whose guarantee is not given, and says which", () => {
    expect(count(true, true)).toEqual([])
    expect(new Set(count(true, false))).toEqual(new Set(["shared"]))
    expect(new Set(count(false, true))).toEqual(new Set(["durable"]))
    expect(new Set(count(false, false))).toEqual(new Set(["durable", "shared"]))
  })

  test("no two cases have the same topic and name", () => {
    const names = EventStoreContract.cases.map(({ name, topic }) => `${topic}: ${name}`)
    expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([])
  })

  test("every promise has its topic", () => {
    expect(topics).toEqual([
      "atomic",
      "conditional",
      "idempotent",
      "ordered",
      "reading a stream",
      "reading the log",
      "subscription",
      "undecodable",
      "evolution",
      "snapshots",
      "bad input",
      "durable",
      "shared"
    ])
  })
})
