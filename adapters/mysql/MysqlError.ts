// Turns what mysql2 throws into Effect's `SqlError`. Not public.
import * as Schedule from "effect/Schedule"
import * as SqlError from "effect/sql/SqlError"
import { CannotOpen, InvalidInput, OutcomeUnknown, Unavailable } from "../../src/event/EventStoreError.ts"

/** What was being done: an error of `commit` may have come when the transaction had been kept already. */
export type Operation = "connect" | "execute" | "commit"

interface Thrown {
  readonly errno?: unknown
  readonly code?: unknown
  readonly message?: unknown
}

const thrown = (cause: unknown): Thrown => typeof cause === "object" && cause !== null ? cause : {}

/** The number that the server gives to an error, such as 1062; undefined if the error is not the server's. */
export const errno = (error: unknown): number | undefined => {
  const { errno } = thrown(SqlError.isSqlError(error) ? error.reason.cause : error)
  return typeof errno === "number" && errno >= 1000 ? errno : undefined
}

/** The errors of MySQL and MariaDB that are told apart (https://dev.mysql.com/doc/mysql-errors/8.4/en/). */
export const Errno = {
  unknownDatabase: 1049,
  unknownColumn: 1054,
  tableExists: 1050,
  shutdown: 1053,
  duplicateColumnName: 1060,
  duplicateKeyName: 1061,
  duplicateEntry: 1062,
  noSuchTable: 1146,
  errorDuringCommit: 1180,
  queryInterrupted: 1317,
  triggerExists: 1359,
  noSuperForTriggers: 1419,
  binaryLogging: 1598,
  connectionKilled: 1927
} as const

type Reason = new (
  fields: { readonly cause: unknown; readonly message: string; readonly operation: Operation }
) => SqlError.SqlErrorReason

const reasons = new Map<number, Reason>(([
  // It cannot take a connection, has lost it, or is going down.
  [SqlError.ConnectionError, [1040, 1042, 1043, 1053, 1080, 1129, 1130, 1203, 1226, 1927, 4031]],
  [SqlError.ConnectionError, [1152, 1158, 1159, 1160, 1161]],
  [SqlError.AuthenticationError, [1045, 1251, 1275, 1524, 1698, 1862, 3159]],
  [SqlError.AuthorizationError, [1044, 1142, 1143, 1227, 1370, 1419, 1470]],
  [SqlError.SqlSyntaxError, [1054, 1064, 1072, 1146, 1149, 1305, 1327]],
  [SqlError.ConstraintError, [1048, 1216, 1217, 1264, 1364, 1366, 1406, 1451, 1452, 1644, 3819, 4025]],
  [SqlError.DeadlockError, [1213]],
  [SqlError.SerializationError, [1020, 3101]],
  [SqlError.LockTimeoutError, [1205, 3572]],
  [SqlError.StatementTimeoutError, [1969, 3024]]
] as ReadonlyArray<readonly [Reason, ReadonlyArray<number>]>).flatMap(([reason, numbers]) =>
  numbers.map((number) => [number, reason] as const)
))

/** What the server says of data that its functions for JSON do not take: no JSON, or nested too deep. */
const notJson: ReadonlySet<number> = new Set([3140, 3141, 3157, 3819, 4025, 4037, 4038, 4040])

/** Errors of the server after which a transaction that was being committed may have been kept. */
const unsettled: ReadonlySet<number> = new Set([
  Errno.shutdown,
  Errno.errorDuringCommit,
  Errno.queryInterrupted,
  Errno.binaryLogging,
  Errno.connectionKilled
])

/** What mysql2 says when it has not sent a statement. */
const notSent = /closed state|Pool is closed/

/** Whether a failed commit may have been kept all the same. */
export const isUnsettled = ({ reason }: SqlError.SqlError): boolean => {
  if (reason.operation !== "commit") return false
  const number = errno(reason.cause)
  return number === undefined
    ? reason._tag === "ConnectionError" && !notSent.test(reason.message ?? "")
    : unsettled.has(number)
}

const reasonOf = (cause: unknown, message: string, operation: Operation): SqlError.SqlErrorReason => {
  const number = errno(cause)
  const fields = { cause, message, operation }
  if (number === undefined) return new SqlError.ConnectionError(fields)
  if (number === Errno.duplicateEntry || number === 1169 || number === 1586) {
    return new SqlError.UniqueViolation({
      ...fields,
      constraint: /for key '([^']+)'/.exec(message)?.[1] ?? "unknown"
    })
  }
  return new (reasons.get(number) ?? SqlError.UnknownError)(fields)
}

const messageOf = (cause: unknown): string => {
  const { code, message } = thrown(cause)
  return typeof message === "string" && message !== ""
    ? message
    : typeof code === "string"
    ? code
    : String(cause)
}

/** Classifies what was thrown; a `SqlError` stays as it is. What does not come from the server is of the connection. */
export const make = (cause: unknown, operation: Operation, message = messageOf(cause)): SqlError.SqlError =>
  SqlError.isSqlError(cause) ? cause : new SqlError.SqlError({ reason: reasonOf(cause, message, operation) })

/** Whether what was to be made is there already. */
export const isThere = (error: SqlError.SqlError): boolean => {
  const number = errno(error)
  return number === Errno.tableExists || number === Errno.duplicateColumnName ||
    number === Errno.duplicateKeyName || number === Errno.triggerExists
}

/** Whether the table of a collection is not there, or not with this index. */
export const isMissing = (error: SqlError.SqlError): boolean => {
  const number = errno(error)
  return number === Errno.noSuchTable && error.message.includes("dunnock_doc_") ||
    number === Errno.unknownColumn && error.message.includes("field_")
}

/** Whether nothing was written and the same may succeed at once: it was refused for the sake of another. */
export const mayTryAgain = ({ reason: { _tag } }: SqlError.SqlError): boolean =>
  _tag === "UniqueViolation" || _tag === "DeadlockError" || _tag === "SerializationError"

/** How it is tried again: after growing pauses, so that those who are in each other's way part. */
export const again: { readonly times: number; readonly schedule: Schedule.Schedule<unknown> } = {
  times: 30,
  schedule: Schedule.min([Schedule.exponential("1 millis"), Schedule.spaced("50 millis")]).pipe(
    Schedule.jittered
  )
}

/** Whether an error is a mistake of this adapter. */
export const isDefect = ({ reason }: SqlError.SqlError): boolean => {
  const number = errno(reason.cause)
  return reason._tag === "SqlSyntaxError" && number !== Errno.noSuchTable && number !== Errno.unknownColumn ||
    reason._tag === "ConstraintError" && !notJson.has(number ?? 0)
}

/** What an error means for the user of a store. */
export const toReason = (
  store: string,
  error: SqlError.SqlError
): CannotOpen | InvalidInput | OutcomeUnknown | Unavailable => {
  const { message: problem, reason: { _tag, cause } } = error
  const fields = { store, problem, cause: error }
  if (notJson.has(errno(cause) ?? 0)) {
    return new InvalidInput({
      at: "data",
      problem: `is not JSON, or is nested too deep for the server: ${problem}`
    })
  }
  if (isUnsettled(error)) return new OutcomeUnknown(fields)
  return _tag === "AuthorizationError" || _tag === "AuthenticationError" || _tag === "SqlSyntaxError"
    ? new CannotOpen(fields)
    : new Unavailable(fields)
}
