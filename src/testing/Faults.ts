/**
 * Faults for event stores: a driver that fails, hesitates or loses races where it is told to.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore } from "dunnock"
 * import * as Memory from "dunnock/memory"
 * import { Faults } from "dunnock/testing"
 *
 * // every third append is committed, but its caller is told that the outcome is unknown
 * const Shaky = EventStore.layer(
 *   Effect.map(Memory.make, ({ events }) => Faults.wrap(events, (n) => n % 3 === 0 ? "fail after commit" : undefined))
 * )
 * ```
 *
 * @module
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Append, EventStoreDriver, Outcome } from "../event/EventStoreDriver.ts"
import { Conflict, EventStoreError, OutcomeUnknown, Unavailable } from "../event/EventStoreError.ts"

/**
 * What befalls a commit: `"fail before"` writes nothing and fails with `Unavailable`; `"fail after commit"` writes and
 * then fails with `OutcomeUnknown`; `"conflict"` writes nothing, as if another writer had come first; `slow` waits
 * before it writes.
 */
export type Fault = "fail before" | "fail after commit" | "conflict" | { readonly slow: Duration.Input }

/** A driver whose n-th commit (1, 2, …) suffers the fault given for it, if one is. */
export const wrap = (
  driver: EventStoreDriver,
  fault: (n: number) => Fault | undefined
): EventStoreDriver => {
  let commits = 0
  return {
    ...driver,
    append: (appends) =>
      Effect.suspend(() => {
        const now = fault(++commits)
        switch (now) {
          case undefined:
            return driver.append(appends)
          case "fail before":
            return fail(
              new Unavailable({ store: driver.name, problem: `commit ${commits} was made to fail` })
            )
          case "fail after commit":
            return Effect.andThen(
              driver.append(appends),
              fail(new OutcomeUnknown({ store: driver.name, problem: `commit ${commits} was made to fail` }))
            )
          case "conflict":
            return Effect.succeed(appends.map(lose))
          default:
            return Effect.delay(driver.append(appends), now.slow)
        }
      })
  }
}

const fail = (reason: Unavailable | OutcomeUnknown) => Effect.fail(new EventStoreError({ reason }))

const lose = ({ streams }: Append): Outcome => {
  const { expected, stream } = streams[0]!
  const actual = typeof expected === "number" ? expected + 1 : expected === "none" ? 1 : 0
  return Result.fail(new Conflict({ stream, expected, actual }))
}
