// What the SQL event stores share: the names of their tables and columns, the statements that read, and how rows become
// events. An adapter adds its way to run statements, and its append.
import * as Effect from "effect/Effect"
import {
  type EventStoreDriver,
  type LogPage,
  positionOf,
  type Query,
  type Snapshot,
  type StoredEvent
} from "../../src/event/EventStoreDriver.ts"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"

/** How a database differs from the others. */
export interface Dialect {
  /** The n-th parameter of a statement, from 1 on. */
  readonly parameter: (n: number) => string
  /** A condition that holds if the expression is in a list, which is passed as one parameter. */
  readonly inList: (expression: string, parameter: string) => string
  /** The list as it is passed. */
  readonly list: (values: ReadonlyArray<string>) => unknown
  /** An integer, as it is selected to come as a number. */
  readonly number: (expression: string) => string
  /** Insert a row or replace the one with the same key. */
  readonly upsert: (table: string, key: string, columns: ReadonlyArray<string>) => string
}

/** A statement with its parameters. */
export type Statement = readonly [sql: string, parameters: ReadonlyArray<unknown>]

/** Rows as arrays, in the order of the columns that were asked for. */
export type Rows = ReadonlyArray<ReadonlyArray<unknown>>

/** The columns of an event, in the order in which {@link toEvent} expects them. */
export const columns = [
  "position",
  "stream",
  "revision",
  "id",
  "type",
  "version",
  "data",
  "metadata",
  "tags",
  "recorded_at"
] as const

const noTags: ReadonlyArray<string> = []

/** The row of an event, in the order of {@link columns}. What is empty is null: it costs less to read. */
export const toRow = (event: StoredEvent): ReadonlyArray<unknown> => [
  event.position,
  event.stream,
  event.revision,
  event.id ?? null,
  event.type,
  event.version,
  event.data,
  event.metadata === "{}" ? null : event.metadata,
  event.tags.length === 0 ? null : JSON.stringify(event.tags),
  event.recordedAt
]

/** The event of a row. */
export const toEvent = (row: ReadonlyArray<unknown>): StoredEvent => ({
  position: row[0] as number,
  stream: row[1] as string,
  revision: row[2] as number,
  id: row[3] as string | null ?? undefined,
  type: row[4] as string,
  version: row[5] as number,
  data: row[6] as string,
  metadata: row[7] as string | null ?? "{}",
  tags: row[8] === null ? noTags : JSON.parse(row[8] as string),
  recordedAt: row[9] as number
})

const bareColumns = ["position", "revision", "type", "version", "data", "recorded_at"]

const integers: ReadonlySet<string> = new Set(["position", "revision", "version", "recorded_at"])

/** Whether a column of an event holds integers; the others hold text. */
export const isInteger = (column: string): boolean => integers.has(column)

/** The event of a row of a stream that was read bare. */
const toBareEvent = (stream: string) => (row: ReadonlyArray<unknown>): StoredEvent => ({
  position: row[0] as number,
  stream,
  revision: row[1] as number,
  id: undefined,
  type: row[2] as string,
  version: row[3] as number,
  data: row[4] as string,
  metadata: "{}",
  tags: noTags,
  recordedAt: row[5] as number
})

/**
 * How many positions a page of the log looks through at most, so that a search for rare events does not hold the
 * database for long.
 */
const window = 10_000

/** The columns of no event, behind its first, by which the end of a page is told. */
const noEvent = columns.slice(1).map(() => "null").join(", ")

/** Conditions joined as a balanced tree, since SQLite bounds the depth of an expression. */
export const joined = (conditions: ReadonlyArray<string>, operator: "and" | "or"): string => {
  if (conditions.length <= 8) return conditions.join(` ${operator} `)
  const half = conditions.length >> 1
  return `(${joined(conditions.slice(0, half), operator)}) ${operator} (${
    joined(conditions.slice(half), operator)
  })`
}

