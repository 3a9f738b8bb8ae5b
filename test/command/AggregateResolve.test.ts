// A handler that needs the world gathers facts once, before the command is decided, however often that happens.
import { expect } from "bun:test"
import { Aggregate, Metadata } from "dunnock"
import { Context, Effect, Fiber, Latch, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { onEach, onMemory, reasonOf, start } from "./fixture.ts"

class NoPrice extends Schema.TaggedError<NoPrice>()("NoPrice", { item: Schema.String }) {}

interface Prices {
  readonly of: (item: string) => Effect.Effect<number, NoPrice>
}
const Prices = Context.Service<Prices, Prices>("test/Prices")

const Cart = Aggregate.make("Cart", {
  state: Schema.Number,
  initial: 0,
  events: { Added: { item: Schema.String, price: Schema.Number }, Emptied: {} },
  commands: [
    Rpc.make("Add", { payload: { item: Schema.String }, error: NoPrice }),
    Rpc.make("Empty")
  ],
  evolve: { Added: (total, { price }) => total + price, Emptied: () => 0 }
})

/** Notes what is asked of the world and from what is decided. */
const noting = () => {
  const asked: Array<unknown> = []
  const decided: Array<unknown> = []
  const layer = Cart.toLayer({
    Add: Aggregate.resolve(
      (input) => {
        asked.push(input)
        return Prices.use(({ of }) => of(input.command.item))
      },
      ({ command, facts, revision, state }) => {
        decided.push({ state, revision, facts })
        return [{ _tag: "Added", item: command.item, price: facts }]
      }
    ),
    Empty: ({ state }) => state === 0 ? [] : [{ _tag: "Emptied" }]
  })
  return { asked, decided, layer }
}

const list: Record<string, number> = { tea: 3, cup: 5 }
const listed = Layer.succeed(Prices, {
  of: (item: string) => {
    const price = list[item]
    return price === undefined ? Effect.fail(new NoPrice({ item })) : Effect.succeed(price)
  }
})

onEach(
  "facts are gathered once, with the id and the command, though it is decided again",
  (open) =>
    Effect.gen(function* () {
      const { asked, decided, layer } = noting()
      const one = yield* start(Cart, Layer.provide(layer, listed), yield* open)
      const other = yield* start(Cart, Layer.provide(noting().layer, listed), yield* open)
      yield* one.client("c").Add({ item: "tea" })
      yield* other.client("c").Add({ item: "cup" })
      yield* one.client("c").Add({ item: "cup" })
      expect(asked).toEqual(["tea", "cup"].map((item) => ({ id: "c", command: { item } })))
      expect(decided).toEqual([
        { state: 0, revision: 0, facts: 3 },
        { state: 3, revision: 1, facts: 5 },
        { state: 8, revision: 2, facts: 5 }
      ])
      expect((yield* one.state("c")).state).toBe(13)
    })
)

onMemory(
  "when they cannot be gathered, the command fails with that error and is not decided",
  (open) =>
    Effect.gen(function* () {
      const { decided, layer } = noting()
      const { client, state } = yield* start(Cart, Layer.provide(layer, listed), yield* open)
      const error = yield* Effect.flip(client("c").Add({ item: "moon" }))
      expect(error).toBeInstanceOf(NoPrice)
      expect(error).toMatchObject({ item: "moon" })
      expect(decided).toEqual([])
      expect(yield* client("c").Add({ item: "tea" })).toMatchObject({ revision: 1 })
      expect((yield* state("c")).revision).toBe(1)
    })
)

onMemory("a wrong payload is refused before they are gathered", (open) =>
  Effect.gen(function* () {
    const { asked, layer } = noting()
    const { execute } = yield* start(Cart, Layer.provide(layer, listed), yield* open)
    expect(yield* reasonOf(execute("c", "Add", { item: 7 }))).toMatchObject({ _tag: "InvalidCommand" })
    expect(asked).toEqual([])
  }))

onMemory("while they are gathered other commands of the aggregate go on", (open) =>
  Effect.gen(function* () {
    const latch = Latch.makeUnsafe()
    const slow = Layer.succeed(Prices, { of: () => Effect.as(latch.await, 1) })
    const { client } = yield* start(Cart, Layer.provide(noting().layer, slow), yield* open)
    const adding = yield* Effect.forkChild(client("c").Add({ item: "tea" }), { startImmediately: true })
    expect(yield* client("c").Empty()).toMatchObject({ revision: 0 })
    yield* latch.open
    expect(yield* Fiber.join(adding)).toMatchObject({ revision: 1 })
  }))

onMemory("they are gathered in the context of the caller", (open) =>
  Effect.gen(function* () {
    const actors: Array<string | undefined> = []
    const asking = Layer.succeed(Prices, {
      of: () => Effect.map(Metadata.Current, ({ actor }) => actors.push(actor))
    })
    const { client } = yield* start(Cart, Layer.provide(noting().layer, asking), yield* open)
    yield* client("c").Add({ item: "tea" }).pipe(Metadata.provide({ actor: "ann" }))
    yield* client("c").Add({ item: "tea" }).pipe(Metadata.provide({ actor: "bob" }))
    expect(actors).toEqual(["ann", "bob"])
  }))
