/** The contract of the event store in memory, as a worker: it answers with the outcome of each case. */
import * as Memory from "dunnock/memory"
import { Contract, EventStoreContract } from "dunnock/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** The outcome of a case: without a failure, it passed. */
export interface Outcome {
  readonly name: string
  readonly failure?: string
}

const { run: cases } = Contract.select(EventStoreContract.cases, Memory.guarantees)

const outcomes = Effect.forEach(cases, ({ name, run, topic }) =>
  Effect.map(
    Effect.exit(Effect.timeout(run(Memory.layer), "20 seconds")),
    (exit): Outcome => ({
      name: `${topic}: ${name}`,
      ...(Exit.isFailure(exit) && { failure: Cause.pretty(exit.cause) })
    })
  ))

export default {
  fetch: async (): Promise<Response> => Response.json(await Effect.runPromise(outcomes))
}
