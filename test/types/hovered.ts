// What hover.test.ts rests the pointer on.
import { Effect } from "effect"
import { Account, handlers } from "../command/fixture.ts"

// hover
export const client = Account.client
export const state = Account.state
export const layer = Account.toLayer({ ...handlers, Open: ({ command }) => [{ _tag: "Opened", ...command }] })
export const program = Effect.gen(function* () {
  const one = (yield* client)("a")
  const withdraw = one.Withdraw
  const loaded = yield* state("a")
  const receipt = yield* one.Deposit({ amount: 5 })
  return { withdraw, loaded, receipt }
})
