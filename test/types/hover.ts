import { Effect } from "effect"
import { Account } from "../command/fixture.ts"

// hover
export const client = Account.client
export const state = Account.state
export const layer = Account.toLayer
export const program = Effect.gen(function* () {
  const account = yield* Account.client
  const one = account("a")
  const withdraw = one.Withdraw
  const close = one.Close
  const loaded = yield* Account.state("a")
  const receipt = yield* one.Open({ owner: "ann" })
  return { withdraw, close, loaded, receipt }
})
