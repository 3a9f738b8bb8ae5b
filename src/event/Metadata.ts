/**
 * What travels with every event besides its data: who, why and as part of what. It is carried by the Effect context, so
 * a handler need not pass it along.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Metadata } from "dunnock"
 *
 * declare const handleRequest: Effect.Effect<void>
 *
 * const traced = handleRequest.pipe(Metadata.provide({ actor: "ann", correlationId: "request-7" }))
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Tracer from "effect/Tracer"
import { messageOf } from "../store/Problem.ts"

/** The metadata of an event. Every field is optional; none is interpreted by a store. */
export interface Metadata {
  /** What the event is part of: the same for everything that one request set in motion. */
  readonly correlationId?: string
  /** The id of the event or command that directly caused this one. */
  readonly causationId?: string
  /** Who asked for it: a user or service id. */
  readonly actor?: string
  /** On whose behalf the data is kept apart. */
  readonly tenant?: string
  /** The W3C `traceparent` of the span that wrote the event. Taken from the current span when absent. */
  readonly traceparent?: string
  /** The key under which a command runs at most once. */
  readonly idempotencyKey?: string
}

/** The metadata of whatever runs now. Empty unless provided. */
export const Current: Context.Reference<Metadata> = Context.Reference<Metadata>("dunnock/Metadata", {
  defaultValue: () => empty
})

/** No metadata. */
export const empty: Metadata = {}

/** Runs an effect with the given fields added to the current metadata. */
export const provide =
  (fields: Metadata) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.updateService(self, Current, (current) => ({ ...current, ...fields }))

/**
 * The metadata of what an event causes: the same correlation (the event's own id when it has none), the event as cause,
 * the same actor and tenant. Its idempotency key and trace stay behind.
 */
export const causedBy = (event: { readonly id: string; readonly metadata: Metadata }): Metadata => {
  const { actor, correlationId, tenant } = event.metadata
  return {
    correlationId: correlationId ?? event.id,
    causationId: event.id,
    ...(actor === undefined ? {} : { actor }),
    ...(tenant === undefined ? {} : { tenant })
  }
}

/**
 * The JSON text of the metadata in a context, with the trace of its span, and with more fields if given: what an event
 * written there is stored with. Or what is wrong with it.
 */
export const toText = (context: Context.Context<never>, fields?: Metadata): Result.Result<string, string> => {
  const current = Context.get(context, Current)
  const span = Context.getOrUndefined(context, Tracer.ParentSpan)
  if (span === undefined && fields === undefined && current === empty) return none
  const traceparent = span && `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`
  try {
    return Result.succeed(
      JSON.stringify({ ...(traceparent === undefined ? {} : { traceparent }), ...current, ...fields })
    )
  } catch (error) {
    return Result.fail(`is not JSON: ${messageOf(error)}`)
  }
}

const none: Result.Result<string> = Result.succeed("{}")
