/**
 * A small shop: orders are placed, paid, shipped and cancelled, and three read models are made of what happens. Then one
 * of the read models is rebuilt while orders keep coming. Run it again and it carries on.
 *
 *     bun examples/orders/main.ts [file, or else orders.db]
 */
import { EventStore } from "dunnock"
import * as Sqlite from "dunnock/sqlite"
import { Console, Effect, Fiber, Layer, Stream } from "effect"
import process from "node:process"
import { drawProgress } from "./ProgressBar.ts"
import { Order, OrderLive } from "./Order.ts"
import { CustomerHistory, OrderView, StockIndex } from "./ReadModels.ts"
import { trade } from "./Trade.ts"

const filename = process.argv[2] ?? "orders.db"

// Where all of it is kept. With this line instead, and the import of "dunnock/postgres", it is PostgreSQL:
// const StoreLive = Postgres.layer({ url: "postgres://me:secret@localhost/shop" })
const StoreLive = Sqlite.layer({ filename })

const title = (text: string) => Console.log(`\n${text}\n`)
const inEuros = (cents: number) => (cents / 100).toFixed(2)

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const orders = yield* OrderView.queries
  const customers = yield* CustomerHistory.queries
  const stock = yield* StockIndex.queries

  yield* title("A thousand orders")
  const receipts = yield* trade(1, 1_000)
  yield* Console.log(`  the log has ${yield* store.head} events`)
  // Commands return when their events are in the log; the read models follow. Wait, and you read what you wrote.
  yield* Effect.all([OrderView, CustomerHistory, StockIndex].map((model) => model.waitFor(receipts)))
  for (const status of ["placed", "paid", "shipped", "cancelled"] as const) {
    yield* Console.log(
      `  ${status.padEnd(10)}${String(yield* orders.count({ where: { status } })).padStart(4)}`
    )
  }

  yield* title("The largest of them that were cancelled")
  const largest = yield* orders.page({
    where: { status: "cancelled", total: { gte: 100_00 } },
    sort: { total: "desc" },
    limit: 3
  })
  for (const { id, value } of largest.documents) {
    yield* Console.log(
      `  ${id.padEnd(10)}${value.customer.padEnd(6)}${inEuros(value.total).padStart(8)}  ${value.reason}`
    )
  }
  yield* Console.log(`  these are ${largest.documents.length} of ${largest.total}`)

  yield* title("Ann's history")
  const { value: ann } = yield* Effect.fromOption(yield* customers.get("ann"))
  yield* Console.log(
    `  ${ann.orders} orders, ${ann.cancelled} cancelled, spent ${inEuros(ann.spent)}`
  )
  yield* Console.log(`  what happened in them: ${ann.history.length} times something`)

  yield* title("The stock")
  const products = yield* stock.find({ sort: { $id: "asc" } })
  for (const { id, value } of products) {
    yield* Console.log(
      `  ${id.padEnd(8)}${`${value.reserved} reserved`.padStart(14)}${
        `${value.shipped} shipped`.padStart(14)
      }`
    )
  }

  yield* title("The order view is rebuilt while orders keep coming")
  const coming = yield* Effect.forkChild(trade(1_001, 1_500))
  yield* drawProgress(OrderView.rebuild)
  const more = yield* Fiber.join(coming)
  yield* OrderView.waitFor(more)
  yield* Console.log(`  ${yield* orders.count()} orders`)

  yield* title("Is it right?")
  const wrong = yield* Stream.runFoldEffect(
    orders.stream(),
    () => 0,
    (wrong, { id, value }) =>
      Effect.map(Order.state(id), ({ state }) => state.status === value.status ? wrong : wrong + 1)
  )
  yield* Console.log(
    wrong === 0 ? "  every order in the view is as its events say" : `  ${wrong} orders differ`
  )
})

const ShopLive = Layer.mergeAll(OrderLive, OrderView.layer, CustomerHistory.layer, StockIndex.layer).pipe(
  Layer.provideMerge(StoreLive)
)

await Effect.runPromise(
  Effect.provide(program, ShopLive).pipe(
    Effect.catch((error) =>
      Effect.andThen(Console.error(error.message), Effect.sync(() => process.exitCode = 1))
    )
  )
)
