// What must not compile, each with the words of the compiler's message that tell a person what to do. That it does not
// compile is checked by tsc; that it says so, by messages.test.ts. The parts of a message are separated by " … ".
import { Aggregate, AggregateRpc, Event, Repository } from "dunnock"
import * as Memory from "dunnock/memory"
import { Scenario } from "dunnock/testing"
import { Context, Effect, type Layer, Schema } from "effect"
import { Rpc, RpcServer } from "effect/rpc"
import { Account, handlers, InsufficientFunds } from "../command/fixture.ts"
import { Order, order, Orders } from "../repository/fixture.ts"

class Frozen extends Schema.TaggedError<Frozen>()("Frozen", {}) {}
interface Rates {
  readonly today: Effect.Effect<number>
}
const Rates = Context.Service<Rates, Rates>("test/Rates")

declare const account: Effect.Success<typeof Account.client>
const { Close, Deposit, Open, Withdraw } = handlers

export const commands = {
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  wrongPayload: account("a").Deposit({ amount: "5" }),
  // @ts-expect-error Property 'amount' is missing in type '{}' … '{ readonly amount: number; }'
  emptyPayload: account("a").Deposit({}),
  // @ts-expect-error Expected 1-2 arguments, but got 0
  noPayload: account("a").Deposit(),
  // @ts-expect-error 'currency' does not exist in type '{ readonly amount: number; }'
  excessPayload: account("a").Deposit({ amount: 5, currency: "EUR" }),
  // @ts-expect-error not assignable to parameter of type 'void'
  needlessPayload: account("a").Close({ now: true }),
  // @ts-expect-error Property 'Destroy' does not exist on type
  unknownCommand: account("a").Destroy(),
  // @ts-expect-error Property 'deposit' does not exist on type … Did you mean 'Deposit'?
  misspeltCommand: account("a").deposit({ amount: 5 }),
  // @ts-expect-error Argument of type 'number' is not assignable to parameter of type 'string'
  wrongId: account(7),
  // @ts-expect-error 'idempotencykey' does not exist in type 'CommandOptions'. Did you mean to write 'idempotencyKey'?
  misspeltOption: account("a").Deposit({ amount: 5 }, { idempotencykey: "k" })
}

export const undeclared = Effect.gen(function* () {
  const client = yield* Account.client
  yield* client("a").Deposit({ amount: 5 }).pipe(
    // @ts-expect-error '"InsufficientFunds"' is not assignable to … "AggregateError" | "EventStoreError"
    Effect.catchTag("InsufficientFunds", () => Effect.void)
  )
})

