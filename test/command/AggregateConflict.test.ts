// Several writers of one aggregate: a command is decided again on the newest state, and nothing stale is ever returned.
import { describe, expect } from "bun:test"
import type { Aggregate } from "dunnock"
import { Faults } from "dunnock/testing"
import { Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { bank, counting, history, InsufficientFunds, onEach, onMemory, reasonOf } from "./fixture.ts"

/** Handlers that note the state they decided from. */
const noting = () => {
  const seen: Array<number> = []
  return {
    seen,
    handlers: {
      Deposit: (
        { command, state }: Aggregate.DecideInput<{ readonly balance: number }, { readonly amount: number }>
      ) => {
        seen.push(state.balance)
        return [{ _tag: "Deposited", amount: command.amount }] as const
      }
    }
  }
}

describe("a command of a process whose cached state is old", () => {
  onEach("is decided again on the state that the other writer left", (open) =>
    Effect.gen(function* () {
      const { handlers, seen } = noting()
      const [one, other] = [yield* bank(yield* open, handlers), yield* bank(yield* open)]
      yield* one.client("a").Deposit({ amount: 1 })
      yield* other.client("a").Deposit({ amount: 10 })
      expect(yield* one.client("a").Deposit({ amount: 100 })).toMatchObject({ revision: 3 })
      expect(seen).toEqual([0, 1, 11])
      expect(yield* other.client("a").Withdraw({ amount: 111 })).toMatchObject({ revision: 4 })
    }))

  onEach("is not refused for what is no longer so", (open) =>
    Effect.gen(function* () {
      const [one, other] = [yield* bank(yield* open), yield* bank(yield* open)]
      yield* one.client("a").Deposit({ amount: 1 })
      yield* other.client("a").Deposit({ amount: 10 })
      expect(yield* one.client("a").Withdraw({ amount: 11 })).toMatchObject({ revision: 3 })
    }))

  onEach("is refused for what is so now", (open) =>
    Effect.gen(function* () {
      const [one, other] = [yield* bank(yield* open), yield* bank(yield* open)]
      yield* one.client("a").Deposit({ amount: 1 })
      yield* other.client("a").Deposit({ amount: 10 })
      expect(yield* Effect.flip(one.client("a").Withdraw({ amount: 12 }))).toMatchObject({ balance: 11 })
      yield* other.client("a").Withdraw({ amount: 11 })
      // in the cache of `one` there is enough
      expect(yield* Effect.flip(one.client("a").Withdraw({ amount: 11 }))).toMatchObject({ balance: 0 })
    }))

  onEach("does not do nothing because there once was nothing to do", (open) =>
    Effect.gen(function* () {
      const [one, other] = [yield* bank(yield* open), yield* bank(yield* open)]
      yield* one.client("a").Open({ owner: "ann" })
      yield* other.client("a").Close()
      expect(yield* one.client("a").Open({ owner: "bob" })).toMatchObject({ revision: 3 })
      expect((yield* history(one, "a")).map(({ _tag }) => _tag)).toEqual(["Opened", "Closed", "Opened"])
    }))

  onEach(
    "that has nothing to do gives the receipt of what the other writer left",
    (open) =>
      Effect.gen(function* () {
        const [one, other] = [yield* bank(yield* open), yield* bank(yield* open)]
        yield* one.client("a").Open({ owner: "ann" })
        const newest = yield* other.client("a").Deposit({ amount: 5 })
        expect(yield* one.client("a").Open({ owner: "ann" })).toEqual(newest)
      })
  )

  onMemory("does not die of what is no longer so", (open) =>
    Effect.gen(function* () {
      const handlers = {
        Close: ({ state }: { readonly state: { readonly open: boolean } }) => {
          if (!state.open) throw new Error("there is nothing to close")
          return [{ _tag: "Closed" }] as const
        }
      }
      const [one, other] = [yield* bank(yield* open, handlers), yield* bank(yield* open)]
      yield* one.client("a").Deposit({ amount: 1 })
      yield* other.client("a").Open({ owner: "ann" })
      expect(yield* one.client("a").Close()).toMatchObject({ revision: 3 })
    }))

  onMemory("is decided only once when the cache is right after all", (open) =>
    Effect.gen(function* () {
      let decided = 0
      const { client } = yield* bank(yield* open, {
        Withdraw: ({ state }) => {
          decided++
          return Effect.fail(new InsufficientFunds({ balance: state.balance }))
        }
      })
      yield* client("a").Deposit({ amount: 1 })
      yield* Effect.flip(client("a").Withdraw({ amount: 2 }))
      expect(decided).toBe(1)
    }))
})

describe("commands of many writers", () => {
  onEach(
    "on one aggregate are all carried out, each on the state that the one before left",
    (open) =>
      Effect.gen(function* () {
        const [one, other] = [yield* bank(yield* open), yield* bank(yield* open)]
        const deposits = Array.from(
          { length: 40 },
          (_, i) => (i % 2 === 0 ? one : other).client("a").Deposit({ amount: 1 })
        )
        const receipts = yield* Effect.all(deposits, { concurrency: "unbounded" })
        expect(receipts.map(({ revision }) => revision).toSorted((a, b) => a - b)).toEqual(
          deposits.map((_, i) => i + 1)
        )
        expect((yield* one.state("a")).state.balance).toBe(40)
        // Forty withdrawals of 3 from 40: thirteen succeed.
        const withdrawals = deposits.map((_, i) =>
          Effect.result((i % 2 ? one : other).client("a").Withdraw({ amount: 3 }))
        )
        const results = yield* Effect.all(withdrawals, { concurrency: "unbounded" })
        expect(results.filter(({ _tag }) => _tag === "Success")).toHaveLength(13)
        expect((yield* one.state("a")).state.balance).toBe(1)
      })
  )

  onEach("on one aggregate do not race each other within a process", (open) =>
    Effect.gen(function* () {
      const { handlers, seen } = noting()
      const { driver, seen: { ...none }, seen: asked } = counting(yield* open)
      const { client, state } = yield* bank(driver, handlers)
      yield* Effect.all(Array.from({ length: 100 }, () => client("a").Deposit({ amount: 1 })), {
        concurrency: "unbounded"
      })
      // decided and committed once each, in turn, and read once: when the aggregate was cold
      expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i))
      expect(asked).toEqual({ ...none, commits: 100, reads: 1 })
      expect((yield* state("a")).state.balance).toBe(100)
    }))

  onMemory("on different aggregates do not wait for each other", (open) =>
    Effect.gen(function* () {
      const latch = Latch.makeUnsafe()
      const { client } = yield* bank(yield* open, {
        Close: () => Effect.as(latch.await, [{ _tag: "Closed" } as const])
      })
      const closing = yield* Effect.forkChild(client("a").Close(), { startImmediately: true })
      expect(yield* client("b").Deposit({ amount: 1 })).toMatchObject({ revision: 1 })
      yield* latch.open
      expect(yield* Fiber.join(closing)).toMatchObject({ revision: 1 })
    }))
})

