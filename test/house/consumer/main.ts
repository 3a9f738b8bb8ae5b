/** A program that has nothing beside it but the packed package and effect. */
import { Aggregate } from "dunnock"
import * as Memory from "dunnock/memory"
import * as Sqlite from "dunnock/sqlite"
import { Effect, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"

const Counter = Aggregate.make("Counter", {
  state: Schema.Int,
  initial: 0,
  events: { Increased: { by: Schema.Int } },
  commands: [Rpc.make("Increase", { payload: { by: Schema.Int } })],
  evolve: { Increased: (count, { by }) => count + by }
})

const CounterLive = Counter.toLayer({
  Increase: ({ command }) => [{ _tag: "Increased", by: command.by }]
})

const program = Effect.gen(function* () {
  const counter = (yield* Counter.client)("c-1")
  const before = yield* Counter.state("c-1")
  yield* counter.Increase({ by: 2 })
  yield* counter.Increase({ by: 40 })
  const after = yield* Counter.state("c-1")
  return after.state - before.state
})

for (const store of [Memory.layer, Sqlite.layer({ filename: "consumer.db" })]) {
  const added = await Effect.runPromise(program.pipe(Effect.provide(Layer.provideMerge(CounterLive, store))))
  if (added !== 42) throw new Error(`expected 42, got ${added}`)
}
