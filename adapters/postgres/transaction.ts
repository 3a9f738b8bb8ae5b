// Statements that begin and end transactions.
import type { Statement } from "../sql/EventLog.ts"

/** How long a statement waits for a lock that another one holds, in milliseconds. */
export const lockTimeout = 10_000

/** How long a transaction may be left open with nothing asked of it, since its client is paused or gone. */
export const idleTimeout = 5_000

/** Each statement sees what was committed before it, so one behind a lock sees what was done under the lock before. */
export const begin: Statement = ["begin isolation level read committed", []]

/** What a session of our own has from its start, for the transaction of somebody else's. */
export const limits: Statement = [
  `select set_config('lock_timeout', '${lockTimeout}', true),
    set_config('idle_in_transaction_session_timeout', '${idleTimeout}', true)`,
  []
]

export const commit: Statement = ["commit", []]

export const rollback: Statement = ["rollback", []]
