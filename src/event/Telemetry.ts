/**
 * Metrics and spans for event stores, for programs that want them: a store that is not wrapped pays nothing for them.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { EventStore, Telemetry } from "dunnock"
 * import * as Memory from "dunnock/memory"
 *
 * const Observed = Telemetry.layer(Memory.layer)
 *
 * const program = Effect.flatMap(EventStore.EventStore, (store) => store.head).pipe(Effect.provide(Observed))
 * ```
 *
 * The metrics: `dunnock.event_store.appends` and `.append_duration` (milliseconds), `.events_appended`; `.reads` and
 * `.read_duration`, of each page that is read, whoever reads it, and `.events_read`. Each has the name of the store as
 * `dunnock.store`. Those that are timed or counted by call have their `outcome` (`ok`, or the reason they failed for) and
 * `operation`: `append`, `readStream` or `readLog`. Spans, of appends and of pages that are read, are made where a tracer is
 * installed.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { EventStore } from "./EventStore.ts"
import type { EventStoreDriver } from "./EventStoreDriver.ts"
import { EventStoreError } from "./EventStoreError.ts"
import * as Reading from "./Reading.ts"

const appends = Metric.counter("dunnock.event_store.appends", { incremental: true })
const appended = Metric.counter("dunnock.event_store.events_appended", { incremental: true })
const reads = Metric.counter("dunnock.event_store.reads", { incremental: true })
const read = Metric.counter("dunnock.event_store.events_read", { incremental: true })

/** A quarter of a millisecond to half a minute. */
const boundaries = Metric.exponentialBoundaries({ start: 0.25, factor: 2, count: 17 })
const appendDuration = Metric.histogram("dunnock.event_store.append_duration", { boundaries })
const readDuration = Metric.histogram("dunnock.event_store.read_duration", { boundaries })

/** The same layer, whose event store keeps metrics and makes spans. */
export const layer = <A, E, R>(
  stores: Layer.Layer<A | EventStore, E, R>
): Layer.Layer<A | EventStore, E, R> =>
  Layer.provideMerge(observed, stores as Layer.Layer<EventStore, E, R>) as Layer.Layer<any, E, R>

const observed = Layer.effect(
  EventStore,
  Effect.gen(function* () {
    return observe(yield* EventStore, yield* Effect.context<never>())
  })
)

const observe = (store: EventStore, context: Context.Context<never>): EventStore => {
  const { driver } = store
  const named = { "dunnock.store": driver.name }
  const isTraced = Effect.map(Tracer.Tracer, (tracer) => tracer !== Tracer.nativeTracer)

  /** Times an effect, in a span if anybody looks at it. */
  const observed = (
    count: Metric.Metric<number, unknown>,
    duration: Metric.Metric<number, unknown>,
    operation: string,
    attributes: () => Record<string, unknown>
  ) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const timed = Effect.flatMap(
      Clock.monotonicTimeNanos,
      (begun) =>
        Effect.onExit(self, (exit) =>
          Effect.map(Clock.monotonicTimeNanos, (ended) => {
            const labels = { ...named, operation, outcome: outcomeOf(exit) }
            Metric.withAttributes(count, labels).updateUnsafe(1, context)
            Metric.withAttributes(duration, labels).updateUnsafe(Number(ended - begun) / 1e6, context)
          }))
    )
    return Effect.flatMap(isTraced, (is) =>
      is
        ? Effect.withSpan(timed, `EventStore.${operation}`, {
          kind: "client",
          attributes: { ...named, ...attributes() }
        })
        : timed)
  }

  const sum = (lists: ReadonlyArray<{ readonly events: ReadonlyArray<unknown> }>) =>
    lists.reduce((sum, { events }) => sum + events.length, 0)
  const counting = (metric: Metric.Metric<number, unknown>) => {
    const labelled = Metric.withAttributes(metric, named)
    return (n: number) => labelled.updateUnsafe(n, context)
  }
  const countAppended = counting(appended)
  const countRead = counting(read)
  const append =
    (operation: string, events: number, streams: ReadonlyArray<string>) =>
    <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.map(self, (value) => {
        countAppended(events)
        return value
      }).pipe(
        observed(appends, appendDuration, operation, () => ({
          "dunnock.events": events,
          "dunnock.stream": streams.join(", ").slice(0, 255)
        }))
      )
  const observedDriver: EventStoreDriver = {
    ...driver,
    readStream: (options) =>
      driver.readStream(options).pipe(
        Effect.map((events) => {
          countRead(events.length)
          return events
        }),
        observed(reads, readDuration, "readStream", () => ({ "dunnock.stream": options.stream }))
      ),
    readLog: (options) =>
      driver.readLog(options).pipe(
        Effect.map((page) => {
          countRead(page.events.length)
          return page
        }),
        observed(reads, readDuration, "readLog", () => ({ "dunnock.after": options.after }))
      )
  }

  return {
    ...store,
    append: (events, writes, options) =>
      store.append(events, writes, options).pipe(
        append("append", sum(writes), writes.map(({ stream }) => stream))
      ),
    commit: (one) =>
      store.commit(one).pipe(append("append", sum(one.streams), one.streams.map(({ stream }) => stream))),
    ...Reading.make(observedDriver, store.changed),
    driver: observedDriver
  }
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "ok"
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error instanceof EventStoreError) return error.reason._tag
  return Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "defect"
}