describe("retries", () => {
  /** A process that loses some of its races, and the states that it decided from. */
  const losing =
    (loses: (commit: number) => boolean, options?: Aggregate.LayerOptions) =>
    (driver: Parameters<typeof bank>[0]) => {
      const { handlers, seen } = noting()
      const faulty = Faults.wrap(driver, (commit) => loses(commit) ? "conflict" : undefined)
      return Effect.map(bank(faulty, handlers, options), (process) => ({ ...process, seen }))
    }

  onMemory("go on until the race is won", (open) =>
    Effect.gen(function* () {
      const { client, seen } = yield* losing((commit) => commit <= 4)(yield* open)
      const deposit = yield* Effect.forkChild(client("a").Deposit({ amount: 1 }), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(deposit)).toMatchObject({ revision: 1 })
      expect(seen).toHaveLength(5)
    }).pipe(Effect.provide(TestClock.layer())))

  onMemory(
    "begin at once, then wait, and end with TooManyConflicts and nothing written",
    (open) =>
      Effect.gen(function* () {
        const process = yield* losing(() => true)(yield* open)
        const deposit = yield* Effect.forkChild(Effect.flip(process.client("a").Deposit({ amount: 1 })), {
          startImmediately: true
        })
        expect(process.seen).toHaveLength(2)
        // no pause is longer than a quarter of a second
        for (let decided = 2; decided < 12; decided++) {
          expect(process.seen.length).toBeGreaterThanOrEqual(decided)
          yield* TestClock.adjust("250 millis")
        }
        expect(process.seen).toHaveLength(12)
        const error = yield* Fiber.join(deposit)
        expect(error).toMatchObject({
          _tag: "AggregateError",
          isRetryable: true,
          reason: {
            _tag: "TooManyConflicts",
            aggregate: "Account",
            id: "a",
            command: "Deposit",
            attempts: 12
          }
        })
        expect(error.message).toBe('command "Deposit" lost 12 races for Account "a"')
        expect(yield* history(process, "a")).toEqual([])
      }).pipe(Effect.provide(TestClock.layer()))
  )

  for (const attempts of [1, 2, 3, 20]) {
    onMemory(`are as many as asked for: ${attempts}`, (open) =>
      Effect.gen(function* () {
        const { client, seen } = yield* losing(() => true, { attempts })(yield* open)
        const deposit = yield* Effect.forkChild(reasonOf(client("a").Deposit({ amount: 1 })), {
          startImmediately: true
        })
        yield* TestClock.adjust("6 seconds")
        expect(yield* Fiber.join(deposit)).toMatchObject({ _tag: "TooManyConflicts", attempts })
        expect(seen).toHaveLength(attempts)
      }).pipe(Effect.provide(TestClock.layer())))
  }

  onMemory("begin anew with the next command", (open) =>
    Effect.gen(function* () {
      const { client, seen } = yield* losing((commit) => commit <= 3, { attempts: 2 })(yield* open)
      expect(yield* reasonOf(client("a").Deposit({ amount: 1 }))).toMatchObject({ attempts: 2 })
      expect(yield* client("a").Deposit({ amount: 1 })).toMatchObject({ revision: 1 })
      expect(seen).toHaveLength(4)
    }))

  onMemory("that are interrupted while they wait free the aggregate", (open) =>
    Effect.gen(function* () {
      const { client } = yield* losing((commit) => commit <= 2)(yield* open)
      const deposit = yield* Effect.forkChild(client("a").Deposit({ amount: 1 }), { startImmediately: true })
      const waiting = yield* Effect.forkChild(client("a").Deposit({ amount: 2 }), { startImmediately: true })
      yield* Fiber.interrupt(deposit)
      expect(yield* Fiber.join(waiting)).toMatchObject({ revision: 1 })
    }).pipe(Effect.provide(TestClock.layer())))

  onMemory(
    "of a command that stopped applying meanwhile end with its refusal",
    (open) =>
      Effect.gen(function* () {
        const driver = yield* open
        const other = yield* bank(driver)
        yield* other.client("a").Deposit({ amount: 5 })
        const one = yield* bank({
          ...driver,
          append: (appends) =>
            Effect.andThen(Effect.ignore(other.client("a").Withdraw({ amount: 3 })), driver.append(appends))
        })
        expect(yield* Effect.flip(one.client("a").Withdraw({ amount: 4 }))).toMatchObject({ balance: 2 })
        expect((yield* one.state("a")).revision).toBe(2)
      })
  )

  for (
    const [fault, reason] of [["fail before", "Unavailable"], [
      "fail after commit",
      "OutcomeUnknown"
    ]] as const
  ) {
    onMemory(
      `are for conflicts only: ${reason} is the caller's to handle`,
      (open) =>
        Effect.gen(function* () {
          const { driver, seen } = counting(
            Faults.wrap(yield* open, (commit) => commit === 1 ? fault : undefined)
          )
          const { client } = yield* bank(driver)
          expect(yield* reasonOf(client("a").Deposit({ amount: 1 }))).toMatchObject({ _tag: reason })
          expect(seen.commits).toBe(1)
          const { revision } = yield* client("a").Deposit({ amount: 1 })
          expect(revision).toBe(fault === "fail before" ? 1 : 2)
        })
    )
  }
})