export const layers = {
  // @ts-expect-error Property 'Withdraw' is missing in type … but required in type 'Handlers<
  missingHandler: Account.toLayer({ Open, Deposit, Close }),
  // @ts-expect-error "there is no such command"
  unknownCommand: Account.toLayer({ Open, Deposit, Withdraw, Close, Destroy: () => [] }),
  unknownEvent: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type '"Lost"' is not assignable to type … "Deposited"
    Deposit: () => [{ _tag: "Lost" }]
  }),
  wrongField: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    Deposit: () => [{ _tag: "Deposited", amount: "5" }]
  }),
  missingField: Account.toLayer({
    ...handlers,
    // @ts-expect-error Property 'amount' is missing in type '{ _tag: "Deposited"; }'
    Deposit: () => [{ _tag: "Deposited" }]
  }),
  misspeltField: Account.toLayer({
    ...handlers,
    // @ts-expect-error 'amout' does not exist in type '{ readonly _tag: "Deposited"; … Did you mean to write 'amount'?
    Deposit: ({ command }) => [{ _tag: "Deposited", amout: command.amount }]
  }),
  unknownInPayload: Account.toLayer({
    ...handlers,
    // @ts-expect-error Property 'sum' does not exist on type '{ readonly amount: number; }'
    Deposit: ({ command }) => [{ _tag: "Deposited", amount: command.sum }]
  }),
  unknownInState: Account.toLayer({
    ...handlers,
    // @ts-expect-error Property 'owner' does not exist on type '{ readonly balance: number; readonly open: boolean; }'
    Open: ({ state }) => state.owner === "ann" ? [] : [{ _tag: "Opened", owner: "ann" }]
  }),
  notInAList: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type '{ _tag: string; amount: number; }' is not assignable to type 'Decision<
    Deposit: () => ({ _tag: "Deposited", amount: 5 })
  }),
  promise: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type 'Promise<never[]>' is not assignable to type 'Decision<
    Deposit: async () => []
  }),
  undeclaredError: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type 'Frozen' is not assignable to type 'never'
    Deposit: () => Effect.fail(new Frozen())
  }),
  otherError: Account.toLayer({
    ...handlers,
    // @ts-expect-error missing in type 'Frozen' but required in type 'InsufficientFunds'
    Withdraw: ({ state }) => state.open ? [] : Effect.fail(new Frozen())
  }),
  decideInTheWorld: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type 'Rates' is not assignable to type 'never'
    Deposit: () => Effect.map(Rates, () => [])
  }),
  resolveUndeclaredError: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type 'Frozen' is not assignable to type 'never'
    Deposit: Aggregate.resolve(() => Effect.fail(new Frozen()), () => [])
  }),
  resolveThenUnknownEvent: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type '"Lost"' is not assignable to type
    Deposit: Aggregate.resolve(() => Effect.succeed(1), ({ facts }) => [{ _tag: "Lost", amount: facts }])
  }),
  wrongFacts: Account.toLayer({
    ...handlers,
    Deposit: Aggregate.resolve(
      () => Effect.succeed({ rate: 2 }),
      // @ts-expect-error Property 'price' does not exist on type '{ rate: number; }'
      ({ facts }) => [{ _tag: "Deposited", amount: facts.price }]
    )
  }),
  decideInTheWorldAfterResolve: Account.toLayer({
    ...handlers,
    // @ts-expect-error Type 'Rates' is not assignable to type 'never'
    Deposit: Aggregate.resolve(() => Effect.succeed(1), () => Effect.map(Rates, () => []))
  }),
  // @ts-expect-error 'caches' does not exist in type 'LayerOptions'. Did you mean to write 'cache'?
  misspeltOption: Account.toLayer(handlers, { caches: 5 })
}

const base = {
  state: Schema.Struct({ total: Schema.Number }),
  initial: { total: 0 },
  events: { Started: {}, Added: { n: Schema.Number } },
  commands: [Rpc.make("Go")]
}
const evolve = { Started: (state: { readonly total: number }) => state, Added: () => ({ total: 1 }) }

export const definitions = {
  // @ts-expect-error Property 'Added' is missing in type … Started:
  eventWithoutFold: Aggregate.make("A", { ...base, evolve: { Started: (state) => state } }),
  foldOfUnknownEvent: Aggregate.make("A", {
    ...base,
    // @ts-expect-error 'Stopped' does not exist in type … Started: (state:
    evolve: { Started: (state) => state, Added: (state) => state, Stopped: (state) => state }
  }),
  foldOfUnknownField: Aggregate.make("A", {
    ...base,
    // @ts-expect-error Property 'm' does not exist on type '{ readonly _tag: "Added"; readonly n: number; }'
    evolve: { Started: (state) => state, Added: ({ total }, { m }) => ({ total: total + m }) }
  }),
  foldIntoSomethingElse: Aggregate.make("A", {
    ...base,
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    evolve: { Started: (state) => state, Added: () => ({ total: "1" }) }
  }),
  // @ts-expect-error Property 'total' is missing in type '{}' but required in type '{ readonly total: number; }'
  wrongInitial: Aggregate.make("A", { ...base, initial: {}, evolve }),
  commandWithSuccess: Aggregate.make("A", {
    ...base,
    // @ts-expect-error 'Rpc<"Go", Void, String, … is not assignable to type 'Command' … 'successSchema'
    commands: [Rpc.make("Go", { success: Schema.String })],
    evolve
  }),
  commandWithStream: Aggregate.make("A", {
    ...base,
    // @ts-expect-error 'Rpc<"Go", Void, Stream< … is not assignable to type 'Command' … successSchema
    commands: [Rpc.make("Go", { stream: true })],
    evolve
  }),
  // @ts-expect-error Type 'string' is not assignable to type 'Command'
  commandThatIsAName: Aggregate.make("A", { ...base, commands: ["Go"], evolve }),
  // @ts-expect-error Type 'NumberConstructor' is missing the following properties
  fieldThatIsNoSchema: Event.make({ n: Number }),
  // @ts-expect-error Property 'every' is missing in type '{}'
  snapshotsOfNothing: Aggregate.make("A", { ...base, evolve, snapshots: {} })
}

