// What cannot be carried out is refused with an error that says what is wrong and where, and nothing is appended.
import { describe, expect, test } from "bun:test"
import { Aggregate, Event } from "dunnock"
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { bank, onEach, onMemory, reasonOf, start } from "./fixture.ts"

const cyclic: { self?: unknown } = {}
cyclic.self = cyclic

/** An aggregate that takes and decides whatever it is told. */
const Anything = Aggregate.make("Anything", {
  state: Schema.Number,
  initial: 0,
  events: {
    Noted: { note: Schema.Unknown },
    Counted: { n: Schema.Finite },
    Labelled: Event.make({ label: Schema.String }).pipe(Event.tagged(({ label }) => [label]))
  },
  commands: [
    Rpc.make("Note", { payload: { note: Schema.Unknown } }),
    Rpc.make("Count", { payload: { n: Schema.Finite } }),
    Rpc.make("Decide", { payload: { events: Schema.Unknown } }),
    Rpc.make("Nothing")
  ],
  evolve: { Noted: (n) => n + 1, Counted: (n) => n + 1, Labelled: (n) => n + 1 }
})

const AnythingLive = () =>
  Anything.toLayer({
    Note: ({ command }) => [{ _tag: "Noted", note: command.note }],
    Count: ({ command }) => [{ _tag: "Counted", n: command.n }],
    Decide: ({ command }) => command.events as [],
    Nothing: () => []
  })

interface Attempt {
  readonly id?: unknown
  readonly command?: unknown
  readonly payload?: unknown
  readonly idempotencyKey?: unknown
  /** What the problem must name. */
  readonly problem: ReadonlyArray<string>
}

const refused = (
  reason: "InvalidCommand" | "InvalidDecision",
  attempts: { readonly [name: string]: Attempt }
) => {
  for (const [name, attempt] of Object.entries(attempts)) {
    const { command = "Count", id = "a", idempotencyKey, payload = { n: 1 }, problem } = { ...attempt }
    const given = "payload" in attempt ? attempt.payload : payload
    onMemory(name, (open) =>
      Effect.gen(function* () {
        const process = yield* start(Anything, AnythingLive(), yield* open)
        // once on a cold aggregate and once on a warm one
        for (const revision of [1, 2]) {
          const options = (idempotencyKey === undefined ? {} : { idempotencyKey }) as Aggregate.CommandOptions
          const error = yield* Effect.flip(process.execute(id as string, command as string, given, options))
          expect(error).toMatchObject({
            _tag: "AggregateError",
            isRetryable: false,
            reason: { _tag: reason, aggregate: "Anything", id: String(id), command: String(command) }
          })
          const { message } = error as Error
          for (const part of problem) expect(message).toContain(part)
          expect(message.length).toBeLessThan(1_000)
          expect(yield* process.client("a").Count({ n: revision })).toMatchObject({ revision })
        }
      }))
  }
}

describe("a command is refused:", () => {
  refused("InvalidCommand", {
    "of an unknown name": {
      command: "Destroy",
      problem: ['"Destroy"', "unknown", "Note", "Count", "Decide"]
    },
    "of a name that every object has": { command: "constructor", problem: ["unknown"] },
    "of a name that is not a text": { command: 7, problem: ["unknown"] },
    "with a payload of another type": { payload: "1", problem: ["Count"] },
    "with a field of another type": { payload: { n: "1" }, problem: ['"n"'] },
    "with a field missing": { payload: {}, problem: ['"n"'] },
    "with no payload": { payload: undefined, problem: ["Count"] },
    "with null for a payload": { payload: null, problem: ["Expected object"] },
    "with NaN for an amount": { payload: { n: NaN }, problem: ["finite number", '"n"'] },
    "with an infinite amount": { payload: { n: Infinity }, problem: ["finite number", '"n"'] },
    "with a cyclic payload of another type": { payload: cyclic, problem: ['"n"'] },
    "with an empty id": { id: "", problem: ["id", "empty"] },
    "with an id of 300 characters": { id: "x".repeat(300), problem: ["id", "300", "255"] },
    "with an id that is too long with the name before it": { id: "x".repeat(250), problem: ["255"] },
    "with half a surrogate pair in the id": { id: "a\ud800", problem: ["id", "surrogate"] },
    "with a NUL in the id": { id: "a\0", problem: ["id", "NUL"] },
    "with a number for an id": { id: 7, problem: ["id", "must be a text, not number"] },
    "with null for an id": { id: null, problem: ["id", "must be a text, not null"] },
    "with an empty idempotency key": { idempotencyKey: "", problem: ["idempotencyKey", "empty"] },
    "with an idempotency key of 300 characters": {
      idempotencyKey: "x".repeat(300),
      problem: ["idempotencyKey", "255"]
    },
    "with half a surrogate pair in the key": {
      idempotencyKey: "\udc00",
      problem: ["idempotencyKey", "surrogate"]
    },
    "with an idempotency key that is not a text": {
      idempotencyKey: 7,
      problem: ["idempotencyKey", "must be a text"]
    }
  })
})

const decided = (...events: ReadonlyArray<unknown>) => ({ command: "Decide", payload: { events } })

