/**
 * Turns what `node:sqlite` throws into Effect's `SqlError`, alike on every runtime.
 *
 * Node and Bun attach SQLite's result code to an error as `errcode`; Deno does so only for prepared statements,
 * so the message is read where the code is missing. And turns that into the reasons for which a store fails.
 */
import * as Effect from "effect/Effect"
import * as SqlError from "effect/sql/SqlError"
import { statSync } from "node:fs"
import { dirname } from "node:path"
import { CannotOpen, InvalidInput, OutcomeUnknown, Unavailable } from "../../src/event/EventStoreError.ts"

/** The SQLite result codes this adapter tells apart (https://sqlite.org/rescode.html). */
export const ResultCode = {
  error: 1,
  permission: 3,
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  constraint: 19,
  notADatabase: 26,
  busySnapshot: 517,
  readOnlyFolder: 1544,
  primaryKey: 1555,
  unique: 2067,
  rowId: 2579
} as const

const messages: ReadonlyArray<readonly [text: string, code: number]> = [
  ["database is locked", ResultCode.busy],
  ["table is locked", ResultCode.locked],
  ["schema is locked", ResultCode.locked],
  ["attempt to write a readonly database", ResultCode.readOnly],
  ["disk I/O error", ResultCode.ioError],
  ["malformed", ResultCode.corrupt],
  ["database or disk is full", ResultCode.full],
  ["unable to open database", ResultCode.cannotOpen],
  ["UNIQUE constraint failed", ResultCode.unique],
  ["constraint failed", ResultCode.constraint],
  ["file is not a database", ResultCode.notADatabase]
]

const textOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

/**
 * The extended SQLite result code behind an error (a `SqlError` or what a driver threw), such as 5 for busy or
 * 2067 for a unique index; `undefined` where SQLite was not the one to fail.
 */
export const resultCode = (error: unknown): number | undefined => {
  const cause = SqlError.isSqlError(error) ? error.reason.cause : error
  if (typeof cause !== "object" || cause === null) return undefined
  if ("errcode" in cause && typeof cause.errcode === "number") return cause.errcode
  const text = textOf(cause)
  return messages.find(([part]) => text.includes(part))?.[1]
}

/** Whether another connection held the lock, so that nothing was done and waiting may help. */
export const isBusy = (error: unknown): boolean => {
  const code = resultCode(error)
  return code !== undefined && (code & 0xff) === ResultCode.busy && code !== ResultCode.busySnapshot
}

type Operation = "open" | "prepare" | "execute" | "begin" | "commit"

/** What a runtime says of a database that was closed, or of a statement of one. */
const closed = /^database is not open|^statement has been finalized/

const reasonOf = (cause: unknown, message: string, operation: Operation): SqlError.SqlErrorReason => {
  const fields = { cause, message, operation }
  const code = resultCode(cause)
  switch (code) {
    case ResultCode.primaryKey:
    case ResultCode.rowId:
    case ResultCode.unique: {
      const constraint = textOf(cause).split("constraint failed: ")[1]?.trim() || "unknown"
      return new SqlError.UniqueViolation({ ...fields, constraint })
    }
    case ResultCode.busySnapshot:
      return new SqlError.SerializationError(fields)
    case ResultCode.error:
      return operation === "prepare" ? new SqlError.SqlSyntaxError(fields) : new SqlError.UnknownError(fields)
    case undefined:
      // Deno refuses what `--allow-read` and `--allow-write` do not cover.
      if (cause instanceof Error && cause.name === "NotCapable") {
        return new SqlError.AuthorizationError(fields)
      }
      return closed.test(textOf(cause))
        ? new SqlError.ConnectionError({ ...fields, message: "the database is closed" })
        : new SqlError.UnknownError(fields)
  }
  switch (code & 0xff) {
    case ResultCode.permission:
    case ResultCode.readOnly:
      return new SqlError.AuthorizationError(fields)
    case ResultCode.busy:
    case ResultCode.locked:
      return new SqlError.LockTimeoutError(fields)
    case ResultCode.ioError:
    case ResultCode.cannotOpen:
      return new SqlError.ConnectionError(fields)
    case ResultCode.constraint:
      return new SqlError.ConstraintError(fields)
    default:
      return new SqlError.UnknownError(fields)
  }
}

/**
 * Classifies what was thrown; a `SqlError` stays as it is. `operation` is kept in the reason: an I/O error
 * (`ConnectionError`) of `commit` means that it is unknown whether the transaction was kept.
 */
