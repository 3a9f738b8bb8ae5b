// The statements that write events, many rows in each. Not public.
import type { StoredEvent } from "../../src/event/EventStoreDriver.ts"
import { columns, type Statement, toRow } from "../sql/EventLog.ts"

/** In characters and in rows: the most that one statement holds, unless one row is longer. */
const statementLength = 1_000_000
const statementRows = 1000

/** Inserts of rows, as few as their length allows. */
export const insertRows = (
  into: string,
  rows: ReadonlyArray<ReadonlyArray<unknown>>,
  behind = ""
): ReadonlyArray<Statement> => {
  const statements: Array<Statement> = []
  let part: Array<ReadonlyArray<unknown>> = []
  let length = 0
  for (const row of rows) {
    const added = row.reduce((sum: number, value) => sum + (typeof value === "string" ? value.length : 8), 0)
    if (part.length === statementRows || part.length > 0 && length + added > statementLength) {
      statements.push([`${into} values ? ${behind}`, [part]])
      part = []
      length = 0
    }
    part.push(row)
    length += added
  }
  if (part.length > 0) statements.push([`${into} values ? ${behind}`, [part]])
  return statements
}

/** The inserts of events and of their tags. */
export const inserts = (events: ReadonlyArray<StoredEvent>): ReadonlyArray<Statement> => [
  ...insertRows(`insert into dunnock_events (${columns.join(", ")})`, events.map(toRow)),
  ...insertRows(
    "insert into dunnock_event_tags (tag, position)",
    events.flatMap(({ position, tags }) => [...new Set(tags)].map((tag) => [tag, position]))
  )
]

/**
 * One event without tags, inserted under the lock of the store by a statement that is a transaction of its own: it costs
 * less than a transaction around it. Undefined if there is more to insert.
 */
export const insertOne = ([event, ...others]: ReadonlyArray<StoredEvent>): Statement | undefined =>
  event === undefined || others.length > 0 || event.tags.length > 0 ? undefined : [
    `insert into dunnock_events (${columns.join(", ")}) select ? from dunnock_store for update`,
    [toRow(event)]
  ]
