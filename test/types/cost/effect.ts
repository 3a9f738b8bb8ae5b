// A bank, served and called over rpc: the program of dunnock.ts, by hand.
import { Context, Effect, Layer, Schema } from "effect"
import { Rpc, RpcClient, RpcGroup, RpcServer } from "effect/rpc"

const Amount = Schema.Int.check(Schema.isGreaterThan(0))

class NotOpen extends Schema.TaggedError<NotOpen>()("NotOpen", {}) {}
class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", {
  balance: Schema.Int,
  amount: Amount
}) {}
class StoreError extends Schema.TaggedError<StoreError>()("StoreError", { problem: Schema.String }) {}
class Conflict extends Schema.TaggedError<Conflict>()("Conflict", {
  stream: Schema.String,
  actual: Schema.Number
}) {}

const State = Schema.Struct({ open: Schema.Boolean, balance: Schema.Int })
type State = typeof State.Type

const Event = Schema.Union([
  Schema.TaggedStruct("AccountOpened", { owner: Schema.String }),
  Schema.TaggedStruct("MoneyDeposited", { amount: Amount }),
  Schema.TaggedStruct("MoneyWithdrawn", { amount: Amount })
])
type Event = typeof Event.Type

const evolve = (state: State, event: Event): State => {
  switch (event._tag) {
    case "AccountOpened":
      return { ...state, open: true }
    case "MoneyDeposited":
      return { ...state, balance: state.balance + event.amount }
    case "MoneyWithdrawn":
      return { ...state, balance: state.balance - event.amount }
  }
}

const Receipt = Schema.Struct({ revision: Schema.Number, position: Schema.Number })

interface Store {
  readonly append: (
    stream: string,
    expected: number,
    events: ReadonlyArray<string>
  ) => Effect.Effect<typeof Receipt.Type, StoreError | Conflict>
  readonly read: (
    stream: string
  ) => Effect.Effect<ReadonlyArray<{ readonly data: string; readonly revision: number }>, StoreError>
}
const Store = Context.Service<Store, Store>("Store")

const MemoryStore = Layer.sync(Store, () => {
  const streams = new Map<string, Array<string>>()
  let position = 0
  return {
    append: (stream, expected, events) =>
      Effect.suspend(() => {
        const all = streams.get(stream) ?? []
        if (all.length !== expected) return Effect.fail(new Conflict({ stream, actual: all.length }))
        all.push(...events)
        streams.set(stream, all)
        position += events.length
        return Effect.succeed({ revision: all.length, position })
      }),
    read: (stream) =>
      Effect.sync(() => (streams.get(stream) ?? []).map((data, i) => ({ data, revision: i + 1 })))
  }
})

const codec = Schema.fromJsonString(Event)
const encode = Schema.encodeSync(codec)
const decode = Schema.decodeUnknownEffect(codec)

const read = Effect.fnUntraced(function* (id: string) {
  const store = yield* Store
  const stored = yield* store.read(`Account-${id}`)
  return yield* Effect.forEach(
    stored,
    ({ data, revision }) => Effect.map(decode(data), (event) => ({ event, revision }))
  ).pipe(
    Effect.mapError(({ message }) => new StoreError({ problem: message }))
  )
})

const load = (id: string) =>
  Effect.map(read(id), (events) => ({
    state: events.reduce((state, { event }) => evolve(state, event), { open: false, balance: 0 } as State),
    revision: events.length
  }))

const carryOut = <E>(
  id: string,
  decide: (state: State) => Effect.Effect<ReadonlyArray<Event>, E>
): Effect.Effect<typeof Receipt.Type, E | StoreError | Conflict, Store> =>
  Effect.gen(function* () {
    const store = yield* Store
    const { revision, state } = yield* load(id)
    const events = yield* decide(state)
    return yield* store.append(`Account-${id}`, revision, events.map((event) => encode(event)))
  })

const Failure = Schema.Union([StoreError, Conflict])

class Accounts extends RpcGroup.make(
  Rpc.make("Open", {
    payload: { id: Schema.String, owner: Schema.String },
    success: Receipt,
    error: Failure
  }),
  Rpc.make("Deposit", {
    payload: { id: Schema.String, amount: Amount },
    success: Receipt,
    error: Schema.Union([NotOpen, Failure])
  }),
  Rpc.make("Withdraw", {
    payload: { id: Schema.String, amount: Amount },
    success: Receipt,
    error: Schema.Union([NotOpen, InsufficientFunds, Failure])
  })
) {}

const AccountsLive = Accounts.toLayer({
  Open: ({ id, owner }) =>
    carryOut(id, ({ open }) => Effect.succeed(open ? [] : [{ _tag: "AccountOpened", owner }])),
  Deposit: ({ amount, id }) =>
    carryOut(
      id,
      ({ open }) =>
        open ? Effect.succeed([{ _tag: "MoneyDeposited", amount } as const]) : Effect.fail(new NotOpen())
    ),
  Withdraw: ({ amount, id }) =>
    carryOut(
      id,
      Effect.fnUntraced(function* ({ balance, open }) {
        if (!open) return yield* new NotOpen()
        if (balance < amount) return yield* new InsufficientFunds({ balance, amount })
        return [{ _tag: "MoneyWithdrawn", amount } as const]
      })
    )
})

const statement = Effect.fnUntraced(function* (id: string) {
  const events = yield* read(id)
  return events.map(({ event, revision }) => ({
    revision,
    change: event._tag === "AccountOpened"
      ? 0
      : event._tag === "MoneyDeposited"
      ? event.amount
      : -event.amount
  }))
})

/** Serves accounts. */
export const Served = RpcServer.layer(Accounts).pipe(Layer.provide(AccountsLive))

const transfer = Effect.fnUntraced(function* (from: string, to: string, amount: number) {
  const accounts = yield* RpcClient.make(Accounts)
  yield* accounts.Withdraw({ id: from, amount })
  return yield* accounts.Deposit({ id: to, amount })
})

/** A day at the bank, of which a refusal is no part. */
export const program = Effect.gen(function* () {
  const accounts = yield* RpcClient.make(Accounts)
  yield* accounts.Open({ id: "ann", owner: "Ann" })
  yield* accounts.Open({ id: "bob", owner: "Bob" })
  yield* accounts.Deposit({ id: "ann", amount: 100 })
  yield* transfer("ann", "bob", 30)
  yield* transfer("ann", "bob", 300).pipe(
    Effect.catchTag("InsufficientFunds", ({ balance }) => Effect.log(`only ${balance}`))
  )
  const { state } = yield* load("ann")
  return [state.balance, yield* statement("bob")] as const
}).pipe(Effect.scoped, Effect.provide(MemoryStore))