export const make = (cause: unknown, operation: Operation, message = textOf(cause)): SqlError.SqlError =>
  SqlError.isSqlError(cause) ? cause : new SqlError.SqlError({ reason: reasonOf(cause, message, operation) })

/** A lock that another connection did not give back in time. */
export const lockTimeout = (cause: SqlError.SqlError, filename: string, waited: string): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: new SqlError.LockTimeoutError({
      cause: cause.reason.cause,
      message: `"${filename}" is locked by another connection: waited ${waited}`,
      operation: cause.reason.operation
    })
  })

type Kind = "folder" | "file" | "missing" | "hidden"

const kindOf = (path: string): Kind => {
  try {
    return statSync(path).isDirectory() ? "folder" : "file"
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    return code === "ENOENT" || code === "ENOTDIR" ? "missing" : "hidden"
  }
}

type Refusal = readonly [reason: string, isPermission: boolean]

/** Why SQLite, which says no more than "unable to open database file", could not open it. */
const refusalOf = (filename: string): Refusal => {
  const folder = dirname(filename)
  switch (kindOf(folder)) {
    case "missing":
      return [`its folder "${folder}" does not exist`, false]
    case "file":
      return [`"${folder}" is not a folder`, false]
    case "hidden":
      return [`its folder "${folder}" may not be entered`, true]
  }
  switch (kindOf(filename)) {
    case "folder":
      return ["it is a folder", false]
    case "missing":
      return [`its folder "${folder}" may not be written`, true]
    case "hidden":
      return [`its folder "${folder}" may not be entered`, true]
    case "file":
      return ["it may not be read and written", true]
  }
}

const openReason = (cause: unknown, filename: string): Refusal => {
  switch (resultCode(cause)) {
    case ResultCode.readOnlyFolder:
      return ["its folder may not be written", true]
    case ResultCode.readOnly:
      return ["it is read-only", true]
    case ResultCode.notADatabase:
      return ["it is not a SQLite database, or it is encrypted", false]
    case ResultCode.cannotOpen:
      return filename.startsWith("file:") ? ["SQLite is unable to open it", false] : refusalOf(filename)
    default:
      return [textOf(cause), false]
  }
}

/** Classifies a failure to open `filename`; the message names the file and the reason. */
export const opening = (cause: unknown, filename: string): SqlError.SqlError => {
  const [reason, isPermission] = openReason(cause, filename)
  const message = `cannot open "${filename}": ${reason}`
  return isPermission
    ? new SqlError.SqlError({
      reason: new SqlError.AuthorizationError({ cause, message, operation: "open" })
    })
    : make(cause, "open", message)
}

/** Whether an error is a mistake of this adapter: a statement that is wrong. */
const isDefect = ({ reason }: SqlError.SqlError): boolean =>
  reason._tag === "ConstraintError" || reason._tag === "UniqueViolation" || reason._tag === "SqlSyntaxError"

/** The reason for which a store fails. */
const toReason = (
  store: string,
  error: SqlError.SqlError
): Unavailable | OutcomeUnknown | CannotOpen => {
  const { _tag, message, operation } = error.reason
  const fields = { store, problem: message ?? error.message, cause: error }
  const code = resultCode(error)
  if (_tag === "AuthorizationError" || code === ResultCode.corrupt || code === ResultCode.notADatabase) {
    return new CannotOpen(fields)
  }
  // An I/O error while committing leaves open whether the commit record reached the file.
  return operation === "commit" && _tag === "ConnectionError"
    ? new OutcomeUnknown(fields)
    : new Unavailable(fields)
}

/** Fails with the error of a store, made of what SQLite says, or thrown in the middle of a transaction. */
export const failing = <F>(
  store: string,
  StoreError: new (fields: {
    readonly reason: InvalidInput | Unavailable | OutcomeUnknown | CannotOpen
  }) => F
) =>
<A>(effect: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, F> =>
  effect.pipe(
    Effect.catch((error) =>
      isDefect(error) ? Effect.die(error) : Effect.fail(new StoreError({ reason: toReason(store, error) }))
    ),
    Effect.catchDefect((defect) =>
      defect instanceof StoreError
        ? Effect.fail(defect)
        : defect instanceof InvalidInput
        ? Effect.fail(new StoreError({ reason: defect }))
        : Effect.die(defect)
    )
  )
