import { expect } from "bun:test"
import { Aggregate, EventStore, Subscription } from "dunnock"
import { Effect, Fiber, Layer, Logger, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { testsOn } from "../services/bun.ts"
import { type Own, postgres } from "../services/mod.ts"
import { stores } from "./places.ts"
import { byId, expected, rowsOf, tally } from "./tally.ts"
import { events, load, range, times } from "./writes.ts"

const test = testsOn("postgres, restarts", postgres)

const Till = Aggregate.make("Till", {
  state: Schema.Int,
  initial: 0,
  events: { Paid: { amount: Schema.Int } },
  commands: [Rpc.make("Pay", { payload: { amount: Schema.Int } })],
  evolve: { Paid: (sum, { amount }) => sum + amount }
})
const TillLive = Till.toLayer({ Pay: ({ command }) => [{ _tag: "Paid", amount: command.amount }] })

const Tally = tally("Tally")
const Inline = tally("Inline")

const handled = new Set<string>()
const Handled = Subscription.make("handled", { events, shards: 4 })
  .toLayer(({ id }) => Effect.sync(() => handled.add(id)), { concurrency: 4, lease: "1 second" })

const retryable = { while: ({ isRetryable }: { readonly isRetryable: boolean }) => isRetryable }

/** Commands one after the other, each until it is acknowledged, for as long as the state says. */
const pay = (state: { isOver: boolean; failures: number }, fibers: number) =>
  Effect.gen(function* () {
    const tills = yield* Till.client
    const paid = range(fibers).map(() => 0)
    const payer = (fiber: number) =>
      Effect.gen(function* () {
        while (!state.isOver) {
          const key = { idempotencyKey: `${fiber}/${paid[fiber]}` }
          yield* tills(`till-${fiber}`).Pay({ amount: 1 }, key).pipe(
            Effect.tapError(() => {
              state.failures++
              return Effect.sleep(5)
            }),
            Effect.retry(retryable)
          )
          paid[fiber]!++
        }
      })
    yield* Effect.forEach(range(fibers), payer, { concurrency: "unbounded" })
    return paid
  })

/** Every event of the log from now on, in the order in which it comes. */
const follow = (store: EventStore.EventStore, seen: Array<number>) =>
  Effect.suspend(() =>
    store.subscribe(events, { after: seen.at(-1) ?? 0 }).pipe(
      Stream.runForEach(({ position }) => Effect.sync(() => seen.push(position)))
    )
  ).pipe(Effect.retry(retryable))

const program = (server: Own) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const restarts = times(3, 30)
    const seen: Array<number> = []
    const state = { isOver: false, failures: 0 }
    yield* Effect.forkScoped(follow(store, seen))
    const work = yield* load(store, "w", 6, 1)
    const paying = yield* Effect.forkScoped(pay(state, 6))
    const more = Effect.gen(function* () {
      const before = [...work.appends]
      while (work.appends.some((count, i) => count < before[i]! + 20)) yield* Effect.sleep(5)
    })
    for (const _ of range(restarts)) {
      yield* more
      // "immediate": as if the machine had lost its power
      yield* Effect.promise(() => server.end("SIGQUIT"))
      yield* Effect.promise(() => server.startAgain())
    }
    yield* more
    state.isOver = true
    yield* work.end
    const paid = yield* Fiber.join(paying)

    const all = yield* Stream.runCollect(store.log(events))
    const head = yield* store.head
    yield* Effect.all([Tally.waitFor(head, "30 seconds"), Inline.waitFor(head, "30 seconds")])
    for (const rows of [yield* rowsOf(Tally), yield* rowsOf(Inline)]) {
      expect(byId(rows)).toEqual(expected("w", work.appends))
    }
    for (let waited = 0; seen.length < all.length || handled.size < all.length; waited += 20) {
      expect(waited, `saw ${seen.length} and handled ${handled.size} of ${all.length}`).toBeLessThan(20_000)
      yield* Effect.sleep(20)
    }
    expect(seen).toEqual(all.map(({ position }) => position))
    expect(handled).toEqual(new Set(all.map(({ id }) => id)))
    for (const [fiber, count] of paid.entries()) {
      const till = yield* Stream.runCollect(store.read(Till.events, Till.stream(`till-${fiber}`)))
      expect(till.length).toBe(count)
    }
    expect(state.failures).toBeGreaterThan(0)
    const commands = paid.reduce((sum, count) => sum + count)
    console.log(`${all.length} events, ${commands} commands, ${restarts} restarts`)
  })

test(
  "after the server has died and come back, what was acknowledged is there once, and the program goes on by itself",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const server = yield* postgres.own
      const { url } = yield* server.database
      const layer = Layer.mergeAll(TillLive, Tally.layer, Inline.layerInline, Handled).pipe(
        Layer.provideMerge(stores({ adapter: "postgres", url }))
      )
      // which warns of every attempt while the server is away
      yield* program(server).pipe(Effect.provide(layer), Effect.provide(Logger.layer([])))
    }))),
  times(60_000, 600_000)
)