const program = Effect.flatMap(Account.client, (account) => account("a").Close())
const priced = Account.toLayer({
  ...handlers,
  Deposit: Aggregate.resolve(() => Rates.use(({ today }) => today), () => [])
})

export const missing = [
  // @ts-expect-error Type 'Handler<"Account">' is not assignable to type 'never'
  Effect.runPromise(Effect.provide(program, Memory.layer)),
  // @ts-expect-error Type 'EventStore' is not assignable to type 'never'
  Effect.runPromise(Effect.provide(program, Account.toLayer(handlers))),
  // @ts-expect-error Type 'EventStore' is not assignable to type 'never'
  Effect.runPromise(Account.state("a")),
  // @ts-expect-error Type 'Rates' is not assignable to type 'never'
  Effect.runPromise(program.pipe(Effect.provide(priced), Effect.provide(Memory.layer)))
]
// @ts-expect-error Handler<"Account.Deposit"> … Protocol
export const missingServer: Layer.Layer<never> = RpcServer.layer(AggregateRpc.group(Account))

const given = Scenario.given(Account)
export const scenarios = [
  // @ts-expect-error Type '"Lost"' is not assignable to type … "Deposited"
  Scenario.given(Account, { _tag: "Lost" }),
  // @ts-expect-error '"Destroy"' is not assignable to parameter of type … "Deposit"
  given.when("Destroy"),
  // @ts-expect-error Expected 2 arguments, but got 1
  given.when("Deposit"),
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  given.when("Deposit", { amount: "1" }),
  // @ts-expect-error Property 'amount' is missing in type '{ _tag: "Deposited"; }'
  given.when("Deposit", { amount: 1 }).then({ _tag: "Deposited" }),
  // @ts-expect-error Property 'open' is missing in type '{ balance: number; }'
  given.when("Deposit", { amount: 1 }).thenState({ balance: 1 }),
  // @ts-expect-error Argument of type 'InsufficientFunds' is not assignable to … 'AggregateError | EventStoreError'
  given.when("Deposit", { amount: 1 }).thenFails(new InsufficientFunds({ balance: 1 }))
]