/** The statements of an event store. */
export const statements = (dialect: Dialect, store: string) => {
  const p = dialect.parameter
  const selecting = (names: ReadonlyArray<string>) =>
    `select ${
      names.map((name) => isInteger(name) ? dialect.number(name) : name).join(", ")
    } from dunnock_events`
  const select = selecting(columns)
  const selectBare = selecting(bareColumns)
  // What is selected may have the name of the column, but not its index.
  const inOrder = "order by dunnock_events.position"

  type Add = (value: unknown) => string

  /** The conditions of a query besides its tags. */
  const untagged = ({ streamPrefix, types }: Query, add: Add): ReadonlyArray<string> => [
    ...(streamPrefix === undefined
      ? []
      : [`substr(stream, 1, ${add([...streamPrefix].length)}) = ${add(streamPrefix)}`]),
    ...(types === undefined ? [] : [dialect.inList("type", add(dialect.list(types)))])
  ]

  /** The condition that an event between two positions matches a query. */
  const matching = (query: Query, after: number, end: number, add: Add): string => {
    const conditions = [
      ...untagged(query, add),
      ...(query.tags ?? []).map((tag) =>
        `position in (select position from dunnock_event_tags where tag = ${add(tag)} and position > ${
          add(after)
        } and position <= ${add(end)})`
      )
    ]
    return conditions.length === 0 ? "1 = 1" : joined(conditions, "and")
  }

  /** A statement, in the text of which parameters are added in their order. */
  const statement = (text: (add: Add) => string): Statement => {
    const parameters: Array<unknown> = []
    return [text((value) => p(parameters.push(value))), parameters]
  }

  const insertEvent = `insert into dunnock_events (${columns.join(", ")}) values (${
    columns.map((_, i) => p(i + 1)).join(", ")
  })`
  const insertTag = `insert into dunnock_event_tags (tag, position) values (${p(1)}, ${p(2)})`

  return {
    head: [`select ${dialect.number("max(position)")} from dunnock_events`, []] as Statement,
    /** The position and time of the newest event. */
    newest: [
      `${selecting(["position", "recorded_at"])} ${inOrder} desc limit 1`,
      []
    ] as Statement,
    /** The revision of a stream. */
    revision: (stream: string): Statement => [
      `select ${dialect.number("max(revision)")} from dunnock_events where stream = ${p(1)}`,
      [stream]
    ],
    /** An event, and a row for each of its tags. */
    insert: (event: StoredEvent): ReadonlyArray<Statement> => {
      const row: Statement = [insertEvent, toRow(event)]
      if (event.tags.length === 0) return [row]
      return [row, ...[...new Set(event.tags)].map((tag): Statement => [insertTag, [tag, event.position]])]
    },
    find: (id: string): Statement => {
      const position = positionOf(store, id)
      return position === undefined
        ? [`${select} where id = ${p(1)}`, [id]]
        : [`${select} where position = ${p(1)} and id is null`, [
          Number.isSafeInteger(position) ? position : 0
        ]]
    },
    readStream: (
      { bare, direction, from, limit, stream }: Parameters<EventStoreDriver["readStream"]>[0]
    ): Statement => {
      const [compare, order] = direction === "forwards" ? [">=", ""] : ["<=", " desc"]
      const where = `where stream = ${p(1)} and revision ${compare} ${p(2)}`
      return [
        `${bare ? selectBare : select} ${where} order by dunnock_events.revision${order} limit ${p(3)}`,
        [stream, Math.min(from, Number.MAX_SAFE_INTEGER), limit]
      ]
    },
    /** A page of the log; with queries, the last row is no event, but has the position of the newest. */
    readLog: (after: number, limit: number, queries: ReadonlyArray<Query>): Statement =>
      statement((add) => {
        if (queries.length === 0) {
          return `${select} where position > ${add(after)} ${inOrder} limit ${add(limit)}`
        }
        const end = after + window
        const positions = `position > ${add(after)} and position <= ${add(end)}`
        const condition = joined(queries.map((query) => `(${matching(query, after, end, add)})`), "or")
        return `select * from (${select} where ${positions} and (${condition}) ${inOrder} limit ${
          add(limit)
        }) as page union all select ${dialect.number("max(position)")}, ${noEvent} from dunnock_events`
      }),
    /** An event after a position that matches the query: its position, stream and type. */
    match: (after: number, query: Query): Statement =>
      statement((add) => {
        const [tag, ...others] = query.tags ?? []
        if (tag === undefined) {
          const conditions = [`position > ${add(after)}`, ...untagged(query, add)]
          return `select ${dialect.number("position")}, stream, type from dunnock_events where ${
            joined(conditions, "and")
          } limit 1`
        }
        const conditions = [
          `tag = ${add(tag)} and tagged.position > ${add(after)}`,
          ...untagged(query, add),
          ...others.map((other) =>
            `exists (select 1 from dunnock_event_tags other where other.tag = ${
              add(other)
            } and other.position = tagged.position)`
          )
        ]
        return `select ${dialect.number("tagged.position")}, stream, type from dunnock_event_tags tagged
          join dunnock_events on dunnock_events.position = tagged.position where ${
          joined(conditions, "and")
        } limit 1`
      }),
    readSnapshot: (stream: string): Statement => [
      `select ${dialect.number("revision")}, ${
        dialect.number("position")
      }, fingerprint, state from dunnock_snapshots where stream = ${p(1)}`,
      [stream]
    ],
    writeSnapshot: (stream: string, { fingerprint, position, revision, state }: Snapshot): Statement => [
      dialect.upsert("dunnock_snapshots", "stream", [
        "stream",
        "revision",
        "position",
        "fingerprint",
        "state"
      ]),
      [stream, revision, position, fingerprint, state]
    ]
  }
}

/** The statements of an event store. */
export type Statements = ReturnType<typeof statements>

/** The page of the log that was read after a position. */
const toPage = (rows: Rows, after: number, limit: number): LogPage => {
  const marker = rows.find((row) => row[1] === null)
  const isWhole = marker === undefined
  const events = (isWhole ? rows : rows.filter((row) => row !== marker)).map(toEvent)
  const newest = isWhole ? 0 : marker[0] as number | null ?? 0
  return {
    events,
    upTo: isWhole || events.length === limit
      ? events[events.length - 1]?.position ?? after
      : Math.max(after, Math.min(newest, after + window))
  }
}

/** The reading half of a driver, given its statements and how one is run. */
export const reading = (
  sql: Statements,
  run: (statement: Statement) => Effect.Effect<Rows, EventStoreError>
): Pick<EventStoreDriver, "readStream" | "readLog" | "find" | "head" | "readSnapshot" | "writeSnapshot"> => {
  return {
    head: Effect.map(run(sql.head), ([row]) => (row![0] as number | null) ?? 0),
    readStream: (options) => {
      const event = options.bare ? toBareEvent(options.stream) : toEvent
      return Effect.map(run(sql.readStream(options)), (rows) => rows.map(event))
    },
    readLog: ({ after, limit, queries }) =>
      Effect.map(run(sql.readLog(after, limit, queries)), (rows) => toPage(rows, after, limit)),
    find: (id) => Effect.map(run(sql.find(id)), ([row]) => row && toEvent(row)),
    readSnapshot: (stream) =>
      Effect.map(run(sql.readSnapshot(stream)), ([row]) =>
        row && {
          revision: row[0] as number,
          position: row[1] as number,
          fingerprint: row[2] as string,
          state: row[3] as string
        }),
    writeSnapshot: (stream, snapshot) => Effect.asVoid(run(sql.writeSnapshot(stream, snapshot)))
  }
}
