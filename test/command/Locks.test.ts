/** Many callers on one aggregate, who wait for each other. */
import { expect, test } from "bun:test"
import { Aggregate } from "dunnock"
import * as Memory from "dunnock/memory"
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

test("twenty thousand commands at once on one aggregate do not run inside each other until the stack is full", async () => {
  const program = Effect.gen(function* () {
    const counter = yield* Counter.client
    const commands = Array.from({ length: 20_000 }, () => counter("c").Increase())
    yield* Effect.all(commands, { concurrency: "unbounded", discard: true })
    return yield* Counter.state("c")
  })
  const { state } = await Effect.runPromise(
    Effect.provide(program, Layer.provideMerge(CounterLive, Memory.layer))
  )
  expect(state).toBe(20_000)
})
