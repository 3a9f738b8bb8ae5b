// A command with an idempotency key is carried out once: whoever repeats it gets the first receipt.
import { describe, expect } from "bun:test"
import { Metadata } from "dunnock"
import { Faults } from "dunnock/testing"
import { Effect, Stream } from "effect"
import { Account, bank, counting, history, InsufficientFunds, onEach, onMemory, reasonOf } from "./fixture.ts"

const key = { idempotencyKey: "k-1" }

describe("a repeat under the same key gives the first receipt and appends nothing", () => {
  onEach("at once and after further events", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open)
      const deposit = process.client("a").Deposit({ amount: 5 }, key)
      yield* process.client("a").Open({ owner: "ann" })
      const first = yield* deposit
      expect(first.revision).toBe(2)
      expect(yield* deposit).toEqual(first)
      yield* process.client("a").Withdraw({ amount: 5 })
      yield* process.client("a").Close()
      expect(yield* deposit).toEqual(first)
      expect((yield* history(process, "a")).map(({ _tag }) => _tag)).toEqual([
        "Opened",
        "Deposited",
        "Withdrawn",
        "Closed"
      ])
    }))

  onEach("after a restart", (open) =>
    Effect.gen(function* () {
      const deposit = Effect.scoped(
        Effect.flatMap(Effect.flatMap(open, (driver) => bank(driver)), ({ client }) =>
          client("a").Deposit({ amount: 5 }, key))
      )
      const first = yield* deposit
      expect(yield* deposit).toEqual(first)
      expect(yield* history(yield* bank(yield* open), "a")).toHaveLength(1)
    }))

  onEach("from many fibers of two processes at once", (open) =>
    Effect.gen(function* () {
      const [one, other] = [yield* bank(yield* open), yield* bank(yield* open)]
      yield* Effect.all([one.client("a").Deposit({ amount: 1 }), other.client("a").Deposit({ amount: 1 })])
      const receipts = yield* Effect.all(
        Array.from({ length: 40 }, (_, i) => (i % 2 ? one : other).client("a").Deposit({ amount: 5 }, key)),
        { concurrency: "unbounded" }
      )
      expect(new Set(receipts.map(({ revision }) => revision))).toEqual(new Set([3]))
      expect(new Set(receipts.map(({ position }) => position)).size).toBe(1)
      expect((yield* one.state("a")).state.balance).toBe(7)
    }))

  onEach("when it appended several events", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open)
      yield* process.client("a").Open({ owner: "ann" })
      yield* process.client("a").Deposit({ amount: 5 })
      const first = yield* process.client("a").Close(undefined, key)
      expect(first.revision).toBe(4)
      expect(yield* process.client("a").Close(undefined, key)).toEqual(first)
      yield* process.client("a").Open({ owner: "ann" })
      expect(yield* process.client("a").Close(undefined, key)).toEqual(first)
    }))

  onMemory("when it appended more events than are read at a time", (open) =>
    Effect.gen(function* () {
      const many = Array.from({ length: 1_300 }, () => ({ _tag: "Deposited", amount: 1 }) as const)
      const process = yield* bank(yield* open, { Deposit: () => many })
      yield* process.client("a").Open({ owner: "ann" })
      const deposit = process.client("a").Deposit({ amount: 1 }, key)
      const first = yield* deposit
      expect(first.revision).toBe(1_301)
      yield* process.client("a").Open({ owner: "ann" })
      expect(yield* deposit).toEqual(first)
    }))

  onEach("after the outcome of the first was unknown", (open) =>
    Effect.gen(function* () {
      const faulty = Faults.wrap(yield* open, (commit) => commit === 1 ? "fail after commit" : undefined)
      const process = yield* bank(faulty)
      const deposit = process.client("a").Deposit({ amount: 5 }, key)
      expect(yield* reasonOf(deposit)).toMatchObject({ _tag: "OutcomeUnknown" })
      expect(yield* deposit).toMatchObject({ revision: 1 })
      expect(yield* deposit).toMatchObject({ revision: 1 })
      expect(yield* history(process, "a")).toEqual([{ _tag: "Deposited", amount: 5 }])
    }))

  onMemory("without deciding it again", (open) =>
    Effect.gen(function* () {
      let decided = 0
      const { client } = yield* bank(yield* open, {
        Deposit: ({ command }) => {
          decided++
          return [{ _tag: "Deposited", amount: command.amount }]
        }
      })
      yield* client("a").Deposit({ amount: 1 }, key)
      yield* client("a").Deposit({ amount: 2 }, key)
      expect(decided).toBe(1)
    }))

  onMemory(
    "when the other process was faster between the look and the append",
    (open) =>
      Effect.gen(function* () {
        const driver = yield* open
        const other = yield* bank(driver)
        let first = true
        const one = yield* bank({
          ...driver,
          // `one` has looked whether the key was used, and now loads the state
          readStream: (options) =>
            Effect.suspend(() => {
              if (!first) return driver.readStream(options)
              first = false
              return Effect.andThen(
                Effect.orDie(other.client("a").Deposit({ amount: 5 }, key)),
                driver.readStream(options)
              )
            })
        })
        expect(yield* one.client("a").Deposit({ amount: 5 }, key)).toMatchObject({ revision: 1 })
        expect(yield* history(one, "a")).toHaveLength(1)
      })
  )
})

