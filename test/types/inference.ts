// What is inferred, exactly: errors and requirements flow through, and nothing becomes `any` or `unknown`.
import {
  Aggregate,
  type AggregateError,
  AggregateRpc,
  type DocumentStore,
  type DocumentStoreError,
  type Event,
  type EventStore,
  type EventStoreError,
  Repository
} from "dunnock"
import { Scenario } from "dunnock/testing"
import { Context, Effect, Layer, type Option, Schema, type Stream } from "effect"
import { Rpc, type RpcClient, RpcMiddleware, type RpcServer } from "effect/rpc"
import { RpcServer as Server } from "effect/rpc"
import { Account, handlers, type InsufficientFunds } from "../command/fixture.ts"
import { type Order, order, Orders } from "../repository/fixture.ts"

/** Compiles only for two types that are the same: `any` is the same as `any` alone. */
const same = <A, B>(
  ..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [A, "is not", B]
) => {}

type Failure = AggregateError.AggregateError | EventStoreError.EventStoreError
type State = { readonly balance: number; readonly open: boolean }
type Events =
  | { readonly _tag: "Opened"; readonly owner: string }
  | { readonly _tag: "Deposited"; readonly amount: number }
  | { readonly _tag: "Withdrawn"; readonly amount: number }
  | { readonly _tag: "Closed" }

// the client
declare const account: Effect.Success<typeof Account.client>
same<typeof Account.client, Effect.Effect<typeof account, never, Aggregate.Handler<"Account">>>()
same<keyof ReturnType<typeof account>, "Open" | "Deposit" | "Withdraw" | "Close">()
const deposited = account("a").Deposit({ amount: 5 })
same<typeof deposited, Effect.Effect<Aggregate.Receipt, Failure>>()
const withdrawn = account("a").Withdraw({ amount: 5 }, { idempotencyKey: "k" })
same<typeof withdrawn, Effect.Effect<Aggregate.Receipt, Failure | InsufficientFunds>>()
const closed = [account("a").Close(), account("a").Close(undefined, { idempotencyKey: "k" })] as const
same<(typeof closed)[number], Effect.Effect<Aggregate.Receipt, Failure>>()
same<Parameters<ReturnType<typeof account>["Open"]>[0], { readonly owner: string }>()

// the state and the events
const state = Account.state("a", { atTime: new Date() })
same<
  typeof state,
  Effect.Effect<Aggregate.Loaded<State>, EventStoreError.EventStoreError, EventStore.EventStore>
>()
same<typeof Account.events extends Event.Set<infer E> ? E : never, Events>()
same<typeof Account.name, "Account">()

// handlers and their requirements
const Rates = Context.Service<"Rates", { readonly rate: number }>("test/Rates")
const Stock = Context.Service<"Stock", { readonly left: number }>("test/Stock")
const plain = Account.toLayer(handlers)
same<typeof plain, Layer.Layer<Aggregate.Handler<"Account">, never, EventStore.EventStore>>()
const resolving = Account.toLayer({
  Open: (input) => {
    same<typeof input, Aggregate.DecideInput<State, { readonly owner: string }>>()
    return [{ _tag: "Opened", owner: input.command.owner }]
  },
  Deposit: Aggregate.resolve(
    (input) => {
      same<typeof input, { readonly id: string; readonly command: { readonly amount: number } }>()
      return Rates.use(({ rate }) => Effect.succeed({ rate }))
    },
    ({ command, facts, state }) => {
      same<typeof facts, { rate: number }>()
      same<typeof state, State>()
      return [{ _tag: "Deposited", amount: command.amount * facts.rate }]
    }
  ),
  Withdraw: Aggregate.resolve(() => Stock, ({ facts }) => facts.left > 0 ? [] : [{ _tag: "Closed" }]),
  Close: ({ command, state }) => {
    same<typeof command, void>()
    return state.open ? Effect.succeed([{ _tag: "Closed" }]) : []
  }
})
same<
  typeof resolving,
  Layer.Layer<Aggregate.Handler<"Account">, never, EventStore.EventStore | "Rates" | "Stock">
>()

// a handler may stand by itself
type Handlers = Parameters<typeof Account.toLayer>[0]
const close: Handlers["Close"] = ({ state }) => state.open ? [{ _tag: "Closed" }] : []
const split = Account.toLayer({ ...handlers, Close: close })
same<typeof split, typeof plain>()

// over rpc: the middleware of a command stays, and its error is the client's
class Denied extends Schema.TaggedError<Denied>()("Denied", {}) {}
class Authenticated extends RpcMiddleware.Service<Authenticated>()("test/Authenticated", { error: Denied }) {}
const Door = Aggregate.make("Door", {
  state: Schema.Boolean,
  initial: false,
  events: { Opened: {} },
  commands: [Rpc.make("Open").middleware(Authenticated)],
  evolve: { Opened: () => true }
})
const opened = Effect.flatMap(Door.client, (door) => door("front").Open())
same<typeof opened, Effect.Effect<Aggregate.Receipt, Failure | Denied, Aggregate.Handler<"Door">>>()
const served = Server.layer(AggregateRpc.group(Door)).pipe(Layer.provide(AggregateRpc.layerHandlers(Door)))
same<
  typeof served,
  Layer.Layer<never, never, RpcServer.Protocol | Authenticated | Aggregate.Handler<"Door">>
>()
const called = Effect.provide(opened, AggregateRpc.layerClient(Door))
same<typeof called, Effect.Effect<Aggregate.Receipt, Failure | Denied, RpcClient.Protocol>>()

// scenarios
const scenario = Scenario.given(Account, { _tag: "Opened", owner: "ann" }).when("Withdraw", { amount: 5 })
same<Parameters<typeof scenario.thenFails>[0], Failure | InsufficientFunds>()
same<Parameters<typeof scenario.thenState>[0], State>()
same<typeof scenario.then, (...events: ReadonlyArray<Events>) => Scenario.Test<"Account">>()
const tested = scenario.then()
same<Effect.Services<typeof tested>, Aggregate.Handler<"Account"> | EventStore.EventStore>()

// repositories
type Refused = DocumentStoreError.DocumentStoreError
type Documents = DocumentStore.DocumentStore
same<Repository.Value<typeof Orders>, Order>()
const got = Orders.get("o-1")
same<typeof got, Effect.Effect<Option.Option<Repository.Document<Order>>, Refused, Documents>>()
const asked = Orders.find({ where: { customer: "ann" } })
same<typeof asked, Effect.Effect<ReadonlyArray<Repository.Document<Order>>, Refused, Documents>>()
const streamed = Orders.stream()
same<typeof streamed, Stream.Stream<Repository.Document<Order>, Refused, Documents>>()
const saved = [Orders.save("o-1", order), Repository.transaction([Orders.write.save("o-1", order)])] as const
same<(typeof saved)[0], Repository.Change<number>>()
same<(typeof saved)[1], Effect.Effect<ReadonlyArray<number>, Refused, Documents>>()
const updated = Orders.update(
  "o-1",
  (value) => value.total > 5 ? { ...value, total: 5 } : Effect.fail("small" as const)
)
same<typeof updated, Effect.Effect<Option.Option<Repository.Updated<Order>>, Refused | "small", Documents>>()
interface Row {
  readonly a: string
  readonly b: bigint
  readonly c: Date | null
  readonly d: ReadonlyArray<string>
}
type Kept = "$id" | "$version" | "$createdAt" | "$updatedAt"
same<Repository.Sortable<Row, Row>, "a" | "c" | Kept>()
same<Repository.Indexable<Row, Row>, "a" | "b" | "c" | Kept>()
