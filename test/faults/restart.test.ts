import { expect } from "bun:test"
import { Aggregate, EventStore } from "dunnock"
import { Effect, Fiber, Layer, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { testsOn } from "../services/bun.ts"
import { postgres } from "../services/mod.ts"
import { openStore } from "./postgres.ts"
import { events, idsOf, range, times, write } from "./writes.ts"

const test = testsOn("postgres, restarts", postgres)

const Till = Aggregate.make("Till", {
  state: Schema.Int,
  initial: 0,
  events: { Paid: { amount: Schema.Int } },
  commands: [Rpc.make("Pay", { payload: { amount: Schema.Int } })],
  evolve: { Paid: (sum, { amount }) => sum + amount }
})
const TillLive = Till.toLayer({ Pay: ({ command }) => [{ _tag: "Paid", amount: command.amount }] })

const retryable = { while: ({ isRetryable }: { readonly isRetryable: boolean }) => isRetryable }

test(
  "after the server has died and come back, what was acknowledged is there once, and the program goes on by itself",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const server = yield* postgres.own
      const { url } = yield* server.database
      const store = yield* openStore(url)
      const [fibers, restarts] = [6, times(3, 30)]
      const load = { isOver: false }
      let failures = 0
      const seen: Array<string> = []
      let last = 0
      const tail = yield* Effect.suspend(() =>
        store.subscribe(events, { after: last }).pipe(
          Stream.map(({ id, position }) => {
            last = position
            seen.push(id)
            return id
          }),
          Stream.takeUntil((id) => id === idsOf("end", 0, 0).at(-1)),
          Stream.runDrain
        )
      ).pipe(Effect.retry(retryable), Effect.forkChild)

      const patiently = <A, E extends { readonly isRetryable: boolean }>(effect: Effect.Effect<A, E>) =>
        effect.pipe(
          Effect.tapError(() => Effect.sync(() => failures++)),
          // as long as it takes, but not in a tight circle while nobody answers
          Effect.tapError(() => Effect.sleep(5)),
          Effect.retry(retryable)
        )
      const acknowledged = range(fibers).map(() => 0)
      const writer = (fiber: number) =>
        Effect.gen(function* () {
          while (!load.isOver) {
            yield* patiently(write(store, "w", fiber, acknowledged[fiber]!))
            acknowledged[fiber]!++
          }
        })
      const paid = range(fibers).map(() => 0)
      const tills = yield* Effect.provide(
        Till.client,
        Layer.provide(TillLive, Layer.succeed(EventStore.EventStore, store))
      )
      const payer = (fiber: number) =>
        Effect.gen(function* () {
          while (!load.isOver) {
            const key = { idempotencyKey: `${fiber}/${paid[fiber]}` }
            yield* patiently(tills(`till-${fiber}`).Pay({ amount: 1 }, key))
            paid[fiber]!++
          }
        })
      const working = yield* Effect.forkChild(
        Effect.all([
          Effect.forEach(range(fibers), writer, { concurrency: "unbounded" }),
          Effect.forEach(range(fibers), payer, { concurrency: "unbounded" })
        ], { concurrency: "unbounded" })
      )
      for (const _ of range(restarts)) {
        const before = acknowledged.map((count) => count + 20)
        while (acknowledged.some((count, i) => count < before[i]!)) yield* Effect.sleep(5)
        // "immediate": as if the machine had lost its power
        yield* Effect.promise(() => server.end("SIGQUIT"))
        yield* Effect.promise(() => server.startAgain())
      }
      const before = acknowledged.map((count) => count + 20)
      while (acknowledged.some((count, i) => count < before[i]!)) yield* Effect.sleep(5)
      load.isOver = true
      yield* Fiber.join(working)
      yield* write(store, "end", 0, 0)
      yield* Fiber.join(tail)

      const ids = range(fibers).flatMap((fiber) =>
        range(acknowledged[fiber]!).flatMap((n) => idsOf("w", fiber, n))
      )
      expect(seen.toSorted()).toEqual([...ids, ...idsOf("end", 0, 0)].toSorted())
      for (const fiber of range(fibers)) {
        const till = yield* Stream.runCollect(store.read(Till.events, Till.stream(`till-${fiber}`)))
        expect(till.length).toBe(paid[fiber]!)
      }
      expect(failures).toBeGreaterThan(0)
      const payments = paid.reduce((sum, count) => sum + count)
      console.log(`${ids.length} events, ${payments} commands, ${restarts} restarts, ${failures} failures`)
    }))),
  times(60_000, 600_000)
)
