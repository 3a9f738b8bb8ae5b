// What surrounds a command goes with it: metadata into its events, its span to the tracer.
import { describe, expect } from "bun:test"
import { Metadata } from "dunnock"
import { Effect, Stream, Tracer } from "effect"
import { Account, bank, onEach, onMemory, type Process } from "./fixture.ts"

/** The metadata of each event of an account. */
const metadataOf = ({ store }: Pick<Process<unknown, never>, "store">, id: string) =>
  Effect.map(
    Stream.runCollect(store.read(Account.events, Account.stream(id))),
    (events) => events.map(({ metadata }) => metadata)
  )

/** A tracer that keeps the spans it made. */
const recording = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

const traceparent = (span: Tracer.AnySpan) => `00-${span.traceId}-${span.spanId}-01`

describe("metadata", () => {
  onEach("of the caller is that of every event of the command", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open)
      const request = { correlationId: "request-7", causationId: "click-1", actor: "ann", tenant: "north" }
      yield* Effect.gen(function* () {
        yield* process.client("a").Open({ owner: "ann" })
        yield* process.client("a").Deposit({ amount: 1 }).pipe(Metadata.provide({ actor: "bob" }))
        yield* process.client("a").Close(undefined, { idempotencyKey: "k" })
      }).pipe(Metadata.provide(request))
      yield* process.client("a").Open({ owner: "cy" })
      const closing = { ...request, idempotencyKey: "k" }
      expect(yield* metadataOf(process, "a")).toEqual([
        request,
        { ...request, actor: "bob" },
        closing,
        closing,
        {}
      ])
    }))

  onMemory("holds the trace of the current span, sampled or not", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open)
      const ids = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }
      for (const sampled of [true, false]) {
        yield* process.client("a").Deposit({ amount: 1 }).pipe(
          Effect.withParentSpan(Tracer.externalSpan({ ...ids, sampled }))
        )
      }
      const given = { traceparent: "00-given-by-hand-01" }
      yield* process.client("a").Deposit({ amount: 1 }).pipe(
        Metadata.provide(given),
        Effect.withParentSpan(Tracer.externalSpan(ids))
      )
      expect(yield* metadataOf(process, "a")).toEqual([
        { traceparent: `00-${ids.traceId}-${ids.spanId}-01` },
        { traceparent: `00-${ids.traceId}-${ids.spanId}-00` },
        given
      ])
    }))

  onMemory("is seen by a handler that decides in an effect", (open) =>
    Effect.gen(function* () {
      const process = yield* bank(yield* open, {
        Open: () =>
          Effect.map(Metadata.Current, ({ actor }) => [{ _tag: "Opened", owner: actor ?? "nobody" }] as const)
      })
      yield* process.client("a").Open({ owner: "" }).pipe(Metadata.provide({ actor: "ann" }))
      const [event] = yield* Stream.runCollect(process.store.read(Account.events, "Account-a"))
      expect(event!.data).toEqual({ _tag: "Opened", owner: "ann" })
    }))
})

describe("a span", () => {
  onMemory(
    "named after the aggregate and the command is given to the tracer, and its trace to the events",
    (open) =>
      Effect.gen(function* () {
        const { spans, tracer } = recording()
        const process = yield* bank(yield* open)
        yield* Effect.gen(function* () {
          yield* process.client("a").Open({ owner: "ann" })
          yield* process.client("a").Deposit({ amount: 1 })
          yield* Effect.flip(process.client("a").Withdraw({ amount: 2 }))
        }).pipe(Effect.withSpan("request"), Effect.withTracer(tracer))

        const [request, ...commands] = spans
        expect(commands.map(({ name }) => name)).toEqual([
          "Account.Open",
          "Account.Deposit",
          "Account.Withdraw"
        ])
        for (const { attributes, parent } of commands) {
          expect(attributes.get("dunnock.aggregate.id")).toBe("a")
          expect(parent).toMatchObject({ _tag: "Some", value: { spanId: request!.spanId } })
        }
        const exits = commands.map(({ status }) => status._tag === "Ended" && status.exit._tag)
        expect(exits).toEqual(["Success", "Success", "Failure"])
        expect(yield* metadataOf(process, "a")).toEqual(
          commands.slice(0, 2).map((span) => ({ traceparent: traceparent(span) }))
        )
      })
  )

  onMemory("is not made when there is no tracer", (open) =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const process = yield* bank(yield* open, {
        Close: () =>
          Effect.map(Effect.result(Effect.currentSpan), (span) => {
            seen.push(span._tag === "Success" ? span.success.name : undefined)
            return [{ _tag: "Closed" }] as const
          })
      })
      yield* process.client("a").Close()
      yield* process.client("a").Close().pipe(Effect.withSpan("request"))
      expect(seen).toEqual([undefined, "request"])
      const [without, within] = yield* metadataOf(process, "a")
      expect(without).toEqual({})
      expect(within!.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    }))
})
