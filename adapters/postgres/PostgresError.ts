// What an error of PostgreSQL means for the stores.
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { EventStoreError } from "../../src/event/EventStoreError.ts"
import { CannotOpen, OutcomeUnknown, Unavailable } from "../../src/event/EventStoreError.ts"

/** An error of the database, as a reason that every store has. */
export type Failure = CannotOpen | OutcomeUnknown | Unavailable

/** What was under way: nothing that could have been kept, or something that may have been. */
export type Phase = "open" | "read" | "commit"

interface Fields {
  readonly code?: string
  readonly severity?: string
  readonly message?: string
  readonly errors?: ReadonlyArray<unknown>
}

const fieldsOf = ({ reason }: SqlError): Fields =>
  typeof reason.cause === "object" && reason.cause !== null ? reason.cause : {}

/** The code of five characters that the server gave (SQLSTATE); undefined if the error is not of the server. */
export const sqlState = (error: SqlError): string | undefined => {
  const { code } = fieldsOf(error)
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** What the database, or the system, says of it. */
export const problemOf = (error: SqlError): string => {
  const { errors, message } = fieldsOf(error)
  // Where a name has several addresses, each of them was tried.
  const first = errors?.[0]
  const said = first instanceof Error ? first.message : message
  return said === undefined || said === "" ? error.reason.message ?? error.message : said
}

/** What the server says when it ends a session, whatever was asked of it. */
const ended: ReadonlySet<string> = new Set(["25P03", "25P04", "57P01", "57P02", "57P05"])

/** Whether the session is gone, and with it the answer. */
const isLost = (error: SqlError): boolean => {
  const code = sqlState(error)
  return code === undefined || code.startsWith("08") || ended.has(code)
}

/** Codes that say that the database is not what this program needs: it, or its tables, are missing or may not be used. */
const unusable = /^(?:28|3D|3F|42501|42P01|42883|0A|25006)/

/** A statement that is wrong is a mistake of this adapter: a defect. */
const isDefect = (error: SqlError): boolean => {
  const { _tag } = error.reason
  return _tag === "ConstraintError" || _tag === "UniqueViolation" ||
    _tag === "SqlSyntaxError" && !unusable.test(sqlState(error) ?? "")
}

/** What an error means. */
export const toFailure = (store: string, phase: Phase) => (error: SqlError): Failure => {
  const problem = problemOf(error)
  const fields = { store, problem, cause: error }
  const code = sqlState(error)
  if (code === undefined || isLost(error)) {
    return phase === "commit" ? new OutcomeUnknown(fields) : new Unavailable(fields)
  }
  // After a failover the connections may lead to a server that only reads; it may become one that writes.
  const isUnusable = unusable.test(code) && !(phase !== "open" && code === "25006")
  return isUnusable ? new CannotOpen(fields) : new Unavailable(fields)
}

/** Fails with what the error of the database means. */
export const failing =
  <F>(toError: (error: SqlError) => F) =>
  <A, E, R>(effect: Effect.Effect<A, E | SqlError, R>): Effect.Effect<A, Exclude<E, SqlError> | F, R> =>
    Effect.catchIf(
      effect,
      (error): error is Extract<E | SqlError, SqlError> => isSqlError(error),
      (error) => isDefect(error) ? Effect.die(error) : Effect.fail(toError(error))
    ) as Effect.Effect<A, Exclude<E, SqlError> | F, R>

const isSqlError = (error: unknown): error is SqlError =>
  typeof error === "object" && error !== null && (error as { readonly _tag?: unknown })._tag === "SqlError"

/** The error of an event store. */
export const toEventStoreError = (store: string, phase: Phase) => {
  const failure = toFailure(store, phase)
  return (error: SqlError): EventStoreError => new EventStoreError({ reason: failure(error) })
}
