// The metrics of a projection. They are written with its pages, so that an event costs nothing. Not public.
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Checkpoint } from "./Generations.ts"

const handled = Metric.counter("dunnock.projection.handled", {
  description: "Events taken in",
  incremental: true
})
const skipped = Metric.counter("dunnock.projection.skipped", {
  description: "Events that could not be taken in and were left out",
  incremental: true
})
const position = Metric.gauge("dunnock.projection.position", {
  description: "Position in the log up to which everything has been taken in"
})
const lag = Metric.gauge("dunnock.projection.lag", {
  description:
    "Positions of the log between there and its newest event, as last seen; not each need be an event"
})

/** Where the one who works is. */
interface Standing {
  readonly checkpoint: Checkpoint
  readonly position: number
  readonly head: number
}

/** The metrics, kept by the process that works: what is built beside the live documents does not show in them. */
export interface Measures {
  /** Begins to work: what has been counted before by others is not counted here. */
  readonly begin: () => void
  readonly step: (generation: number, standing: Standing) => void
}

export const make = (name: string, context: Context.Context<never>): Measures => {
  const of = <State>(metric: Metric.Metric<number, State>) =>
    Metric.withAttributes(metric, { "dunnock.projection": name })
  const counted = { handled: of(handled), skipped: of(skipped) }
  const gauged = { position: of(position), lag: of(lag) }
  let last: { readonly generation: number; readonly checkpoint: Checkpoint } | undefined
  return {
    begin: () => {
      last = undefined
    },
    step: (generation, { checkpoint, head, position }) => {
      // What transactions of appends have taken in shows in the checkpoint.
      const before = last?.generation === generation ? last.checkpoint : checkpoint
      counted.handled.updateUnsafe(Math.max(checkpoint.handled - before.handled, 0), context)
      counted.skipped.updateUnsafe(Math.max(checkpoint.skipped - before.skipped, 0), context)
      last = { generation, checkpoint }
      gauged.position.updateUnsafe(position, context)
      gauged.lag.updateUnsafe(Math.max(head - position, 0), context)
    }
  }
}
