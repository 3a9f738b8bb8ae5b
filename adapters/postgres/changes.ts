// Hears of appends: from PostgreSQL as they are committed, and by the clock in case word does not come.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"

/** How long to wait for word at most, while there is a connection that would bring it, and while there is none. */
const safetyNet = "1 second"
const withoutWord = "50 millis"

/** How long to wait before connecting again. */
const pause = "200 millis"

/** Who told: a process of the server. */
export interface Word {
  readonly processId: number
}

/**
 * Gives what `EventStoreDriver.changed` is. The listening connection is made with the first call, and again whenever it
 * breaks. What this process has told itself is not worth a look at the log: it knows.
 */
export const make = (
  listen: Effect.Effect<Queue.Dequeue<Word, SqlError>, SqlError, Scope.Scope>,
  isOwn: (processId: number) => boolean
): Effect.Effect<() => Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    let isListening = false
    let isStarted = false
    let next = Deferred.makeUnsafe<void>()
    const wake = () => {
      const woken = next
      next = Deferred.makeUnsafe<void>()
      Deferred.doneUnsafe(woken, Effect.void)
    }
    const set = (listening: boolean) =>
      Effect.sync(() => {
        isListening = listening
        // Between the end of a connection and the next nothing was heard.
        wake()
      })

    const session = Effect.gen(function* () {
      const told = yield* listen
      yield* Effect.acquireRelease(set(true), () => set(false))
      return yield* Effect.forever(Effect.map(Queue.takeAll(told), (words) => {
        if (!words.every(({ processId }) => isOwn(processId))) wake()
      }))
    }).pipe(Effect.scoped, Effect.ignore, Effect.andThen(Effect.sleep(pause)), Effect.forever)

    return () => {
      if (!isStarted) {
        isStarted = true
        fork(Effect.forkIn(session, scope))
      }
      const armed = next
      return Effect.raceFirst(
        Deferred.await(armed),
        Effect.suspend(() => Effect.sleep(isListening ? safetyNet : withoutWord))
      )
    }
  })
