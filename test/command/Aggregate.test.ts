// An aggregate carries out commands, gives receipts and can be asked for its state, now or as it was.
import { describe, expect } from "bun:test"
import { Aggregate } from "dunnock"
import { Effect, Fiber, Latch, Option, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { bank, history, InsufficientFunds, onEach, onMemory, reasonOf, start } from "./fixture.ts"

describe("carrying out a command", () => {
  onEach("gives the revision and position of the last event it appended", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open)
      const { client, store } = process
      const stream = "Account-a"
      expect(yield* client("a").Open({ owner: "ann" })).toEqual({ stream, revision: 1, position: 1 })
      expect(yield* client("b").Open({ owner: "bob" })).toEqual({
        stream: "Account-b",
        revision: 1,
        position: 2
      })
      expect(yield* client("a").Deposit({ amount: 5 })).toEqual({
        stream,
        revision: 2,
        position: yield* store.head
      })
      expect(yield* client("a").Close()).toEqual({ stream, revision: 4, position: yield* store.head })
      expect(yield* history(process, "a")).toEqual([
        { _tag: "Opened", owner: "ann" },
        { _tag: "Deposited", amount: 5 },
        { _tag: "Withdrawn", amount: 5 },
        { _tag: "Closed" }
      ])
    }))

  onEach("that is refused fails with its own error and appends nothing", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open)
      yield* process.client("a").Deposit({ amount: 3 })
      const error = yield* Effect.flip(process.client("a").Withdraw({ amount: 4 }))
      expect(error).toBeInstanceOf(InsufficientFunds)
      expect(error).toMatchObject({ balance: 3 })
      expect(yield* history(process, "a")).toEqual([{ _tag: "Deposited", amount: 3 }])
    }))

  onEach(
    "that has nothing to do gives the receipt of the last event there is",
    (open) =>
      Effect.gen(function* () {
        const process = yield* bank(yield* open)
        expect(yield* process.client("a").Close()).toEqual({ stream: "Account-a", revision: 0, position: 0 })
        const opened = yield* process.client("a").Open({ owner: "ann" })
        yield* process.client("b").Open({ owner: "bob" })
        expect(yield* process.client("a").Open({ owner: "eve" })).toEqual(opened)
        expect(yield* history(process, "a")).toHaveLength(1)
      })
  )

  onMemory(
    "gives the handler the id, the state, the revision and the payload",
    (open) =>
      Effect.gen(function* () {
        const inputs: Array<unknown> = []
        const { client } = yield* bank(yield* open, {
          Deposit: (input) => {
            inputs.push(input)
            return [{ _tag: "Deposited", amount: input.command.amount }]
          }
        })
        yield* client("a").Deposit({ amount: 1 })
        yield* client("a").Deposit({ amount: 2 })
        expect(inputs).toEqual([
          { id: "a", state: { balance: 0, open: false }, revision: 0, command: { amount: 1 } },
          { id: "a", state: { balance: 1, open: false }, revision: 1, command: { amount: 2 } }
        ])
      })
  )

  onMemory("may be decided by an effect", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open, {
        Deposit: ({ command }) =>
          Effect.gen(function* () {
            yield* Effect.yieldNow
            return [{ _tag: "Deposited", amount: command.amount * 2 }]
          })
      })
      yield* process.client("a").Deposit({ amount: 2 })
      expect(yield* history(process, "a")).toEqual([{ _tag: "Deposited", amount: 4 }])
    }))

  onMemory(
    "whose handler throws is a defect that leaves the aggregate usable",
    (open) =>
      Effect.gen(function* () {
        const bug = new Error("a bug in the handler")
        const process = yield* bank(yield* open, {
          Close: () => {
            throw bug
          }
        })
        yield* process.client("a").Deposit({ amount: 1 })
        const exit = yield* Effect.exit(process.client("a").Close())
        expect(String(exit)).toContain("Die")
        expect(String(exit)).toContain(bug.message)
        expect((yield* process.client("a").Deposit({ amount: 2 })).revision).toBe(2)
      })
  )

  onMemory(
    "that is interrupted while it waits for its turn frees its place",
    (open) =>
      Effect.gen(function* () {
        const latch = Latch.makeUnsafe()
        const decided: Array<number> = []
        const process = yield* bank(yield* open, {
          Deposit: ({ command: { amount } }) =>
            Effect.as(amount === 1 ? latch.await : Effect.sync(() => decided.push(amount)), [{
              _tag: "Deposited",
              amount
            }])
        })
        const deposit = (amount: number) =>
          Effect.forkChild(process.client("a").Deposit({ amount }), { startImmediately: true })
        const [first, second, third] = [yield* deposit(1), yield* deposit(2), yield* deposit(3)]
        yield* Fiber.interrupt(second)
        expect(decided).toEqual([])
        yield* latch.open
        yield* Fiber.join(first)
        expect((yield* Fiber.join(third)).revision).toBe(2)
        expect(decided).toEqual([3])
        expect(yield* process.client("a").Deposit({ amount: 4 })).toMatchObject({ revision: 3 })
      })
  )

  onMemory("that is interrupted while it is decided frees its place", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open, { Close: () => Effect.never })
      const closing = yield* Effect.forkChild(process.client("a").Close(), { startImmediately: true })
      const deposit = yield* Effect.forkChild(process.client("a").Deposit({ amount: 1 }), {
        startImmediately: true
      })
      yield* Fiber.interrupt(closing)
      expect((yield* Fiber.join(deposit)).revision).toBe(1)
    }))

  onEach(
    "that is interrupted while it is committed may have happened, and the next one knows",
    (open) =>
      Effect.gen(function* () {
        const driver = yield* open
        const [begun, go] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
        const process = yield* bank({
          ...driver,
          groupCommit: true,
          append: (appends) =>
            begun.open.pipe(Effect.andThen(go.await), Effect.andThen(driver.append(appends)))
        })
        const first = yield* Effect.forkChild(process.client("a").Deposit({ amount: 1 }))
        yield* begun.await
        yield* Fiber.interrupt(first)
        const second = yield* Effect.forkChild(process.client("a").Deposit({ amount: 2 }))
        yield* go.open
        expect(yield* Fiber.join(second)).toMatchObject({ revision: 2 })
        expect(yield* process.client("a").Withdraw({ amount: 3 })).toMatchObject({ revision: 3 })
      })
  )
})

