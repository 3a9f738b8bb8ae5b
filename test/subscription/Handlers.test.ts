/** What a handler can rely on while it runs, and what is seen of one that does not end. */
import { describe, expect, test } from "bun:test"
import { Effect, Exit, Layer, Metric, Schedule, Scope } from "effect"
import { DocumentStore } from "../../src/repository/DocumentStore.ts"
import { DocumentStoreError, Unavailable } from "../../src/repository/DocumentStoreError.ts"
import { append, pass, run, spying, subscription } from "./fixture.ts"

const mailer = subscription("mailer")

/** Documents of a process that can be cut off. */
const cuttable = (isCut: () => boolean) =>
  spying(({ commit, get, find }) => {
    const reason = new Unavailable({ store: "the process", problem: "was cut off" })
    const unless = <A>(effect: Effect.Effect<A, DocumentStoreError>) =>
      Effect.suspend(() => isCut() ? Effect.fail(new DocumentStoreError({ reason })) : effect)
    return {
      commit: (writes) => unless(commit(writes)),
      get: (collection, ids) => unless(get(collection, ids)),
      find: (collection, selection) => unless(find(collection, selection))
    }
  })

/** Builds a layer that can be closed while time passes. */
const closable = <R>(layer: Layer.Layer<never, unknown, R>) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    yield* Scope.provide(Layer.build(layer), scope)
    return (within: number) =>
      Effect.all([Scope.close(scope, Exit.void), pass(within)], { concurrency: 2, discard: true })
  })

const metrics = Effect.map(Metric.snapshot, (all) =>
  Object.fromEntries(
    all.map(({ id, state }) => [
      id.replace("dunnock.subscription.", ""),
      "value" in state ? Number(state.value) : undefined
    ])
  ))

describe("a handler", () => {
  test(
    "has a scope of its own: what it acquires is released when it ends",
    run(Effect.gen(function* () {
      let open = 0
      yield* append("s", 1, 10)
      yield* Layer.build(
        mailer.toLayer(() =>
          Effect.acquireRelease(Effect.sync(() => open++), () => Effect.sync(() => open--))
        )
      )
      yield* mailer.waitFor(10)
      yield* pass(50)
      expect(open).toBe(0)
    }))
  )

  test(
    "that gives no effect has failed",
    run(Effect.gen(function* () {
      yield* append("s", 1, 2)
      const async = (() => Promise.resolve()) as () => any as () => Effect.Effect<void>
      const onFailure = { retry: Schedule.recurs(0), otherwise: "park" } as const
      yield* Layer.build(mailer.toLayer(async, { onFailure }))
      yield* pass(50)
      expect((yield* mailer.parked())[0]?.error).toContain("gave no effect")
    }))
  )

  test(
    "is not tried again by a process that has lost its lease",
    run(Effect.gen(function* () {
      let cut = false
      const attempts: Array<string> = []
      const live = (who: string, fails: boolean) =>
        mailer.toLayer(
          () =>
            Effect.suspend(() =>
              fails ? Effect.fail(attempts.push(who)) : Effect.succeed(attempts.push(who))
            ),
          { onFailure: { retry: Schedule.spaced("2 seconds") } }
        )
      yield* append("s", 1)
      yield* Layer.build(live("one", true)).pipe(
        Effect.provideService(DocumentStore, yield* cuttable(() => cut))
      )
      yield* pass(1_000)
      cut = true
      yield* Layer.build(live("other", false))
      yield* pass(30_000)
      expect(attempts.slice(attempts.indexOf("other"))).toEqual(["other"])
    }))
  )

  test(
    "that is tried again for an hour keeps no other streams from being handled",
    run(Effect.gen(function* () {
      let others = 0
      yield* append("bad", 0)
      for (let i = 0; i < 25; i++) yield* append(`good-${i % 7}`, i * 100 + 1, i * 100 + 100)
      const retry = Schedule.max([Schedule.spaced("10 minutes"), Schedule.recurs(6)])
      yield* Layer.build(mailer.toLayer(
        ({ stream }) => stream === "bad" ? Effect.fail("bad") : Effect.sync(() => void others++),
        { concurrency: 2, onFailure: { retry, otherwise: "park" } }
      ))
      yield* pass(5_000)
      expect(others).toBe(2_500)
    }))
  )

  test(
    "that does not end shows in the metrics of its process, as long as the shard is there",
    run(
      Effect.gen(function* () {
        let isStuck = false
        yield* append("s", 1, 10)
        const close = yield* closable(mailer.toLayer(() => isStuck ? Effect.never : Effect.void))
        yield* pass(2_000)
        expect(yield* metrics).toMatchObject({ position: 10, lag: 0 })
        isStuck = true
        for (let i = 0; i < 3; i++) yield* append("s", i * 1_000 + 11, i * 1_000 + 1_010)
        yield* pass(2_000)
        expect(yield* metrics).toMatchObject({ position: 10, lag: 3_000 })
        yield* close(7_000)
        expect(yield* metrics).toMatchObject({ position: 0, lag: 0 })
      }).pipe((effect) =>
        Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))
      )
    )
  )

  test(
    "is let finish when its shard goes to another process, which handles nothing of it again",
    run(Effect.gen(function* () {
      const halved = subscription("halved", { shards: 2 })
      const log: Array<string> = []
      const live = (who: string) =>
        halved.toLayer(({ data }) =>
          Effect.sync(() => void log.push(`${who} begins ${data.n}`)).pipe(
            Effect.andThen(Effect.sleep("3 seconds")),
            Effect.andThen(Effect.sync(() => void log.push(`${who} ends ${data.n}`)))
          ), { concurrency: 10 })
      for (let n = 0; n < 6; n++) yield* append(`s-${n}`, n)
      yield* Layer.build(live("one"))
      yield* pass(100)
      yield* Layer.build(live("other")).pipe(
        Effect.provideService(DocumentStore, yield* spying(() => ({})))
      )
      yield* pass(10_000)
      expect(log.filter((line) => line.includes("ends")).length).toBe(6)
      expect(log.filter((line) => line.includes("begins")).length).toBe(6)
      for (let n = 6; n < 20; n++) yield* append(`s-${n}`, n)
      yield* pass(10_000)
      expect(log.some((line) => line.startsWith("other"))).toBe(true)
    }))
  )
})

test(
  "those who wait for shards of another process look at them together",
  run(Effect.gen(function* () {
    let reads = 0
    const elsewhere = yield* spying(({ get }) => ({
      get: (collection, ids) => Effect.tap(get(collection, ids), () => Effect.sync(() => reads++))
    }))
    yield* append("s", 1)
    const close = yield* closable(mailer.toLayer(() => Effect.never))
    yield* pass(100)
    const waiting = Array.from({ length: 50 }, () => Effect.exit(mailer.waitFor(1, "5 seconds")))
    yield* Effect.all([Effect.all(waiting, { concurrency: "unbounded" }), pass(6_000)], { concurrency: 2 })
      .pipe(Effect.provideService(DocumentStore, elsewhere))
    expect(reads).toBeGreaterThan(50)
    expect(reads).toBeLessThan(400)
    yield* close(7_000)
  }))
)
