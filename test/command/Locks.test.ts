/** Many callers on one aggregate, who wait for each other. */
import { expect, test } from "bun:test"
import { Aggregate, EventStore } from "dunnock"
import * as Memory from "dunnock/memory"
import { Faults } from "dunnock/testing"
import { Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"

const Counter = Aggregate.make("Counter", {
  state: Schema.Int,
  initial: 0,
  events: { Increased: {} },
  commands: [Rpc.make("Increase")],
  evolve: { Increased: (count) => count + 1 }
})

const CounterLive = Counter.toLayer({ Increase: () => [{ _tag: "Increased" }] })

/** Its first commit takes a while, so that everybody else has to wait for the lock. */
const SlowAtFirst = EventStore.layer(
  Effect.map(
    Memory.make,
    ({ events }) => Faults.wrap(events, (n) => n === 1 ? { slow: "20 millis" } : undefined)
  )
)

test("twenty thousand commands that wait for each other do not fill the stack", async () => {
  const program = Effect.gen(function* () {
    const counter = yield* Counter.client
    const commands = Array.from({ length: 20_000 }, () => counter("c").Increase())
    yield* Effect.all(commands, { concurrency: "unbounded", discard: true })
    return yield* Counter.state("c")
  })
  const { state } = await Effect.runPromise(
    Effect.provide(program, Layer.provideMerge(CounterLive, SlowAtFirst))
  )
  expect(state).toBe(20_000)
})
