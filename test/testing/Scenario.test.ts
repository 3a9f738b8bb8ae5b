// A scenario passes when it comes out as the sentence says, and fails with a readable reason when it does not.
import { describe, expect } from "bun:test"
import { AggregateError, EventStore, EventStoreError } from "dunnock"
import * as Memory from "dunnock/memory"
import { Faults, Scenario } from "dunnock/testing"
import { Effect } from "effect"
import { Account, check, type Handlers, handlers, InsufficientFunds } from "../command/fixture.ts"

type Test = Scenario.Test<"Account">

const opened = { _tag: "Opened", owner: "ann" } as const
const deposited = (amount: number) => ({ _tag: "Deposited", amount }) as const
const withdrawn = (amount: number) => ({ _tag: "Withdrawn", amount }) as const
const closed = { _tag: "Closed" } as const

const run = (test: Test, changed: Partial<Handlers> = {}) =>
  test.pipe(Effect.provide(Account.toLayer({ ...handlers, ...changed })), Effect.provide(Memory.layer))

const passes = (name: string, test: Test) => check(name, run(test))

const fails = (name: string, test: Test, message: string, changed?: Partial<Handlers>) =>
  check(
    name,
    Effect.gen(function* () {
      const error = yield* Effect.flip(run(test, changed))
      expect(error).toMatchObject({ _tag: "Broken", message })
    })
  )

const { given } = Scenario

describe("then", () => {
  passes(
    "passes on the events that were appended",
    given(Account, opened).when("Deposit", { amount: 5 }).then(deposited(5))
  )
  passes(
    "passes on several, in their order",
    given(Account, opened, deposited(5)).when("Close").then(withdrawn(5), closed)
  )
  passes(
    "passes on none when none was appended",
    given(Account, opened).when("Open", { owner: "bob" }).then()
  )
  passes("passes without a past", given(Account).when("Open", { owner: "ann" }).then(opened))

  fails(
    "fails on other events",
    given(Account, opened).when("Deposit", { amount: 5 }).then(deposited(6)),
    `events: expected [{"_tag":"Deposited","amount":6}], got [{"amount":5,"_tag":"Deposited"}]`
  )
  fails(
    "fails on an event that is missing",
    given(Account, opened, deposited(5)).when("Close").then(closed),
    `events: expected [{"_tag":"Closed"}], got [{"amount":5,"_tag":"Withdrawn"},{"_tag":"Closed"}]`
  )
  fails(
    "fails on events in another order",
    given(Account, opened, deposited(5)).when("Close").then(closed, withdrawn(5)),
    `events: expected [{"_tag":"Closed"},{"_tag":"Withdrawn","amount":5}], got [{"amount":5,"_tag":"Withdrawn"},{"_tag":"Closed"}]`
  )
  fails(
    "fails on none when some were appended",
    given(Account).when("Deposit", { amount: NaN }).then(),
    `events: expected [], got [{"amount":NaN,"_tag":"Deposited"}]`
  )
  fails(
    "fails on a refusal",
    given(Account, deposited(5)).when("Withdraw", { amount: 6 }).then(withdrawn(6)),
    `Withdraw was refused: InsufficientFunds {"balance":5}`
  )
  fails(
    "fails on a wrong payload",
    given(Account).when("Deposit", { amount: "5" as never }).then(deposited(5)),
    `Deposit was refused: AggregateError: command "Deposit" for Account "under-test": Expected number\n  at ["amount"]`
  )
})

describe("thenState", () => {
  passes(
    "passes on the state afterwards",
    given(Account, opened, deposited(5)).when("Withdraw", { amount: 2 }).thenState({ balance: 3, open: true })
  )
  passes("passes on a state that stays", given(Account).when("Close").thenState({ balance: 0, open: false }))

  fails(
    "fails on another state",
    given(Account, opened, deposited(5)).when("Withdraw", { amount: 2 }).thenState({
      balance: 2,
      open: true
    }),
    `state: expected {"balance":2,"open":true}, got {"balance":3,"open":true}`
  )
  fails(
    "fails on a refusal",
    given(Account).when("Withdraw", { amount: 2 }).thenState({ balance: 0, open: false }),
    `Withdraw was refused: InsufficientFunds {"balance":0}`
  )
})

describe("thenFails", () => {
  passes(
    "passes on the command's error",
    given(Account, deposited(5)).when("Withdraw", { amount: 6 }).thenFails(
      new InsufficientFunds({ balance: 5 })
    )
  )
  passes(
    "passes on the aggregate's error",
    given(Account).when("Deposit", { amount: "5" as never }).thenFails(
      new AggregateError.AggregateError({
        reason: new AggregateError.InvalidCommand({
          aggregate: "Account",
          id: "under-test",
          command: "Deposit",
          problem: 'Expected number\n  at ["amount"]'
        })
      })
    )
  )

  fails(
    "fails on another error",
    given(Account, deposited(5)).when("Withdraw", { amount: 6 }).thenFails(
      new InsufficientFunds({ balance: 4 })
    ),
    `expected InsufficientFunds {"balance":4}, got InsufficientFunds {"balance":5}`
  )
  fails(
    "fails on an error of another kind",
    given(Account).when("Withdraw", { amount: 6 }).thenFails(
      new EventStoreError.EventStoreError({
        reason: new EventStoreError.Unavailable({ store: "db", problem: "gone" })
      })
    ),
    `expected EventStoreError: db is unavailable: gone, got InsufficientFunds {"balance":0}`
  )
  fails(
    "fails on a command that was carried out",
    given(Account, deposited(5)).when("Withdraw", { amount: 2 }).thenFails(
      new InsufficientFunds({ balance: 5 })
    ),
    `Withdraw was not refused: [{"amount":2,"_tag":"Withdrawn"}]`
  )
  fails(
    "fails on a command that did nothing",
    given(Account).when("Close").thenFails(new InsufficientFunds({ balance: 5 }) as never),
    "Close was not refused: []"
  )
})

check(
  "thenFails fails on the right error if something was appended nevertheless",
  Effect.gen(function* () {
    const problem = "commit 2 was made to fail"
    const unknown = new EventStoreError.EventStoreError({
      reason: new EventStoreError.OutcomeUnknown({ store: "memory", problem })
    })
    const shaky = EventStore.layer(
      Effect.map(
        Memory.make,
        ({ events }) => Faults.wrap(events, (n) => n === 2 ? "fail after commit" : undefined)
      )
    )
    const sentence = given(Account, opened).when("Deposit", { amount: 5 }).thenFails(unknown)
    const error = yield* Effect.flip(
      sentence.pipe(Effect.provide(Account.toLayer(handlers)), Effect.provide(shaky))
    )
    expect(error.message).toBe(`events: expected [], got [{"amount":5,"_tag":"Deposited"}]`)
  })
)

check(
  "a handler that throws is not mistaken for an outcome",
  Effect.gen(function* () {
    const changed = {
      Close: () => {
        throw new Error("a bug in the handler")
      }
    }
    for (
      const sentence of [
        given(Account).when("Close").then(),
        given(Account).when("Close").thenFails(null as never)
      ]
    ) {
      const exit = yield* Effect.exit(run(sentence, changed))
      expect(String(exit)).toContain("Die")
      expect(String(exit)).toContain("a bug in the handler")
    }
  })
)
