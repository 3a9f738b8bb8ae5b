// What an error of PostgreSQL means for the stores.
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import {
  CannotOpen,
  EventStoreError,
  InvalidInput,
  OutcomeUnknown,
  Unavailable
} from "../../src/event/EventStoreError.ts"
import { notAsExpected } from "./schema.ts"

/** An error of the database, as a reason that every store has. */
export type Failure = CannotOpen | InvalidInput | OutcomeUnknown | Unavailable

/** What was under way: nothing that could have been kept, or something that may have been. */
export type Phase = "open" | "read" | "commit"

/** An error of the database, and what was under way. */
export class DatabaseError {
  readonly _tag = "DatabaseError"
  readonly error: SqlError
  readonly phase: Phase

  constructor(error: SqlError, phase: Phase) {
    this.error = error
    this.phase = phase
  }
}

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

/** Whether what answered is no PostgreSQL. */
const isForeign = ({ reason }: SqlError): boolean =>
  reason.operation === "connect" && /parse|desync|SSLRequest/.test(reason.message ?? "")

/** What the database, or the system, says of it. */
export const problemOf = (error: SqlError): string => {
  const { errors, message } = fieldsOf(error)
  // Where a name has several addresses, each of them was tried.
  const first = errors?.[0]
  const said = first instanceof Error ? first.message : message
  const problem = said === undefined || said === "" ? error.reason.message ?? error.message : said
  return isForeign(error) ? `what answers there is not PostgreSQL (${problem})` : problem
}

/** Whether a connection may come about when it is tried again: it was refused, or nobody answered. */
const isPassing = (error: SqlError): boolean => {
  const { code, message = "" } = fieldsOf(error)
  return code === undefined ? /timed out|closed/.test(message) : /^E(?!RR_)[A-Z_]+$/.test(code)
}

/** Whether a pool in between, such as pgbouncer, does not take what the client says of itself when it connects. */
const isRefused = (error: SqlError): boolean => problemOf(error).startsWith("unsupported startup parameter")

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
    _tag === "SqlSyntaxError" && !unusable.test(sqlState(error) ?? "") ||
    (error.reason.message ?? "").includes("encode")
}

/** Whether others were at the same documents, nothing was kept, and trying again helps. */
export const isContended = ({ error }: DatabaseError): boolean => {
  const code = sqlState(error)
  return code === notAsExpected || code === "40P01"
}

/** Whether the table of a collection is not there. */
export const isMissing = ({ error }: DatabaseError): boolean =>
  sqlState(error) === "42P01" && problemOf(error).includes("dunnock_doc_")

/** What PostgreSQL says of what is no JSON, or is nested too deep for it. */
const noJson: ReadonlySet<string> = new Set(["22P02", "22P05", "54001"])

/** What an error means for a store of this name. */
export const toFailure = (store: string, { error, phase }: DatabaseError): Failure => {
  const problem = problemOf(error)
  const fields = { store, problem, cause: error }
  const code = sqlState(error)
  if (phase === "open" && (code === undefined ? !isPassing(error) : isRefused(error))) {
    return new CannotOpen(fields)
  }
  if (code === undefined || isLost(error)) {
    return phase === "commit" ? new OutcomeUnknown(fields) : new Unavailable(fields)
  }
  if (noJson.has(code)) {
    return new InvalidInput({ at: "data", problem: `is not JSON, or is nested too deep: ${problem}` })
  }
  // After a failover the connections may lead to a server that only reads; it may become one that writes.
  const isUnusable = unusable.test(code) && (phase === "open" || code !== "25006")
  return isUnusable ? new CannotOpen(fields) : new Unavailable(fields)
}

/** Fails with the error that a store makes of what an error of the database means. */
export const failing =
  <F>(store: string, toError: (reason: Failure) => F) =>
  <A, E>(effect: Effect.Effect<A, E | DatabaseError>): Effect.Effect<A, Exclude<E, DatabaseError> | F> =>
    Effect.catch(
      effect,
      (error): Effect.Effect<never, Exclude<E, DatabaseError> | F> =>
        !(error instanceof DatabaseError)
          ? Effect.fail(error as Exclude<E, DatabaseError>)
          : isDefect(error.error)
          ? Effect.die(error.error)
          : Effect.fail(toError(toFailure(store, error)))
    )

/** The error of an event store. */
export const toEventStoreError = (reason: Failure): EventStoreError => new EventStoreError({ reason })
