// The metrics of a shard. They are written now and then, so that an event costs nothing. Not public.
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"

const handled = Metric.counter("dunnock.subscription.handled", {
  description: "Events handled, those handled again counted again",
  incremental: true
})
const skipped = Metric.counter("dunnock.subscription.skipped", {
  description: "Events that could not be handled and were skipped",
  incremental: true
})
const failures = Metric.counter("dunnock.subscription.failures", {
  description: "Attempts of handlers that failed",
  incremental: true
})
const position = Metric.gauge("dunnock.subscription.position", {
  description: "Position in the log up to which everything has been handled"
})
const lag = Metric.gauge("dunnock.subscription.lag", {
  description:
    "Positions of the log between there and its newest event, as last seen; not each need be an event"
})
const parked = Metric.gauge("dunnock.subscription.parked_streams", {
  description: "Streams whose events are held back"
})

export interface Measures {
  readonly failed: (context: Context.Context<never>) => void
  readonly counted: (context: Context.Context<never>, values: {
    readonly handled: number
    readonly skipped: number
  }) => void
  readonly gauged: (context: Context.Context<never>, values: {
    readonly position: number
    readonly lag: number
    readonly parked: number
  }) => void
}

/** What a process shows of a shard that it does not have. */
export const absent = { position: 0, lag: 0, parked: 0 } as const

export const make = (name: string, shard: number): Measures => {
  const attributes = { "dunnock.subscription": name, "dunnock.shard": String(shard) }
  const of = <State>(metric: Metric.Metric<number, State>) => Metric.withAttributes(metric, attributes)
  const counts = { handled: of(handled), skipped: of(skipped), failures: of(failures) }
  const gauges = { position: of(position), lag: of(lag), parked: of(parked) }
  return {
    failed: (context) => counts.failures.updateUnsafe(1, context),
    counted: (context, values) => {
      counts.handled.updateUnsafe(values.handled, context)
      counts.skipped.updateUnsafe(values.skipped, context)
    },
    gauged: (context, values) => {
      gauges.position.updateUnsafe(values.position, context)
      gauges.lag.updateUnsafe(Math.max(values.lag, 0), context)
      gauges.parked.updateUnsafe(values.parked, context)
    }
  }
}