describe("a decision is refused:", () => {
  refused("InvalidDecision", {
    "an event of an unknown type": {
      ...decided({ _tag: "Vanished" }),
      problem: ['"Vanished"', "Noted, Counted"]
    },
    "an event without a type": { ...decided({ n: 1 }), problem: ["unknown event type"] },
    "an event that is null": { ...decided(null), problem: ["unknown event type"] },
    "an event that is a text": { ...decided("Counted"), problem: ["unknown event type"] },
    "an event with a field of another type": {
      ...decided({ _tag: "Counted", n: "1" }),
      problem: ["Counted", '"n"']
    },
    "an event with a field missing": { ...decided({ _tag: "Counted" }), problem: ["Counted", '"n"'] },
    "an event with NaN for an amount": {
      ...decided({ _tag: "Counted", n: NaN }),
      problem: ["Counted", "finite", '"n"']
    },
    "a wrong event after a right one": {
      ...decided({ _tag: "Counted", n: 1 }, { _tag: "Counted" }),
      problem: ["Counted"]
    },
    "an event of 10 MB": {
      ...decided({ _tag: "Noted", note: "x".repeat(10_000_000) }),
      problem: ["Noted", "1048576"]
    },
    "an event with a cyclic value": {
      command: "Note",
      payload: { note: cyclic },
      problem: ["Noted", "note"]
    },
    "an event with a function in it": {
      command: "Note",
      payload: { note: () => 1 },
      problem: ["Noted", "note"]
    },
    "an event with an empty tag": {
      ...decided({ _tag: "Labelled", label: "" }),
      problem: ["tags[0]", "empty"]
    },
    "an event with a tag of 300 characters": {
      ...decided({ _tag: "Labelled", label: "x".repeat(300) }),
      problem: ["tags[0]", "300"]
    },
    "one event that is not in a list": {
      command: "Decide",
      payload: { events: { _tag: "Counted", n: 1 } },
      problem: ["list"]
    },
    "no decision at all": { command: "Decide", payload: { events: undefined }, problem: ["list"] },
    "a promise": { command: "Decide", payload: { events: Promise.resolve([]) }, problem: ["list"] }
  })
})

describe("an event that cannot be read", () => {
  const put = (process: { readonly store: { readonly commit: any } }, type: string, data: string) =>
    process.store.commit({
      streams: [{
        stream: "Account-a",
        expected: "any",
        events: [{ id: undefined, type, version: 1, data, tags: [], metadata: "{}" }]
      }],
      condition: undefined
    }) as Effect.Effect<unknown>

  for (
    const [type, data] of [["Vanished", "{}"], ["Deposited", '{"amount":"1"}'], ["Deposited", "{"]] as const
  ) {
    onEach(
      `fails every command and reading of its aggregate, naming it: ${type} ${data}`,
      (open) =>
        Effect.gen(function* () {
          const [process, warm] = [yield* bank(yield* open), yield* bank(yield* open)]
          yield* process.client("a").Deposit({ amount: 1 })
          yield* warm.client("a").Deposit({ amount: 1 })
          yield* put(process, type, data)
          const named = { _tag: "Undecodable", stream: "Account-a", revision: 3, type, version: 1 }
          const [cold] = [yield* bank(yield* open)]
          for (const { client } of [cold, process, warm]) {
            const reason = yield* reasonOf(client("a").Deposit({ amount: 1 }))
            expect(reason).toMatchObject(named)
            expect(reason.message).toContain(
              `event "${type}" (version 1) at revision 3 of stream "Account-a" cannot be read`
            )
            expect(yield* reasonOf(client("a").Withdraw({ amount: 100 }))).toMatchObject(named)
            expect(yield* client("b").Deposit({ amount: 1 })).toMatchObject({ stream: "Account-b" })
          }
          expect(yield* reasonOf(cold.state("a"))).toMatchObject(named)
          expect(yield* cold.state("a", { atRevision: 2 })).toMatchObject({ state: { balance: 2 } })
        })
    )
  }
})

describe("a definition is refused:", () => {
  const define = (name: string, more: object = {}) => () =>
    Aggregate.make(name, {
      state: Schema.Number,
      initial: 0,
      events: { Counted: {} },
      commands: [Rpc.make("Count")],
      evolve: { Counted: (n: number) => n + 1 },
      ...more
    })

  const mistakes: { readonly [name: string]: readonly [definition: () => unknown, message: string] } = {
    'a name with a "-" in it': [define("Bank-Account"), '"Bank-Account"'],
    "an empty name": [define(""), "must not be empty"],
    "a name with a NUL in it": [define("A\0"), "name"],
    "a name with half a surrogate pair": [define("A\ud800"), "name"],
    "a name that leaves no room for an id": [define("A".repeat(300)), "name"],
    "an event with a field named _tag": [
      define("A", { events: { Counted: { _tag: Schema.String } } }),
      "_tag"
    ],
    "snapshots every 0 events": [define("A", { snapshots: { every: 0 } }), "every 1 or more events, not 0"],
    "two commands of one name": [
      define("A", { commands: [Rpc.make("Count"), Rpc.make("Count", { payload: { n: Schema.Number } })] }),
      '"Count"'
    ]
  }
  for (const [name, [definition, message]] of Object.entries(mistakes)) {
    test(name, () => {
      expect(definition).toThrow(message)
    })
  }
})

describe("a layer is refused:", () => {
  for (
    const [options, message] of [
      [{ attempts: 0 }, "attempts must be 1 or more, not 0"],
      [{ attempts: 1.5 }, "attempts must be 1 or more, not 1.5"],
      [{ cache: -1 }, "cache must be 0 or more, not -1"],
      [{ cache: NaN }, "cache must be 0 or more, not NaN"]
    ] as const
  ) {
    onMemory(JSON.stringify(options), (open) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(bank(yield* open, {}, options))
        expect(String(exit)).toContain(message)
      }))
  }
})