describe("the state", () => {
  onEach(
    "of an aggregate that does not exist is the initial one at revision 0",
    (open) =>
      Effect.gen(function* () {
        const { state } = yield* bank(yield* open)
        expect(yield* state("nobody")).toEqual({
          state: { balance: 0, open: false },
          revision: 0,
          position: 0
        })
        expect(yield* state("nobody", { atRevision: 3 })).toMatchObject({ revision: 0 })
        expect(yield* state("nobody", { atTime: new Date() })).toMatchObject({ revision: 0 })
      })
  )

  onEach("can be asked for now, as of a revision and as of a time", (open) =>
    Effect.gen(function* () {
      const { client, state } = yield* bank(yield* open)
      yield* TestClock.setTime(1_000)
      yield* client("a").Open({ owner: "ann" })
      yield* TestClock.setTime(2_000)
      yield* client("b").Deposit({ amount: 100 })
      yield* client("a").Deposit({ amount: 7 })
      yield* TestClock.setTime(3_000)
      yield* client("a").Withdraw({ amount: 2 })

      const states = [
        { state: { balance: 0, open: false }, revision: 0, position: 0 },
        { state: { balance: 0, open: true }, revision: 1, position: 1 },
        { state: { balance: 7, open: true }, revision: 2, position: 3 },
        { state: { balance: 5, open: true }, revision: 3, position: 4 }
      ]
      expect(yield* state("a")).toEqual(states[3]!)
      for (const [atRevision, expected] of [...states, states[3]!].entries()) {
        expect(yield* state("a", { atRevision })).toEqual(expected)
      }
      for (
        const [time, n] of [[999, 0], [1_000, 1], [1_999, 1], [2_000, 2], [2_999, 2], [3_000, 3], [
          9e9,
          3
        ]] as const
      ) {
        expect(yield* state("a", { atTime: time })).toEqual(states[n]!)
        expect(yield* state("a", { atTime: new Date(time) })).toEqual(states[n]!)
      }
      expect(yield* state("a", { atTime: 3_000, atRevision: 1 })).toEqual(states[1]!)
    }).pipe(Effect.provide(TestClock.layer())))

  for (
    const [at, asOf] of Object.entries({
      atRevision: { atRevision: -1 },
      "atRevision ": { atRevision: 1.5 },
      atTime: { atTime: new Date("?") }
    })
  ) {
    onMemory(
      `as of ${JSON.stringify(asOf)} is refused, naming ${at.trim()}`,
      (open) =>
        Effect.gen(function* () {
          const { client, state } = yield* bank(yield* open)
          yield* client("a").Deposit({ amount: 1 })
          expect(yield* reasonOf(state("a", asOf))).toMatchObject({ _tag: "InvalidInput", at: at.trim() })
        })
    )
  }

  onMemory("of an id that cannot be one is refused", (open) =>
    Effect.gen(function* () {
      const { state } = yield* bank(yield* open)
      for (const id of ["x".repeat(256), "\ud800"]) {
        expect(yield* reasonOf(state(id))).toMatchObject({ _tag: "InvalidInput" })
      }
    }))

  onEach(
    "is what is stored, folded: what a handler adds to an event beside its fields is not seen",
    (open) =>
      Effect.gen(function* () {
        const place = yield* open
        const seen: Array<unknown> = []
        const process = yield* bank(place, {
          Open: ({ state }) => {
            seen.push(state)
            const event = { _tag: "Opened", owner: "ann", balance: 1_000, note: "not a field" } as const
            return [event]
          }
        })
        yield* process.client("a").Open({ owner: "ann" })
        yield* process.client("a").Open({ owner: "ann" })
        expect(yield* history(process, "a")).toEqual([{ _tag: "Opened", owner: "ann" }, {
          _tag: "Opened",
          owner: "ann"
        }])
        expect(seen[1]).toEqual((yield* process.state("a", { atRevision: 1 })).state)
      })
  )
})

