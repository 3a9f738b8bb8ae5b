/**
 * Prepared statements of `node:sqlite`: what goes in, what comes out, and reading row by row. All of it is
 * synchronous and throws `SqlError`.
 */
import type { SqlError } from "effect/sql/SqlError"
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import * as SqliteError from "./SqliteError.ts"
import type { Changes, Row, Value } from "./SqliteValue.ts"

/** A statement and the modes it is in. */
export interface Prepared {
  readonly statement: StatementSync
  arrays: boolean
  bigints: boolean
  /** Integers are read as bigint: one did not fit a number, or finding that out would write twice. */
  wide: boolean
}

/** Holds no statement: only space, semicolons and comments. */
const blank = /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*(?:\*\/|$))*$/

const textLimit = 200

const syntaxError = (reason: string, sql: string, cause: unknown): SqlError =>
  SqliteError.make(cause, "prepare", `${reason}, in: ${sql.slice(0, textLimit)}`)

const misuse = { errcode: SqliteError.ResultCode.error }

/** Prepares `sql`, which must be exactly one statement: `node:sqlite` would silently skip a second one. */
export const prepare = (db: DatabaseSync, sql: string): Prepared => {
  if (blank.test(sql)) throw syntaxError("no statement", sql, misuse)
  try {
    const statement = db.prepare(sql)
    if (!blank.test(sql.slice(statement.sourceSQL.length))) {
      throw syntaxError("more than one statement", sql, misuse)
    }
    return { statement, arrays: false, bigints: false, wide: /\breturning\b/i.test(sql) }
  } catch (cause) {
    throw syntaxError(cause instanceof Error ? cause.message : String(cause), sql, cause)
  }
}

const toInput = (value: unknown, index: number): SQLInputValue => {
  if (isInput(value)) return value
  if (value === undefined) return null
  if (typeof value === "boolean") return value ? 1 : 0
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  const kind = value instanceof Object ? value.constructor.name : typeof value
  throw new TypeError(`parameter ${index + 1} (${kind}) is not a value that SQLite can keep`)
}

const isInput = (value: unknown): value is SQLInputValue =>
  typeof value === "string" || typeof value === "number" || value === null || typeof value === "bigint"

const toInputs = (params: ReadonlyArray<unknown>): ReadonlyArray<SQLInputValue> =>
  params.every(isInput) ? params : params.map(toInput)

const narrow = (value: Value): Value =>
  typeof value === "bigint" && value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
    ? Number(value)
    : value

/** Turns the bigints of a row that fit a number into numbers, in place. */
const narrowRow = <A extends object>(row: A): A => {
  const cells = row as Record<string, Value>
  for (const key in cells) cells[key] = narrow(cells[key]!)
  return row
}

const setMode = (prepared: Prepared, arrays: boolean, bigints: boolean): void => {
  if (prepared.arrays !== arrays) prepared.statement.setReturnArrays(prepared.arrays = arrays)
  if (prepared.bigints !== bigints) prepared.statement.setReadBigInts(prepared.bigints = bigints)
}

const isOutOfRange = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ERR_OUT_OF_RANGE"

const read = <A extends object>(
  prepared: Prepared,
  params: ReadonlyArray<unknown>,
  arrays: boolean,
  safe: boolean
): ReadonlyArray<A> => {
  const bigints = safe || prepared.wide
  try {
    setMode(prepared, arrays, bigints)
    const rows = prepared.statement.all(...toInputs(params))
    if (bigints && !safe) rows.forEach(narrowRow)
    return rows as ReadonlyArray<object> as ReadonlyArray<A>
  } catch (cause) {
    if (bigints || !isOutOfRange(cause)) throw SqliteError.make(cause, "execute")
  }
  prepared.wide = true
  return read(prepared, params, arrays, safe)
}

/**
 * Runs a statement and returns its rows by column name. Integers are numbers where they fit, and bigints where not;
 * with `safe` all are bigints.
 */
export const readRows = (
  prepared: Prepared,
  params: ReadonlyArray<unknown>,
  safe: boolean
): ReadonlyArray<Row> => read(prepared, params, false, safe)

/** Runs a statement and returns its rows as arrays in column order; integers as in `readRows`. */
export const readValues = (
  prepared: Prepared,
  params: ReadonlyArray<unknown>,
  safe: boolean
): ReadonlyArray<ReadonlyArray<Value>> => read(prepared, params, true, safe)

