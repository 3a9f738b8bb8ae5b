// A bank, served and called over rpc: the program of effect.ts with dunnock.
import { Aggregate, AggregateRpc, EventStore } from "dunnock"
import * as Memory from "dunnock/memory"
import { Effect, Layer, Schema, Stream } from "effect"
import { Rpc, RpcServer } from "effect/rpc"

const Amount = Schema.Int.check(Schema.isGreaterThan(0))

class NotOpen extends Schema.TaggedError<NotOpen>()("NotOpen", {}) {}
class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", {
  balance: Schema.Int,
  amount: Amount
}) {}

const Account = Aggregate.make("Account", {
  state: Schema.Struct({ open: Schema.Boolean, balance: Schema.Int }),
  initial: { open: false, balance: 0 },
  events: {
    AccountOpened: { owner: Schema.String },
    MoneyDeposited: { amount: Amount },
    MoneyWithdrawn: { amount: Amount }
  },
  commands: [
    Rpc.make("Open", { payload: { owner: Schema.String } }),
    Rpc.make("Deposit", { payload: { amount: Amount }, error: NotOpen }),
    Rpc.make("Withdraw", { payload: { amount: Amount }, error: Schema.Union([NotOpen, InsufficientFunds]) })
  ],
  evolve: {
    AccountOpened: (state) => ({ ...state, open: true }),
    MoneyDeposited: (state, { amount }) => ({ ...state, balance: state.balance + amount }),
    MoneyWithdrawn: (state, { amount }) => ({ ...state, balance: state.balance - amount })
  }
})

const AccountLive = Account.toLayer({
  Open: ({ command, state }) => state.open ? [] : [{ _tag: "AccountOpened", owner: command.owner }],
  Deposit: ({ command, state }) =>
    state.open ? [{ _tag: "MoneyDeposited", amount: command.amount }] : Effect.fail(new NotOpen()),
  Withdraw: ({ command, state }) => {
    if (!state.open) return Effect.fail(new NotOpen())
    if (state.balance < command.amount) {
      return Effect.fail(new InsufficientFunds({ balance: state.balance, amount: command.amount }))
    }
    return [{ _tag: "MoneyWithdrawn", amount: command.amount }]
  }
})

const statement = Effect.fnUntraced(function* (id: string) {
  const store = yield* EventStore.EventStore
  const events = yield* Stream.runCollect(store.read(Account.events, Account.stream(id)))
  return events.map(({ data, revision }) => ({
    revision,
    change: data._tag === "AccountOpened" ? 0 : data._tag === "MoneyDeposited" ? data.amount : -data.amount
  }))
})

/** Serves accounts. */
export const Served = RpcServer.layer(AggregateRpc.group(Account)).pipe(
  Layer.provide(AggregateRpc.layerHandlers(Account)),
  Layer.provide(AccountLive)
)

const transfer = Effect.fnUntraced(function* (from: string, to: string, amount: number) {
  const account = yield* Account.client
  yield* account(from).Withdraw({ amount })
  return yield* account(to).Deposit({ amount })
})

/** A day at the bank, of which a refusal is no part. */
export const program = Effect.gen(function* () {
  const account = yield* Account.client
  yield* account("ann").Open({ owner: "Ann" })
  yield* account("bob").Open({ owner: "Bob" })
  yield* account("ann").Deposit({ amount: 100 })
  yield* transfer("ann", "bob", 30)
  yield* transfer("ann", "bob", 300).pipe(
    Effect.catchTag("InsufficientFunds", ({ balance }) => Effect.log(`only ${balance}`))
  )
  const { state } = yield* Account.state("ann")
  return [state.balance, yield* statement("bob")] as const
}).pipe(
  Effect.provide(AggregateRpc.layerClient(Account)),
  Effect.provide(Memory.layer)
)