describe("the state in the cache is that of a cold load, for an event with", () => {
  /** Changes every list and plain object inside a value. */
  const spoil = (value: unknown): void => {
    if (typeof value !== "object" || value === null || value instanceof Money || Option.isOption(value)) {
      return
    }
    Object.values(value).forEach(spoil)
    if (Array.isArray(value)) value.push("spoilt")
    else if (!(value instanceof Date)) Object.assign(value, { spoilt: true })
  }

  class Money extends Schema.Class<Money>("Money")({ cents: Schema.Int }) {}

  const given: { readonly [name: string]: readonly [fields: Schema.Struct.Fields, data: () => object] } = {
    "a negative zero": [{ n: Schema.Int }, () => ({ n: -0 })],
    "numbers that JSON does not know": [
      { n: Schema.Array(Schema.Number) },
      () => ({ n: [NaN, Infinity, -0] })
    ],
    "an optional field that is absent": [{ a: Schema.optionalKey(Schema.String) }, () => ({})],
    "an optional field that is undefined": [{ a: Schema.optional(Schema.String) }, () => ({ a: undefined })],
    "a date": [{ at: Schema.Date }, () => ({ at: new Date(5) })],
    "an option": [{ a: Schema.Option(Schema.Int) }, () => ({ a: Option.some(1) })],
    "a class": [{ price: Money }, () => ({ price: new Money({ cents: 5 }) })],
    "a text that is stored as a number": [{ n: Schema.FiniteFromString }, () => ({ n: 5 })],
    "anything": [{ a: Schema.Unknown }, () => ({ a: { b: [1, "two", null, { c: true }] } })],
    "excess fields, also inside": [
      { a: Schema.Struct({ b: Schema.Int }) },
      () => ({ a: { b: 1, c: 2 }, d: 3, _tag: "Other" })
    ],
    "half a surrogate pair": [{ a: Schema.String }, () => ({ a: "\ud800" })],
    "a field called __proto__": [
      { ["__proto__"]: Schema.optionalKey(Schema.Int) },
      () => JSON.parse('{"__proto__":1}')
    ],
    "lists inside lists": [
      { a: Schema.Array(Schema.Struct({ b: Schema.Array(Schema.Int) })) },
      () => ({ a: [{ b: [1, 2] }] })
    ]
  }
  for (const [name, [fields, data]] of Object.entries(given)) {
    onMemory(name, (open) =>
      Effect.gen(function* () {
        const Noted = Aggregate.make("Noted", {
          state: Schema.Array(Schema.Unknown),
          initial: [],
          events: { Noted: fields },
          commands: [Rpc.make("Note")],
          evolve: { Noted: (all, event) => [...all, event] }
        })
        const decided: Array<Record<string, unknown>> = []
        const states: Array<ReadonlyArray<unknown>> = []
        const layer = Noted.toLayer({
          Note: ({ state }) => {
            states.push(state)
            decided.push({ ...data(), _tag: "Noted" })
            return decided.slice(-1) as never
          }
        })
        const { client, state } = yield* start(Noted, layer, yield* open)
        yield* client("a").Note()
        // what a handler does with its own objects afterwards is not seen
        spoil(decided[0])
        yield* client("a").Note()
        const cold = yield* state("a", { atRevision: 1 })
        expect(cold.state).toHaveLength(1)
        expect(states[1]).toStrictEqual(cold.state)
        expect(Object.keys(states[1]![0] as object)).toEqual(Object.keys(cold.state[0] as object))
      }))
  }
})
