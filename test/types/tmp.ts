import { Account, bank } from "../command/fixture.ts"
import { Effect } from "effect"
import * as Memory from "dunnock/memory"
import { Aggregate } from "dunnock"
export const a = Effect.gen(function*() {
  const c = yield* Account.client
  yield* c("a").Close()
  const x: number = c("a").Close
  const { client } = yield* bank(yield* Memory.make)
  const y: number = client("a").Close
})
type C = (typeof Account)["commands"][number]
export const z: number = null as any as C
export const z2: number = null as any as Aggregate.Client<C>["Close"]