export const conditions = {
  // @ts-expect-error 'custmer' does not exist in type 'Where< … Did you mean to write 'customer'?
  misspeltField: Orders.find({ where: { custmer: "ann" } }),
  // @ts-expect-error 'custmer' does not exist in type 'Where< … Did you mean to write 'customer'?
  misspeltWithin: Orders.count({ where: { $or: [{ custmer: "ann" }] } }),
  // @ts-expect-error '$created' does not exist in type 'Where< … Did you mean to write '$createdAt'?
  misspeltKept: Orders.exists({ where: { $created: 5 } }),
  // @ts-expect-error Type 'string' is not assignable to type 'number | Ordered<number> | undefined'
  textForNumber: Orders.find({ where: { total: "100" } }),
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  textForNumberInOperator: Orders.find({ where: { total: { gte: "100" } } }),
  // @ts-expect-error Type 'string' is not assignable to type 'boolean | Ordered<boolean> | undefined'
  textForBoolean: Orders.find({ where: { gift: "yes" } }),
  // @ts-expect-error Type 'string' is not assignable to type 'Date | Ordered<Date> | undefined'
  textForDate: Orders.find({ where: { paidAt: "2026-01-01" } }),
  // @ts-expect-error Type 'string' is not assignable to type … Brand<"OrderId">
  textForBrand: Orders.find({ where: { parent: "o-1" } }),
  // @ts-expect-error Type 'null' is not assignable to type 'string | Text<string> | undefined'
  nullForText: Orders.find({ where: { note: null } }),
  // @ts-expect-error Type '"lost"' is not assignable to type '"open" | "paid" | "sent"
  unknownLiteral: Orders.find({ where: { status: "lost" } }),
  // @ts-expect-error Type '"lost"' is not assignable to type '"open" | "paid" | "sent"'
  unknownLiteralInList: Orders.find({ where: { status: { in: ["paid", "lost"] } } }),
  // @ts-expect-error 'equals' does not exist in type 'Text<string>'
  unknownOperator: Orders.find({ where: { customer: { equals: "ann" } } }),
  // @ts-expect-error 'like' does not exist in type 'Ordered<number>'
  patternForNumber: Orders.find({ where: { total: { like: "1%" } } }),
  // @ts-expect-error 'gt' does not exist in type 'Equal<bigint>'
  orderOfUnordered: Orders.find({ where: { points: { gt: 5n } } }),
  // @ts-expect-error 'lt' does not exist in type 'Equal<number>'
  orderOfNumberStoredAsText: Orders.find({ where: { code: { lt: 5 } } }),
  // @ts-expect-error 'eq' does not exist in type 'Nullable'
  equalityOfList: Orders.find({ where: { lines: { eq: [] } } }),
  // @ts-expect-error 'lines' does not exist in type 'Sort<
  sortByList: Orders.find({ sort: { lines: "asc" } }),
  // @ts-expect-error Type '"up"' is not assignable to type '"asc" | "desc" | undefined'
  unknownDirection: Orders.find({ sort: { total: "up" } }),
  // @ts-expect-error 'were' does not exist in type 'Selection< … Did you mean to write 'where'?
  misspeltWhere: Orders.find({ were: { total: 5 } }),
  // @ts-expect-error Property 'limit' is missing
  pageWithoutLimit: Orders.page({ where: { total: 5 } })
}

export const documents = {
  // @ts-expect-error is missing the following properties
  missingFields: Orders.save("o-1", { customer: "ann" }),
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  wrongField: Orders.save("o-1", { ...order, total: "5" }),
  // @ts-expect-error Argument of type 'number' is not assignable to parameter of type 'string'
  wrongId: Orders.save(1, order),
  // @ts-expect-error 'expect' does not exist in type 'SaveOptions'. Did you mean to write 'expected'?
  misspeltOption: Orders.save("o-1", order, { expect: 5 }),
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  wrongUpdate: Orders.update("o-1", (before) => ({ ...before, total: "5" })),
  // @ts-expect-error Type 'Change<number>' is not assignable to type 'Write'
  effectForWrite: Repository.transaction([Orders.save("o-1", order)]),
  // @ts-expect-error Type '"custmer"' is not assignable to type 'Indexable< … Did you mean '"customer"'?
  misspeltIndex: Repository.make("orders", { schema: Order, indexes: ["custmer"] }),
  // @ts-expect-error Type '"lines"' is not assignable to type 'Indexable<
  indexOnList: Repository.make("orders", { schema: Order, indexes: ["lines"] }),
  // @ts-expect-error Type 'DocumentStore' is not assignable to type 'never'
  noStore: Effect.runPromise(Orders.get("o-1"))
}
