/**
 * A bank account: what can be asked of it, what can happen to it, and what each of these does.
 */
import { Aggregate, EventStore } from "dunnock"
import { Effect, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"

/** Money is counted in cents, since whole numbers add up exactly. */
export const Amount = Schema.Int.check(Schema.isGreaterThan(0))

export const inEuros = (cents: number): string => (cents / 100).toFixed(2)

export class NotOpen extends Schema.TaggedError<NotOpen>()("NotOpen", {}) {
  override get message(): string {
    return "the account is not open"
  }
}

export class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", {
  balance: Schema.Int,
  amount: Amount
}) {
  override get message(): string {
    return `${inEuros(this.amount)} is more than the ${inEuros(this.balance)} in the account`
  }
}

export const Account = Aggregate.make("Account", {
  state: Schema.Struct({ open: Schema.Boolean, balance: Schema.Int }),
  initial: { open: false, balance: 0 },

  // Events are what happened. They are all that is stored, and are never changed or removed.
  events: {
    AccountOpened: { owner: Schema.String },
    MoneyDeposited: { amount: Amount },
    MoneyWithdrawn: { amount: Amount }
  },

  // Commands are what is asked for. A command can be refused; an event has already happened.
  commands: [
    Rpc.make("Open", { payload: { owner: Schema.String } }),
    Rpc.make("Deposit", { payload: { amount: Amount }, error: NotOpen }),
    Rpc.make("Withdraw", {
      payload: { amount: Amount },
      error: Schema.Union([NotOpen, InsufficientFunds])
    })
  ],

  // The state is not stored: it is what the events, one after the other, make of the initial state.
  evolve: {
    AccountOpened: (state) => ({ ...state, open: true }),
    MoneyDeposited: (state, { amount }) => ({ ...state, balance: state.balance + amount }),
    MoneyWithdrawn: (state, { amount }) => ({ ...state, balance: state.balance - amount })
  }
})

/** The rules of the bank: each command is decided, from the state of the account, into events or a refusal. */
export const AccountLive = Account.toLayer({
  // Opening an open account is nothing to do, and nothing to complain of.
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

/** A line of an account's statement: an event, and what it left in the account. */
export interface Line {
  readonly event: string
  readonly revision: number
  readonly position: number
  readonly recordedAt: number
  readonly change: number
  readonly balance: number
}

/** The statement of an account: its events, read back from the store and added up once more by hand. */
export const statement = Effect.fnUntraced(function* (id: string) {
  const store = yield* EventStore.EventStore
  const events = yield* Stream.runCollect(store.read(Account.events, Account.stream(id)))
  let balance = 0
  return events.map(({ data, position, recordedAt, revision, type }): Line => {
    const change = data._tag === "AccountOpened"
      ? 0
      : data._tag === "MoneyDeposited"
      ? data.amount
      : -data.amount
    balance += change
    return { event: type, revision, position, recordedAt, change, balance }
  })
})
