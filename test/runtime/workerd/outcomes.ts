/** Runs the cases of contracts inside a worker. */
import { Contract } from "dunnock/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type { Guarantees } from "../../../src/event/EventStoreDriver.ts"

/** The outcome of a case: without a failure, it passed. */
export interface Outcome {
  readonly name: string
  readonly failure?: string
}

/** The outcome of each case that an adapter's guarantees call for. `place` gives the layer for the case with a number. */
export const outcomes = <S>(
  adapter: string,
  cases: ReadonlyArray<Contract.Case<S>>,
  guarantees: Guarantees,
  place: (n: number) => Layer.Layer<S, unknown>
): Effect.Effect<ReadonlyArray<Outcome>> =>
  Effect.forEach(Contract.select(cases, guarantees).run, ({ name, run, topic }, n) =>
    Effect.map(
      Effect.exit(Effect.timeout(run(place(n)), "20 seconds")),
      (exit): Outcome => ({
        name: `${adapter}, ${topic}: ${name}`,
        ...(Exit.isFailure(exit) && { failure: Cause.pretty(exit.cause) })
      })
    ))