describe("the key", () => {
  onEach("may come from the metadata, and is recorded with the events", (open) =>
    Effect.gen(function* () {
      const { client, store } = yield* bank(yield* open)
      const deposit = client("a").Deposit({ amount: 5 })
      const first = yield* deposit.pipe(Metadata.provide(key))
      expect(yield* deposit.pipe(Metadata.provide(key))).toEqual(first)
      expect(yield* client("a").Deposit({ amount: 5 }, key)).toEqual(first)
      expect(yield* deposit).toMatchObject({ revision: 2 })
      const events = yield* Stream.runCollect(store.read(Account.events, Account.stream("a")))
      expect(events.map(({ metadata }) => metadata)).toEqual([key, {}])
    }))

  onEach("of the options goes before that of the metadata", (open) =>
    Effect.gen(function* () {
      const { client } = yield* bank(yield* open)
      const deposit = (idempotencyKey: string) =>
        client("a").Deposit({ amount: 5 }, { idempotencyKey }).pipe(
          Metadata.provide({ idempotencyKey: "other" })
        )
      expect((yield* deposit("x")).revision).toBe(1)
      expect((yield* deposit("y")).revision).toBe(2)
      expect((yield* deposit("x")).revision).toBe(1)
    }))

  onEach("belongs to one aggregate: another may use the same", (open) =>
    Effect.gen(function* () {
      const { client } = yield* bank(yield* open)
      const ids = ["a", "b", "k-1", "a#0", "1:a"]
      for (const id of ids) {
        expect(yield* client(id).Deposit({ amount: 5 }, key)).toMatchObject({ revision: 1 })
      }
      for (const id of ids) {
        expect(yield* client(id).Deposit({ amount: 5 }, key)).toMatchObject({ revision: 1 })
      }
    }))

  onMemory(
    "is taken whole: no two pairs of a key and an id are mistaken for each other",
    (open) =>
      Effect.gen(function* () {
        const { client } = yield* bank(yield* open)
        const revisions = new Map<string, number>()
        for (
          const [idempotencyKey, id] of [
            ["k@Account-a#0", "b"],
            ["k", "a#0@Account-b"],
            ["k", "a#0"],
            ["k@Account-a", "b"],
            ["1:k", "a"],
            ["k", "a"]
          ] as const
        ) {
          const revision = (revisions.get(id) ?? 0) + 1
          expect(yield* client(id).Deposit({ amount: 1 }, { idempotencyKey })).toMatchObject({ revision })
          revisions.set(id, revision)
        }
      })
  )

  onEach(
    "of a command that was refused, or did nothing, may be used again",
    (open) =>
      Effect.gen(function* () {
        const { client } = yield* bank(yield* open)
        expect(yield* Effect.flip(client("a").Withdraw({ amount: 5 }, key))).toBeInstanceOf(InsufficientFunds)
        yield* client("a").Deposit({ amount: 5 })
        expect(yield* client("a").Withdraw({ amount: 5 }, key)).toMatchObject({ revision: 2 })
        expect(yield* client("a").Withdraw({ amount: 5 }, key)).toMatchObject({ revision: 2 })

        const close = client("a").Close(undefined, { idempotencyKey: "k-2" })
        expect(yield* close).toMatchObject({ revision: 2 })
        yield* client("a").Open({ owner: "ann" })
        expect(yield* close).toMatchObject({ revision: 4 })
      })
  )

  onMemory("costs no look-up when there is none", (open) =>
    Effect.gen(function* () {
      const { driver, seen } = counting(yield* open)
      const { client } = yield* bank(driver)
      yield* client("a").Deposit({ amount: 5 })
      expect(seen.finds).toBe(0)
      yield* client("a").Deposit({ amount: 5 }, key)
      expect(seen.finds).toBe(1)
    }))
})