/** Runs a statement for its changes; integers as in `readRows`. */
export const change = (
  db: DatabaseSync,
  prepared: Prepared,
  params: ReadonlyArray<unknown>,
  safe: boolean
): Changes => {
  try {
    setMode(prepared, prepared.arrays, safe)
    const { changes, lastInsertRowid } = prepared.statement.run(...toInputs(params))
    if (safe || Number.isSafeInteger(lastInsertRowid)) return { changes, lastInsertRowid }
    // As a number it has lost its last digits.
    const [row] = read<[bigint]>(prepare(db, "SELECT last_insert_rowid()"), [], true, false)
    return { changes, lastInsertRowid: row![0] }
  } catch (cause) {
    throw SqliteError.make(cause, "execute")
  }
}

/** Rows in the making. */
export interface Cursor {
  /** The next rows; none at the end. */
  readonly take: () => ReadonlyArray<Row>
  readonly close: () => void
}

const chunkSize = 256

/** A cursor over rows that are there already. */
const cursorOf = (rows: ReadonlyArray<Row>): Cursor => {
  let index = 0
  return { take: () => rows.slice(index, index += chunkSize), close: () => {} }
}

/** A cursor that reads as it goes; `ended` is told how many rows there were. */
const iterate = (
  prepared: Prepared,
  inputs: ReadonlyArray<SQLInputValue>,
  safe: boolean,
  ended: (count: number) => void
): Cursor => {
  setMode(prepared, false, true)
  const iterator = prepared.statement.iterate(...inputs)
  let count = 0
  let done = false
  const take = () => {
    const rows: Array<Row> = []
    while (!done && rows.length < chunkSize) {
      const next = iterator.next()
      if (next.done) {
        done = true
        ended(count + rows.length)
      } else rows.push(safe ? next.value : narrowRow(next.value))
    }
    count += rows.length
    return rows
  }
  return { take, close: () => iterator.return?.() }
}

/** Whether the runtime ends an iteration where it should throw, as Deno 2.9 does. */
const losesErrors = (db: DatabaseSync): boolean => {
  const iterator = db.prepare("SELECT abs(-9223372036854775808)").iterate()
  try {
    return iterator.next().done === true
  } catch {
    return false
  } finally {
    iterator.return?.()
  }
}

/**
 * Where an iteration can lose its error, a query that has ended is asked, in the same snapshot, for the row that
 * would follow: there must be none. What cannot be asked so (a write, a pragma) is read whole instead.
 */
const iterateChecked = (
  db: DatabaseSync,
  prepared: Prepared,
  params: ReadonlyArray<unknown>,
  safe: boolean
): Cursor => {
  let following: StatementSync
  try {
    following = db.prepare(
      `SELECT * FROM (${prepared.statement.sourceSQL.replace(/;$/, "")}\n) LIMIT 1 OFFSET ?`
    )
  } catch {
    return cursorOf(readRows(prepared, params, safe))
  }
  following.setReadBigInts(true)
  const inputs = toInputs(params)
  db.exec("BEGIN")
  const { close, take } = iterate(prepared, inputs, safe, (count) => {
    if (following.get(...inputs, count) !== undefined) throw new Error(`the rows ended early, after ${count}`)
  })
  return {
    take,
    close: () => {
      close()
      if (db.isTransaction) db.exec("COMMIT")
    }
  }
}

/**
 * Runs `sql` and reads its rows a few hundred at a time, in constant memory. `shared` says that other statements
 * may use this connection while the cursor is open; Deno then reads all rows at once.
 */
export const openCursor = (
  db: DatabaseSync,
  sql: string,
  params: ReadonlyArray<unknown>,
  safe: boolean,
  shared: boolean
): Cursor => {
  // One of its own: another run of a kept statement would end this one.
  const prepared = prepare(db, sql)
  try {
    if (!losesErrors(db)) return classified(iterate(prepared, toInputs(params), safe, () => {}))
    return shared
      ? cursorOf(readRows(prepared, params, safe))
      : classified(iterateChecked(db, prepared, params, safe))
  } catch (cause) {
    throw SqliteError.make(cause, "execute")
  }
}

const classified = ({ close, take }: Cursor): Cursor => ({
  take: () => {
    try {
      return take()
    } catch (cause) {
      throw SqliteError.make(cause, "execute")
    }
  },
  close
})
