/** Metrics and spans of a store that is wrapped; the same promises as without. */
import { expect, test } from "bun:test"
import { Event, EventStore, Telemetry } from "dunnock"
import * as Memory from "dunnock/memory"
import { EventStoreContract } from "dunnock/testing"
import { Effect, Exit, Layer, Metric, Schema, Stream, Tracer } from "effect"
import { contract } from "../contract/contract.ts"

const events = Event.set({ Counted: { n: Schema.Int } })
const observed = Telemetry.layer(Memory.layer)

contract("memory, observed", EventStoreContract.cases, Memory.guarantees, Effect.succeed(observed))

const work = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const append = (expected: EventStore.Expected, n: number) =>
    store.append(events, [{
      stream: "s",
      expected,
      events: Array.from({ length: n }, () => ({ _tag: "Counted", n }))
    }])
  yield* append("none", 3)
  yield* append("any", 2)
  yield* Effect.exit(append("none", 1))
  yield* Stream.runDrain(store.read(events, "s"))
  yield* Stream.runDrain(store.log(events))
  yield* store.subscribe(events).pipe(Stream.take(5), Stream.runDrain)
  yield* store.driver.readStream({ stream: "s", bare: true, direction: "forwards", from: 1, limit: 10 })
})

test("appends and reads are counted and timed, by what came of them", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* work.pipe(Effect.provide(observed))
      const count = (all: ReadonlyArray<Metric.Metric.Snapshot>, id: string, outcome?: string) =>
        all.filter((metric) =>
          metric.id === `dunnock.event_store.${id}` &&
          (outcome === undefined || (metric.attributes as Record<string, string>)["outcome"] === outcome)
        ).map(({ state }) => "count" in state ? Number(state.count) : 0)
      const all = yield* Metric.snapshot
      expect(count(all, "appends", "ok")).toEqual([2])
      expect(count(all, "appends", "Conflict")).toEqual([1])
      expect(count(all, "append_duration", "ok")).toEqual([2])
      expect(count(all, "events_appended")).toEqual([5])
      expect(count(all, "events_read")).toEqual([20])
      // Two pages of the stream, one of the log by log and one by subscribe.
      expect(count(all, "reads", "ok")).toEqual([2, 2])
      expect(count(all, "read_duration", "ok")).toEqual([2, 2])
      const operations = all.flatMap(({ attributes, id }) =>
        id.endsWith("s") ? (attributes as Record<string, string>)["operation"] ?? [] : []
      )
      expect(operations).toEqual(["append", "append", "readStream", "readLog"])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  ))

test("spans are made where a tracer is installed", async () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  await Effect.runPromise(
    work.pipe(Effect.provide(observed), Effect.provide(Layer.succeed(Tracer.Tracer, tracer)))
  )
  expect(spans.map(({ name }) => name)).toEqual([
    "EventStore.append",
    "EventStore.append",
    "EventStore.append",
    "EventStore.readStream",
    "EventStore.readLog",
    "EventStore.readLog",
    "EventStore.readStream"
  ])
  expect(spans.map(({ status }) => status._tag === "Ended" && Exit.isSuccess(status.exit))).toEqual([
    true,
    true,
    false,
    true,
    true,
    true,
    true
  ])
  expect(spans[0]!.attributes.get("dunnock.events")).toBe(3)
})
