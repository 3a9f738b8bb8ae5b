// Waits for an answer, but not for ever: a server may be gone without a word, which TCP takes long to notice.
import * as Effect from "effect/Effect"
import { ConnectionError, SqlError } from "effect/sql/SqlError"

/** After it a server that does not answer is taken for lost, unless it is asked for what may be slow. */
const patience = 60_000

/** The error of a connection that does not answer. */
export const lost: SqlError = new SqlError({
  reason: new ConnectionError({
    cause: undefined,
    message: `timed out: no answer in ${patience / 1000} seconds`,
    operation: "query"
  })
})

/** Fails when no answer comes, having given up the connection. */
export const patiently = <A>(
  self: Effect.Effect<A, SqlError>,
  giveUp: Effect.Effect<void>
): Effect.Effect<A, SqlError> =>
  Effect.timeoutOrElse(Effect.interruptible(self), {
    duration: patience,
    orElse: () => Effect.andThen(giveUp, Effect.fail(lost))
  })
