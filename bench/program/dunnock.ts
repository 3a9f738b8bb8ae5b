/** A worker with one aggregate on dunnock's memory store. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Aggregate from "dunnock/Aggregate"
import * as EventStore from "dunnock/EventStore"

const Account = Aggregate.make("Account", {
  state: Schema.Struct({ balance: Schema.Int }),
  initial: { balance: 0 },
  events: { MoneyDeposited: { amount: Schema.Int } },
  commands: [Rpc.make("Deposit", { payload: { amount: Schema.Int } })],
  evolve: {
    MoneyDeposited: ({ balance }, { amount }) => ({
      balance: balance + amount
    })
  }
})

const AccountLive = Account.toLayer({
  Deposit: (
    { command }
  ) => [{ _tag: "MoneyDeposited", amount: command.amount }]
})

const live = Layer.provideMerge(AccountLive, EventStore.layerMemory)

/** Made with the first request: a worker may not ask for random numbers before. */
let services: Context.Context<Layer.Success<typeof live>> | undefined

const deposit = (id: string, amount: number) =>
  Effect.gen(function* () {
    const account = yield* Account.client
    yield* account(id).Deposit({ amount })
    return (yield* Account.state(id)).state
  })

export default {
  fetch: async (request: Request): Promise<Response> => {
    const { id, amount } = await request.json()
    services ??= Effect.runSync(Layer.buildWithScope(live, Scope.makeUnsafe()))
    return Response.json(
      await Effect.runPromiseWith(services)(deposit(id, amount))
    )
  }
}
