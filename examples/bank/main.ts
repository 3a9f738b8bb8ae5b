/**
 * A small bank that keeps its accounts in one file. Run it again and it carries on. Kill it at any moment and run it
 * again: it finishes what it had begun, and does nothing twice.
 *
 *     bun examples/bank/main.ts [file, or else bank.db]
 */
import { EventStore } from "dunnock"
import * as Sqlite from "dunnock/sqlite"
import { Console, Effect, Layer } from "effect"
import process from "node:process"
import { Account, AccountLive, inEuros, statement } from "./Account.ts"
import { importMovements, readMovements } from "./Movements.ts"
import { reconcile } from "./Reconciliation.ts"

const filename = process.argv[2] ?? "bank.db"

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, number) => total + number, 0)

const title = (text: string) => Console.log(`\n${text}\n`)

/** Text in columns: the first to the left, the others to the right. */
const table = (rows: ReadonlyArray<ReadonlyArray<string | number>>) => {
  const cells = rows.map((row) => row.map(String))
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
  return Console.log(cells.map((row) => `  ${row.map(pad).join("  ")}`).join("\n"))
}

/**
 * Moves money from one account to another. Each half has the key of the transfer and so happens once: when the program
 * was killed between the two, the same transfer finds the first half done and does the second.
 */
const transfer = Effect.fnUntraced(function* (from: string, to: string, amount: number, key: string) {
  const account = yield* Account.client
  const paid = yield* account(from).Withdraw({ amount }, { idempotencyKey: key })
  yield* account(to).Deposit({ amount }, { idempotencyKey: key })
  return paid
})

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const account = yield* Account.client

  const before = yield* store.head
  yield* Console.log(before === 0 ? `${filename} is new` : `${filename} carries on after event ${before}`)

  yield* title("Ann and Ben open accounts, pay in and draw out")
  // None of this may happen twice when the program runs again. Open looks at the state: an open account stays open.
  yield* account("ann").Open({ owner: "Ann" })
  yield* account("ben").Open({ owner: "Ben" })
  // Deposits and withdrawals have a key: a command runs once under its key, and a repeat is given the first receipt.
  yield* account("ann").Deposit({ amount: 1_500_00 }, { idempotencyKey: "wages" })
  yield* account("ben").Deposit({ amount: 20_00 }, { idempotencyKey: "gift" })
  const cash = yield* account("ann").Withdraw({ amount: 100_00 }, { idempotencyKey: "cash" })
  yield* Console.log(`  cash: revision ${cash.revision} of ${cash.stream}`)

  // Time is counted in milliseconds, and the rent is to come later than the cash.
  yield* Effect.sleep("5 millis")

  yield* title("Ann pays Ben the rent, and Ben wants to pay Ann more than he has")
  const rent = yield* transfer("ann", "ben", 650_00, "rent")
  yield* Console.log(`  rent: revision ${rent.revision} of ${rent.stream}`)
  yield* transfer("ben", "ann", 5_000_00, "car").pipe(
    Effect.catchTag("InsufficientFunds", (refusal) => Console.log(`  car: refused, ${refusal.message}`))
  )

  yield* title("Ann's account, replayed from its events")
  const lines = yield* statement("ann")
  yield* table([
    ["event", "revision", "change", "balance"],
    ...lines.map((line) => [line.event, line.revision, inEuros(line.change), inEuros(line.balance)])
  ])
  const now = yield* Account.state("ann")
  yield* Console.log(`  ${now.state.balance === lines.at(-1)?.balance ? "the same as" : "NOT"} its state`)

  yield* title("Ann's balance as it was")
  const atFirst = yield* Account.state("ann", { atRevision: 2 })
  const beforeRent = yield* Account.state("ann", { atTime: lines[rent.revision - 1]!.recordedAt - 1 })
  yield* table([
    ["at revision 2", inEuros(atFirst.state.balance)],
    ["just before the rent", inEuros(beforeRent.state.balance)],
    ["now", inEuros(now.state.balance)]
  ])

  yield* title("The accounts of another bank, taken over from its movements.csv")
  const movements = yield* readMovements(new URL("movements.csv", import.meta.url))
  const newest = yield* store.head
  const imported = yield* importMovements(movements)
  // Positions grow along the log: what stands after the newest event of before was written by this run.
  const written = imported.flat().filter(({ line }) => line !== undefined && line.position > newest)
  const problems = imported.flatMap(reconcile)
  yield* table([
    ["movements", movements.length],
    ["of them new", written.length],
    ["not as in the file", problems.length]
  ])
  yield* Effect.forEach(problems, (problem) => Console.log(`  ${problem}`))

  yield* title("All accounts")
  const ids = ["ann", "ben", ...imported.map(([first]) => first!.movement.account).toSorted()]
  const states = yield* Effect.forEach(ids, (id) => Account.state(id))
  const events = sum(states.map(({ revision }) => revision))
  const money = sum(states.map(({ state }) => state.balance))
  yield* table([
    ["account", "events", "balance"],
    ...states.map(({ revision, state }, i) => [ids[i]!, revision, inEuros(state.balance)]),
    ["total", events, inEuros(money)]
  ])
})

// What the program needs is given to it here: with another layer its events are kept in another store.
const BankLive = Layer.provideMerge(AccountLive, Sqlite.layer({ filename }))

await Effect.runPromise(
  Effect.provide(program, BankLive).pipe(
    // Whatever goes wrong, its message is a sentence that says what and where.
    Effect.catch((error) =>
      Effect.andThen(Console.error(error.message), Effect.sync(() => process.exitCode = 1))
    )
  )
)
