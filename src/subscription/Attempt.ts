// Runs a handler, again if it fails. Not public.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type * as Event from "../event/Event.ts"
import * as Metadata from "../event/Metadata.ts"

/** What a handler knows besides its events. */
export interface Context {
  /** Whether the subscription has been here before, and was reset: what must not be done twice is to be left out. */
  readonly replay: boolean
  /** 1 the first time, 2 when it is tried again … */
  readonly attempt: number
}

/** Why the events cannot be handled, after as many attempts as the schedule gives; undefined if they have been. */
export const attempt = <E, R>(
  handler: (events: ReadonlyArray<Event.Recorded<E>>, context: Context) => Effect.Effect<unknown, unknown, R>,
  events: ReadonlyArray<Event.Recorded<E>>,
  replay: boolean,
  retry: Schedule.Schedule<unknown, unknown, unknown> | undefined,
  onFailure: () => void
): Effect.Effect<Cause.Cause<unknown> | undefined, never, R> => {
  const metadata = Metadata.causedBy(events[events.length - 1]!)
  const run = (attempt: number) =>
    Effect.exit(
      Effect.provideService(
        Effect.suspend(() => handler(events, { replay, attempt })),
        Metadata.Current,
        metadata
      )
    )
  return Effect.flatMap(run(1), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.undefined
    onFailure()
    return retry === undefined ? Effect.succeed(exit.cause) : again(run, retry, exit.cause, onFailure)
  })
}

const again = <R>(
  run: (attempt: number) => Effect.Effect<Exit.Exit<unknown, unknown>, never, R>,
  retry: Schedule.Schedule<unknown, unknown, unknown>,
  first: Cause.Cause<unknown>,
  onFailure: () => void
): Effect.Effect<Cause.Cause<unknown> | undefined, never, R> =>
  Effect.gen(function* () {
    const pause = yield* Schedule.toStepWithSleep(retry)
    let cause = first
    for (let attempt = 2;; attempt++) {
      if (Exit.isFailure(yield* Effect.exit(pause(Cause.squash(cause))))) return cause
      const exit = yield* run(attempt)
      if (Exit.isSuccess(exit)) return undefined
      onFailure()
      cause = exit.cause
    }
  })
