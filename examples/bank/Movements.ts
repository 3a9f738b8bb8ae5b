/**
 * Account movements from a file: each row is carried out as a command, once.
 */
import { Effect, Schema, Stream } from "effect"
import { Csv } from "effect/encoding"
import { readFile } from "node:fs/promises"
import { Account, Amount, type Line, statement } from "./Account.ts"

export const Movement = Schema.Struct({
  date: Schema.String,
  account: Schema.String,
  kind: Schema.Literals(["deposit", "withdrawal"]),
  /** In cents. */
  amount: Amount,
  /** No two rows have the same. */
  reference: Schema.String,
  /** What must be in the account after this row, in cents. */
  checksum: Schema.Int
})
export type Movement = typeof Movement.Type

/** What became of a row: a line of the account's statement, or nothing if it was refused. */
export interface Booking {
  readonly movement: Movement
  readonly line: Line | undefined
}

export class UnreadableFile extends Schema.TaggedError<UnreadableFile>()("UnreadableFile", {
  file: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.file} cannot be read: ${this.problem}`
  }
}

/** Reads the movements in a CSV file. */
export const readMovements = (file: URL) =>
  Stream.fromEffect(
    Effect.tryPromise({ try: () => readFile(file, "utf8"), catch: (cause) => cause as Error })
  ).pipe(
    Stream.pipeThroughChannel(Csv.decodeSchemaString(Movement)({ headers: true })),
    Stream.runCollect,
    // The problem with a row is followed by its number, the header being 1, and the column.
    Effect.mapError(({ message }) => new UnreadableFile({ file: file.pathname, problem: message }))
  )

/** Carries out a row. Its reference is the key, so that a row that was imported before is not booked again. */
const carryOut = Effect.fnUntraced(function* ({ account, amount, kind, reference }: Movement) {
  const { Deposit, Withdraw } = (yield* Account.client)(account)
  const command = kind === "deposit" ? Deposit : Withdraw
  return yield* command({ amount }, { idempotencyKey: reference })
}, Effect.catchTag("InsufficientFunds", () => Effect.succeed(undefined)))

const importAccount = Effect.fnUntraced(function* (id: string, movements: ReadonlyArray<Movement>) {
  yield* (yield* Account.client)(id).Open({ owner: `customer ${id}` })
  const receipts = yield* Effect.forEach(movements, carryOut)
  const lines = yield* statement(id)
  return movements.map((movement, i): Booking => {
    const receipt = receipts[i]
    return { movement, line: receipt && lines[receipt.revision - 1] }
  })
})

/**
 * Carries out all rows, those of one account in their order, and gives the bookings of each account. The accounts run
 * side by side, because the store writes what they append in the same moment at the price of one.
 */
export const importMovements = (movements: ReadonlyArray<Movement>) =>
  Effect.forEach(
    Map.groupBy(movements, ({ account }) => account),
    ([id, rows]) => importAccount(id, rows),
    { concurrency: "unbounded" }
  )
