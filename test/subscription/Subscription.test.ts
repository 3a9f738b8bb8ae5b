/** What the contract cannot see: times, commits, metrics, how far is read ahead. */
import { describe, expect, test } from "bun:test"
import { EventStore, Subscription } from "dunnock"
import { Duration, Effect, Fiber, Layer, Metric, Schedule, Tracer } from "effect"
import { DocumentStore } from "../../src/repository/DocumentStore.ts"
import { append, events, pass, run, spying, subscription } from "./fixture.ts"

const numbers = (seen: ReadonlyArray<{ readonly data: { readonly n: number } }>) =>
  seen.map(({ data }) => data.n)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe("a subscription", () => {
  test(
    "is waited for without any time passing, in its process",
    run(Effect.gen(function* () {
      const mailer = subscription("mailer", { shards: 3 })
      const seen: Array<number> = []
      yield* Layer.build(
        mailer.toLayer(({ data }) => Effect.sync(() => void seen.push(data.n)), { concurrency: 2 })
      )
      for (let n = 1; n <= 20; n++) {
        const [receipt] = yield* append(`s-${n % 4}`, n)
        yield* mailer.waitFor(receipt!)
      }
      expect(seen).toEqual(range(1, 20))
    }))
  )

  test(
    "writes its checkpoint ten times a second, not with each event, and every half second while others' events pass by",
    run(Effect.gen(function* () {
      let commits = 0
      const documents = yield* spying(({ commit }) => ({
        commit: (writes) => Effect.tap(commit(writes), () => Effect.sync(() => commits++))
      }))
      const mailer = subscription("mailer", { streamPrefix: "mine" })
      yield* Layer.build(mailer.toLayer(() => Effect.void)).pipe(
        Effect.provideService(DocumentStore, documents)
      )
      yield* pass(50)
      commits = 0
      for (let n = 1; n <= 100; n++) {
        yield* append("mine", n)
        yield* pass(10)
      }
      expect(commits).toBeGreaterThan(4)
      expect(commits).toBeLessThan(60)
      yield* pass(2_000)
      commits = 0
      for (let i = 0; i < 20; i++) {
        yield* append("other", i)
        yield* pass(100)
      }
      expect(commits).toBeGreaterThan(1)
      expect(commits).toBeLessThan(8)
      yield* pass(2_000)
      expect((yield* mailer.status).shards[0]!.position).toBe(120)
    }))
  )

  test(
    "tries again when the schedule says, while other streams go on",
    run(Effect.gen(function* () {
      const mailer = subscription("mailer")
      const attempts: Array<number> = []
      const others: Array<number> = []
      const retry = Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(3)])
      yield* append("bad", 1, 2)
      yield* append("good", 3, 4)
      yield* Layer.build(
        mailer.toLayer(({ data, stream }) =>
          Effect.gen(function* () {
            if (stream === "good") return others.push(data.n)
            if (data.n === 1) attempts.push(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
            return data.n === 1 ? yield* Effect.fail("bad") : undefined
          }), { concurrency: 2, onFailure: { retry, otherwise: "park" } })
      )
      yield* pass(500)
      expect(others).toEqual([3, 4])
      yield* pass(10_000)
      expect(attempts).toEqual([0, 1_000, 3_000, 7_000])
      expect((yield* mailer.parked()).map(({ count, since }) => [count, since])).toEqual([[2, 7_000]])
    }))
  )

  test(
    "reads no further ahead than is allowed",
    run(Effect.gen(function* () {
      const mailer = subscription("mailer")
      const store = yield* EventStore.EventStore
      let read = 0
      const counting: EventStore.EventStore = {
        ...store,
        driver: {
          ...store.driver,
          readLog: (options) =>
            Effect.tap(store.driver.readLog(options), ({ events }) =>
              Effect.sync(() => {
                read += events.length
              }))
        }
      }
      for (let i = 0; i < 5; i++) yield* append("s", i * 1_000 + 1, i * 1_000 + 1_000)
      const fiber = yield* Effect.forkChild(
        Layer.build(mailer.toLayer(() => Effect.never)).pipe(
          Effect.provideService(EventStore.EventStore, counting),
          Effect.andThen(Effect.never),
          Effect.scoped
        )
      )
      yield* pass(5_000)
      expect(read).toBeGreaterThan(500)
      expect(read).toBeLessThan(1_600)
      yield* Effect.all([Fiber.interrupt(fiber), pass(6_000)], { concurrency: 2 })
    }))
  )

  test(
    "handles every event, once and in order, with a schedule of failures, concurrency and batches",
    run(Effect.gen(function* () {
      const mailer = subscription("mailer", { shards: 2 })
      const seen = new Map<string, Array<number>>()
      for (let i = 0; i < 300; i++) yield* append(`s-${i * i % 7}`, i)
      yield* Layer.build(mailer.toLayer((batch, { attempt }) =>
        Effect.gen(function* () {
          for (let i = batch[0]!.position % 3; i > 0; i--) yield* Effect.yieldNow
          if (attempt < 3 && batch.some(({ position }) => position % 11 === 0)) {
            return yield* Effect.fail("again")
          }
          const { stream } = batch[0]!
          seen.set(stream, [...seen.get(stream) ?? [], ...numbers(batch)])
        }), { batch: 5, concurrency: 3, onFailure: { retry: Schedule.spaced("10 millis") } }))
      for (let i = 300; i < 400; i++) {
        yield* append(`s-${i * i % 7}`, i)
        yield* pass(10)
      }
      yield* Effect.forkChild(pass(5_000))
      yield* mailer.waitFor(400)
      for (const [stream, handled] of seen) {
        expect(handled).toEqual(range(0, 399).filter((i) => `s-${i * i % 7}` === stream))
      }
      expect(seen.size).toBe(4)
    }))
  )

  test(
    "keeps metrics with its name",
    run(Effect.gen(function* () {
      const mailer = subscription("metered")
      const onFailure = { retry: Schedule.recurs(1), otherwise: "skip" } as const
      yield* append("s", 1, 10)
      const registry = new Map()
      yield* Effect.gen(function* () {
        yield* Layer.build(
          mailer.toLayer(({ data }) => data.n === 3 ? Effect.fail("bad") : Effect.void, { onFailure })
        )
        yield* pass(1_000)
        const all = (yield* Metric.snapshot).filter(({ attributes }) =>
          (attributes as Record<string, string>)["dunnock.subscription"] === "metered"
        )
        const values = Object.fromEntries(all.map(({ id, state }) => [
          id.replace("dunnock.subscription.", ""),
          "count" in state ? Number(state.count) : "value" in state ? Number(state.value) : undefined
        ]))
        expect(values).toEqual({
          failures: 2,
          handled: 9,
          lag: 0,
          parked_streams: 0,
          position: 10,
          skipped: 1
        })
      }).pipe(Effect.provideService(Metric.MetricRegistry, registry))
    }))
  )

  test(
    "makes spans where a tracer is installed, as parts of the trace that wrote the event",
    run(Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const span = (options: ConstructorParameters<typeof Tracer.NativeSpan>[0]) => {
        const made = new Tracer.NativeSpan(options)
        spans.push(made)
        return made
      }
      const mailer = subscription("mailer")
      yield* Effect.gen(function* () {
        yield* append("s", 1).pipe(Effect.withSpan("request"))
        yield* Layer.build(
          mailer.toLayer(() => append("t", 2).pipe(Effect.when(Effect.succeed(spans.length === 2))))
        )
        yield* mailer.waitFor(2)
      }).pipe(Effect.provideService(Tracer.Tracer, Tracer.make({ span })))
      expect(spans.map(({ name }) => name)).toEqual(["request", "mailer handle", "mailer handle"])
      expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
      expect(spans[1]!.attributes.get("dunnock.position")).toBe(1)
    }))
  )

  test("is refused with a name, a number of shards, a concurrency, a batch or a lease that cannot be", () => {
    for (const name of ["", "a/b", "x".repeat(101), "a\0", "\ud800"]) {
      expect(() => Subscription.make(name, { events })).toThrow("name")
    }
    for (const shards of [0, 1.5, -1, 1_001]) {
      expect(() => Subscription.make("a", { events, shards })).toThrow("shards")
    }
    expect(() => subscription("a").toLayer(() => Effect.void, { concurrency: 0 })).toThrow("concurrency")
    expect(() => Subscription.make("a", { events, from: "now" as never })).toThrow("from")
    const onFailure = { otherwise: "parc" as never }
    expect(() => subscription("a").toLayer(() => Effect.void, { onFailure })).toThrow("otherwise")
    for (const batch of [0, 1_001]) {
      expect(() => subscription("a").toLayer(() => Effect.void, { batch })).toThrow("batch")
    }
    for (const lease of [Duration.infinity, "2 days", 0, -1, NaN, 99] as const) {
      expect(() => subscription("a").toLayer(() => Effect.void, { lease })).toThrow("lease")
    }
  })
})
