/** The contract of the event store in memory, as a worker: it answers with the outcome of each case. */
import * as Memory from "dunnock/memory"
import { EventStoreContract } from "dunnock/testing"
import * as Effect from "effect/Effect"
import { outcomes } from "./outcomes.ts"

const all = outcomes("memory", EventStoreContract.cases, Memory.guarantees, () => Memory.layer)

export default {
  fetch: async (): Promise<Response> => Response.json(await Effect.runPromise(all))
}
