// The metrics of a shard. They are written with its checkpoints, so that an event costs nothing. Not public.
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
  readonly checkpoint: (context: Context.Context<never>, values: {
    readonly handled: number
    readonly skipped: number
    readonly position: number
    readonly lag: number
    readonly parked: number
  }) => void
}

export const make = (name: string, shard: number): Measures => {
  const attributes = { "dunnock.subscription": name, "dunnock.shard": String(shard) }
  const of = <State>(metric: Metric.Metric<number, State>) => Metric.withAttributes(metric, attributes)
  const counted = { handled: of(handled), skipped: of(skipped), failures: of(failures) }
  const gauged = { position: of(position), lag: of(lag), parked: of(parked) }
  return {
    failed: (context) => counted.failures.updateUnsafe(1, context),
    checkpoint: (context, values) => {
      counted.handled.updateUnsafe(values.handled, context)
      counted.skipped.updateUnsafe(values.skipped, context)
      gauged.position.updateUnsafe(values.position, context)
      gauged.lag.updateUnsafe(Math.max(values.lag, 0), context)
      gauged.parked.updateUnsafe(values.parked, context)
    }
  }
}
