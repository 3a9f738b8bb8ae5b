// Waits for an answer, but not for ever: a server may be gone without a word, which TCP takes long to notice.
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { ConnectionError, SqlError } from "effect/sql/SqlError"

/** After it a server that does not answer is taken for lost, unless it is asked for what may be slow. In seconds. */
const patience = 60

/** How often it is looked who waits too long, in that time. */
const looks = 6

/** The error of a connection that does not answer. */
export const lost: SqlError = new SqlError({
  reason: new ConnectionError({
    cause: undefined,
    message: `timed out: no answer in ${patience} seconds`,
    operation: "query"
  })
})

/** Fails when no answer comes in time, having given up the connection. */
export type Patiently = <A>(
  self: Effect.Effect<A, SqlError>,
  giveUp: Effect.Effect<void>
) => Effect.Effect<A, SqlError>

interface Waiting {
  looks: number
  readonly end: () => void
}

/** One timer for all that wait: a timeout for each would cost more than sending it. */
export const make: Effect.Effect<Patiently, never, Scope.Scope> = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const waiting = new Set<Waiting>()
  let isLooking = false
  const look = Effect.gen(function* () {
    while (waiting.size > 0) {
      yield* Effect.sleep(patience * 1000 / looks)
      for (const one of waiting) if (++one.looks >= looks) one.end()
    }
    isLooking = false
  })
  const add = (one: Waiting) => {
    waiting.add(one)
    if (isLooking) return
    isLooking = true
    fork(Effect.forkIn(look, scope))
  }
  return <A>(self: Effect.Effect<A, SqlError>, giveUp: Effect.Effect<void>) =>
    Effect.withFiber(({ context }) =>
      Effect.callback<A, SqlError>((resume) => {
        const fiber = Effect.runForkWith(context)(self)
        const one: Waiting = {
          looks: 0,
          end: () => {
            waiting.delete(one)
            resume(Effect.andThen(Effect.andThen(giveUp, Fiber.interrupt(fiber)), Effect.fail(lost)))
          }
        }
        add(one)
        fiber.addObserver((exit) => {
          waiting.delete(one)
          resume(Exit.isSuccess(exit) ? Effect.succeed(exit.value) : Effect.failCause(exit.cause))
        })
        return Effect.andThen(Effect.sync(() => waiting.delete(one)), Fiber.interrupt(fiber))
      })
    )
})
