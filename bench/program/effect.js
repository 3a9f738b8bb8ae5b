/** What Effect alone weighs: a schema, a stream, a layer and an Rpc by deep imports, without dunnock. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Rpc from "effect/rpc/Rpc"

const Deposit = Rpc.make("Deposit", {
  payload: { id: Schema.String, amount: Schema.Int }
})
const decode = Schema.decodeUnknownEffect(Deposit.payloadSchema)

const Bank = Context.Service("Bank")
const runtime = ManagedRuntime.make(
  Layer.succeed(Bank, { deposits: (amount) => Stream.make(amount) })
)

const deposit = (input) =>
  Effect.gen(function* () {
    const bank = yield* Bank
    const { amount } = yield* decode(input)
    return yield* Stream.runFold(bank.deposits(amount), () => 0, (balance, next) => balance + next)
  })

export default {
  fetch: async (request) =>
    Response.json({
      balance: await runtime.runPromise(deposit(await request.json()))
    })
}
