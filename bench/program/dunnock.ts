/** A worker with one aggregate on dunnock's memory store. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as Aggregate from "dunnock/Aggregate"
import * as Memory from "dunnock/memory"

const Account = Aggregate.make("Account", {
  state: Schema.Struct({ balance: Schema.Int }),
  initial: { balance: 0 },
  events: { MoneyDeposited: { amount: Schema.Int } },
  commands: [Rpc.make("Deposit", { payload: { amount: Schema.Int } })],
  evolve: { MoneyDeposited: ({ balance }, { amount }) => ({ balance: balance + amount }) }
})

const AccountLive = Account.toLayer({
  Deposit: ({ command }) => [{ _tag: "MoneyDeposited", amount: command.amount }]
})

const runtime = ManagedRuntime.make(Layer.provideMerge(AccountLive, Memory.layer))

const deposit = (id: string, amount: number) =>
  Effect.gen(function* () {
    const account = yield* Account.client
    yield* account(id).Deposit({ amount })
    return (yield* Account.state(id)).state
  })

export default {
  fetch: async (request: Request): Promise<Response> => {
    const { id, amount } = await request.json()
    return Response.json(await runtime.runPromise(deposit(id, amount)))
  }
}
