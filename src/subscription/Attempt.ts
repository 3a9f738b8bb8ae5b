// Runs a handler, again if it fails. Not public.
import * as Cause from "effect/Cause"
import * as EffectContext from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import type * as Event from "../event/Event.ts"
import * as Metadata from "../event/Metadata.ts"

/** What a handler knows besides its events. */
export interface Context {
  /** Whether the subscription has been here before, and was reset: what must not be done twice is to be left out. */
  readonly replay: boolean
  /** 1 the first time, 2 when it is tried again … */
  readonly attempt: number
}

/** How events are handled. */
export interface Options<E, R, F> {
  readonly name: string
  readonly handler: (
    events: ReadonlyArray<Event.Recorded<E>>,
    context: Context
  ) => Effect.Effect<unknown, unknown, R>
  readonly retry: Schedule.Schedule<unknown, unknown, unknown>
  readonly replay: boolean
  /** Cuts the pauses between attempts short. */
  readonly hurry: Effect.Effect<void>
  /** Comes before each attempt; if it fails there is none. */
  readonly before: Effect.Effect<void, F>
  readonly onFailure: () => void
}

/** Why the events cannot be handled, after as many attempts as the schedule gives; undefined if they have been. */
export const attempt = <E, R, F>(
  { before, handler, hurry, name, onFailure, replay, retry }: Options<E, R, F>,
  events: ReadonlyArray<Event.Recorded<E>>
): Effect.Effect<Cause.Cause<unknown> | undefined, F, R> => {
  const metadata = Metadata.causedBy(events[events.length - 1]!)
  const run = (attempt: number) =>
    Effect.suspend(() => handler(events, { replay, attempt })).pipe(
      Effect.provideService(Metadata.Current, metadata),
      traced(name, events, attempt),
      Effect.exit,
      Effect.tap((exit) => Effect.sync(() => Exit.isFailure(exit) && onFailure()))
    )
  const again = (first: Cause.Cause<unknown>) =>
    Effect.gen(function* () {
      const pause = yield* Schedule.toStepWithSleep(retry)
      let cause = first
      for (let attempt = 2;; attempt++) {
        const paused = yield* Effect.exit(Effect.raceFirst(pause(Cause.squash(cause)), hurry))
        if (Exit.isFailure(paused)) return cause
        yield* before
        const exit = yield* run(attempt)
        if (Exit.isSuccess(exit)) return undefined
        cause = exit.cause
      }
    })
  return Effect.flatMap(
    Effect.andThen(before, run(1)),
    (exit) => Exit.isSuccess(exit) ? Effect.undefined : again(exit.cause)
  )
}

/** A span, if anybody looks at it: part of the trace that wrote the event, or linked to those of a batch. */
const traced =
  (name: string, events: ReadonlyArray<Event.Recorded<unknown>>, attempt: number) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      if (EffectContext.get(fiber.context, Tracer.Tracer) === Tracer.nativeTracer) return self
      const writers = events.flatMap(({ metadata }) => spanOf(metadata.traceparent) ?? [])
      const { position, stream } = events[0]!
      return Effect.withSpan(self, `${name} handle`, {
        kind: "consumer",
        ...(events.length === 1 && writers[0] !== undefined ? { parent: writers[0] } : {
          links: writers.map((span) => ({ span, attributes: {} }))
        }),
        attributes: {
          "dunnock.subscription": name,
          "dunnock.stream": stream,
          "dunnock.position": position,
          "dunnock.events": events.length,
          "dunnock.attempt": attempt
        }
      })
    })

/** The span of a W3C `traceparent`. */
const spanOf = (traceparent: string | undefined): Tracer.ExternalSpan | undefined => {
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? "") ?? []
  return traceId === undefined || spanId === undefined
    ? undefined
    : Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags!, 16) & 1) === 1 })
}
