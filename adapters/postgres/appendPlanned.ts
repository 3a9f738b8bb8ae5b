// The append of a transaction: the log is locked and asked, then the outcomes are decided, then the events written.
import * as Effect from "effect/Effect"
import { type Append, type Facts, positionOf, type StoredEvent } from "../../src/event/EventStoreDriver.ts"
import * as EventLog from "../sql/EventLog.ts"
import { tagsOf } from "./appendNow.ts"
import type { Ask } from "./PostgresDatabase.ts"
import type { DatabaseError } from "./PostgresError.ts"
import { channel } from "./schema.ts"
import { integerArray, numberArray, textArray } from "./values.ts"

type Condition = NonNullable<Append["condition"]>

/** Locks the log and gathers, in one round trip, all that `plan` will ask for. */
export const gather = (
  ask: Ask,
  sql: EventLog.Statements,
  store: string,
  appends: ReadonlyArray<Append>,
  now: number
): Effect.Effect<Facts, DatabaseError> => {
  const writes = appends.flatMap(({ streams }) => streams)
  const streams = [...new Set(writes.map(({ stream }) => stream))]
  const ids = [...new Set(writes.flatMap(({ events }) => events.flatMap(({ id }) => id ?? [])))]
  const matches = appends.flatMap(({ condition }) =>
    (condition?.queries ?? []).map((query) => [condition!, sql.match(condition!.after, query)] as const)
  )
  const statements: ReadonlyArray<EventLog.Statement> = [
    ["select newest, recorded from dunnock_lock()", []],
    revisionsOf(streams),
    ...(ids.length === 0 ? [] : [placesOf(store, ids)]),
    ...matches.map(([, statement]) => statement)
  ]
  return Effect.map(ask(statements), ([head, revisions, ...others]) => {
    const [position, recordedAt] = head![0] as [number, number]
    const revisionOf = new Map(revisions as ReadonlyArray<[string, number]>)
    const places = new Map(
      ids.length === 0 ? [] : others[0]!.map((row) => [idOf(store, row), toPlace(row)] as const)
    )
    const found = new Map<Condition, ReturnType<Facts["match"]>>()
    const rowsOf = others.slice(others.length - matches.length)
    for (const [i, [condition]] of matches.entries()) {
      const row = rowsOf[i]![0]
      if (row !== undefined && !found.has(condition)) found.set(condition, toMatch(row))
    }
    return {
      store,
      head: { position, recordedAt },
      revision: (stream) => revisionOf.get(stream) ?? 0,
      byId: (id) => places.get(id),
      match: (condition) => found.get(condition),
      now
    }
  })
}

const revisionsOf = (streams: ReadonlyArray<string>): EventLog.Statement => [
  `select known.stream, found.revision from unnest($1::text[]) as known (stream) cross join lateral (
    select max(event.revision)::float8 as revision from dunnock_events as event where event.stream = known.stream
  ) as found where found.revision is not null`,
  [textArray(streams)]
]

/** The places of ids, of those that writers gave and of those that the store gave. */
const placesOf = (store: string, ids: ReadonlyArray<string>): EventLog.Statement => {
  const positions = ids.map((id) => positionOf(store, id)).filter(Number.isSafeInteger) as Array<number>
  const columns = "id, stream, revision::float8, position::float8"
  return positions.length === 0
    ? [`select ${columns} from dunnock_events where id = any($1)`, [textArray(ids)]]
    : [
      `select ${columns} from dunnock_events where id = any($1)
      union all select ${columns} from dunnock_events where id is null and position = any($2::bigint[])`,
      [textArray(ids), numberArray(positions)]
    ]
}

const idOf = (store: string, row: ReadonlyArray<unknown>) => (row[0] as string | null) ?? `${store}:${row[3]}`

const toPlace = (row: ReadonlyArray<unknown>) => ({
  stream: row[1] as string,
  revision: row[2] as number,
  position: row[3] as number
})

const toMatch = (row: ReadonlyArray<unknown>) => ({
  position: row[0] as number,
  stream: row[1] as string,
  type: row[2] as string
})

const insertEvents = `insert into dunnock_events (${EventLog.columns.join(", ")})
  select * from unnest($1::float8[], $2::text[], $3::float8[], $4::text[], $5::text[], $6::float8[], $7::text[],
    $8::text[], $9::text[], $10::float8[])`

const insertTags =
  "insert into dunnock_event_tags (tag, position) select e.tag, $1 + e.n from unnest($2::text[], $3::int[]) as e (tag, n)"

/** The statements that write planned events. */
export const inserts = (events: ReadonlyArray<StoredEvent>): ReadonlyArray<EventLog.Statement> => {
  const rows = events.map(EventLog.toRow)
  const { names, places } = tagsOf(events)
  const lists = EventLog.columns.map((column, i) => {
    const list = EventLog.isInteger(column) ? numberArray : textArray
    return list(rows.map((row) => row[i] as never))
  })
  return [
    [insertEvents, lists],
    ...(names.length === 0
      ? []
      : [[insertTags, [events[0]!.position - 1, textArray(names), integerArray(places)]] as const]),
    [`select pg_notify(${channel}, '')`, []]
  ]
}
