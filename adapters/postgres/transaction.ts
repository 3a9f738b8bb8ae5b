// Statements that begin and end transactions.
import type { Statement } from "../sql/EventLog.ts"

/** How long a statement waits for a lock that another one holds, in milliseconds. */
export const lockTimeout = 10_000

/** How long a transaction may be left open with nothing asked of it, since its client is paused or gone. */
export const idleTimeout = 5_000

/** Each statement sees what was committed before it, so one behind a lock sees what was done under the lock before. */
export const begin: Statement = ["begin isolation level read committed", []]

/**
 * What a session of our own begins with; it gives the process of the server that works for it. Not told when connecting,
 * where a pool in between would refuse it.
 */
export const session = (searchPath: string | undefined): Statement => [
  `select pg_backend_pid()::float8,
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('lock_timeout', '${lockTimeout}', false),
    set_config('idle_in_transaction_session_timeout', '${idleTimeout}', false)
    ${searchPath === undefined ? "" : ", set_config('search_path', $1, false)"}`,
  searchPath === undefined ? [] : [searchPath]
]

/** The limits of a session of our own, for the transaction of somebody else's. */
export const limits: Statement = [
  `select set_config('lock_timeout', '${lockTimeout}', true),
    set_config('idle_in_transaction_session_timeout', '${idleTimeout}', true)`,
  []
]

export const commit: Statement = ["commit", []]

export const rollback: Statement = ["rollback", []]
