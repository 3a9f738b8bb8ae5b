/** A process that moves amounts between documents of one SQLite file, for `documentsProcesses.test.ts`. */
import * as Sqlite from "dunnock/sqlite"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Put, StoredDocument } from "../../../src/repository/DocumentStore.ts"
import { child } from "../../faults/Process.ts"
import { type Account, accounts, type Job, journal } from "./documentsJob.ts"

const put = (
  collection: Put["collection"],
  id: string,
  before: StoredDocument | undefined,
  data: object
): Put => ({
  op: "put",
  collection,
  id,
  expected: before?.version ?? 0,
  data: JSON.stringify(data),
  position: 0,
  expiresAt: undefined
})

const amountOf = (document: StoredDocument | undefined): number =>
  document === undefined ? 0 : (JSON.parse(document.data) as Account).amount

/** Moves 1 from one account to another and counts it, all in one commit; says the count when that is acknowledged. */
await child<Job>(({ accounts: count, filename, moves, name }, { say }) =>
  Effect.gen(function* () {
    const { documents } = yield* Sqlite.make({ filename, synchronous: "NORMAL", busyTimeout: "20 seconds" })
    const move = (from: string, to: string) =>
      Effect.gen(function* () {
        const [[source, target], [own]] = [
          yield* documents.get(accounts, [from, to]),
          yield* documents.get(journal, [name])
        ]
        const counted = amountOf(own) + 1
        const written = yield* Effect.result(documents.commit([
          put(accounts, from, source, { amount: amountOf(source) - 1 }),
          put(accounts, to, target, { amount: amountOf(target) + 1 }),
          put(journal, name, own, { amount: counted })
        ]))
        if (Result.isSuccess(written)) return yield* say(counted)
        if (written.failure.reason._tag !== "VersionConflict") return yield* Effect.die(written.failure)
        yield* say("conflict")
        return yield* Effect.yieldNow
      })
    for (let n = 0; n < moves; n++) {
      const from = Math.floor(Math.random() * count)
      yield* move(`account-${from}`, `account-${(from + 1 + n % (count - 1)) % count}`)
    }
  })
)
