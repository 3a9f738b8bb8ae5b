// The event store on MySQL and MariaDB.
//
// Positions are given by the transaction that holds the lock of the store's one row, and the lock is held until the commit:
// the order of commits is the order of positions, so no reader is ever given a lower position later, and what is rolled
// back leaves no gap. An append is one round trip when this process knows the heads of the log and of the streams, since the
// unique keys refuse it if somebody else has written meanwhile; otherwise it is two: lock and look, write and commit.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import {
  type Append,
  type EventPlace,
  type EventStoreDriver,
  type Facts,
  type Inline,
  plan,
  positionOf,
  type StoredEvent
} from "../../src/event/EventStoreDriver.ts"
import { EventStoreError, Unavailable } from "../../src/event/EventStoreError.ts"
import * as EventLog from "../sql/EventLog.ts"
import * as Heads from "./heads.ts"
import * as inlined from "./inline.ts"
import { insertOne, inserts } from "./inserts.ts"
import type { Database, Transaction } from "./MysqlDatabase.ts"
import * as MysqlDialect from "./MysqlDialect.ts"
import type { MysqlDocuments } from "./MysqlDocuments.ts"
import { again, isDefect, isMissing, mayTryAgain, toReason } from "./MysqlError.ts"

/** There are no signals between processes. */
const polling = Effect.sleep("25 millis")

const lock: EventLog.Statement = ["select id from dunnock_store for update", []]

/** The driver of an open database, whose tables are there, and the unique name of the store in it. */
export const make = (database: Database, store: string, documents: MysqlDocuments): EventStoreDriver => {
  const { name } = database
  const sql = EventLog.statements(MysqlDialect.events, store)
  const heads = Heads.make()
  database.onConnect(heads.forget)

  /** In one round trip, by what is known; undefined if that takes asking. */
  const appendDirectly = (appends: ReadonlyArray<Append>, now: number) => {
    const head = heads.log()
    const revision = head && Heads.assumed(heads, appends)
    if (head === undefined || revision === undefined) return undefined
    const nothing = () => undefined
    const { events, outcomes } = plan(appends, { store, head, revision, byId: nothing, match: nothing, now })
    // What is known may be of before: it is no ground for refusing.
    if (outcomes.some(Result.isFailure)) return undefined
    const one = insertOne(events)
    // Not if the connection is a new one: what is known may be of another server, ahead of this one.
    const isStill = () => heads.log() === head
    const insert: Effect.Effect<unknown, SqlError> = one === undefined
      ? database.transaction((transaction) =>
        isStill() ? transaction.commit([lock, ...inserts(events)]) : Effect.undefined
      )
      : database.commit(one, isStill)
    return Effect.map(insert, (written) => {
      if (written === undefined) return undefined
      heads.wrote(events)
      return outcomes
    })
  }

  const appendAsking = (appends: ReadonlyArray<Append>, now: number, inline: Inline | undefined) =>
    database.transaction((transaction) =>
      Effect.gen(function* () {
        const facts = yield* factsOf(transaction, sql, store, appends, now)
        heads.found(facts.head)
        const { events, outcomes } = plan(appends, facts)
        if (events.length === 0) return outcomes
        const before = facts.head.position
        const written = inline === undefined
          ? []
          : yield* inlined.write(documents, transaction, inline, { events, before, now })
        yield* transaction.commit([...inserts(events), ...written])
        heads.wrote(events)
        return outcomes
      })
    )

  const append = (appends: ReadonlyArray<Append>, inline: Inline | undefined) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const asking = appendAsking(appends, now, inline).pipe(
        Effect.tapError((error) => inlined.makeReady(documents, error)),
        Effect.retry({ ...again, while: mayBegin })
      )
      const directly = inline === undefined ? appendDirectly(appends, now) : undefined
      if (directly === undefined) return asking
      return directly.pipe(
        Effect.catchIf(mayTryAgain, () => Effect.sync(heads.contended)),
        Effect.flatMap((outcomes) => outcomes === undefined ? asking : Effect.succeed(outcomes))
      )
    })

  const failing = Effect.catch((error: Failure) =>
    error._tag === "SqlError" && isDefect(error) ? Effect.die(error) : Effect.fail(toError(name, error))
  )
  const reading = EventLog.reading(
    sql,
    (statement) => failing(Effect.map(database.run(statement), ({ rows }) => rows))
  )
  return {
    name,
    store,
    groupCommit: true,
    append: (appends, inline) =>
      append(appends, inline).pipe(
        Effect.onError(() => Effect.sync(heads.forget)),
        failing,
        Effect.uninterruptible
      ),
    changed: () => polling,
    ...reading,
    readStream: (options) =>
      Effect.tap(reading.readStream(options), (events) => Effect.sync(() => learn(heads, options, events)))
  }
}

type Failure = SqlError | EventStoreError | inlined.MissingCollections

/** Whether nothing was written, and the same may succeed now. */
const mayBegin = (error: Failure): boolean =>
  error._tag === "MissingCollections" || error._tag === "SqlError" && (mayTryAgain(error) || isMissing(error))

const toError = (store: string, error: Failure): EventStoreError => {
  if (error._tag === "EventStoreError") return error
  if (error._tag === "SqlError") return new EventStoreError({ reason: toReason(store, error) })
  const names = error.collections.map(({ name }) => name).join(", ")
  const problem = `the collections ${names} are dropped again and again`
  return new EventStoreError({ reason: new Unavailable({ store, problem }) })
}

/** Keeps the revision of a stream that was read to its end. */
const learn = (
  heads: Heads.Heads,
  { direction, from, limit, stream }: Parameters<EventStoreDriver["readStream"]>[0],
  events: ReadonlyArray<StoredEvent>
): void => {
  if (direction === "backwards") {
    if (from === Infinity && limit > 0) heads.saw(stream, events[0]?.revision ?? 0)
  } else if (events.length > 0) heads.saw(stream, events[events.length - 1]!.revision)
  else if (from <= 1 && limit > 0) heads.saw(stream, 0)
}

/** Takes the lock and asks for all that is to be known, in one round trip. */
const factsOf = (
  transaction: Transaction,
  sql: EventLog.Statements,
  store: string,
  appends: ReadonlyArray<Append>,
  now: number
): Effect.Effect<Facts, SqlError> => {
  const streams = new Set<string>()
  const ids = new Set<string>()
  const positions = new Map<number, string>()
  const conditions: Array<NonNullable<Append["condition"]>> = []
  for (const append of appends) {
    if (append.condition !== undefined) conditions.push(append.condition)
    for (const { events, stream } of append.streams) {
      streams.add(stream)
      for (const { id } of events) {
        if (id === undefined) continue
        const position = positionOf(store, id)
        if (position === undefined) ids.add(id)
        else if (Number.isSafeInteger(position)) positions.set(position, id)
      }
    }
  }
  const matches = conditions.flatMap(({ after, queries }) => queries.map((query) => sql.match(after, query)))
  const statements: ReadonlyArray<EventLog.Statement> = [
    lock,
    sql.newest,
    ...matches,
    ...chunks([...streams]).map((some): EventLog.Statement => [
      "select 'stream', stream, max(revision) from dunnock_events where stream in (?) group by stream",
      [some]
    ]),
    ...chunks([...ids]).map((some): EventLog.Statement => [
      "select 'id', id, stream, revision, position from dunnock_events where id in (?)",
      [some]
    ]),
    ...chunks([...positions.keys()]).map((some): EventLog.Statement => [
      "select 'position', position, stream, revision, position from dunnock_events where position in (?) and id is null",
      [some]
    ])
  ]
  return Effect.map(transaction.run(statements), ([, newest, ...results]) => {
    const [head] = newest!.rows
    const revisions = new Map<string, number>()
    const places = new Map<string, EventPlace>()
    const found = results.splice(0, matches.length).map(({ rows: [row] }) =>
      row && { position: row[0] as number, stream: row[1] as string, type: row[2] as string }
    )
    for (const [kind, key, ...values] of results.flatMap(({ rows }) => rows)) {
      if (kind === "stream") revisions.set(key as string, values[0] as number)
      else {
        const [stream, revision, position] = values as [string, number, number]
        places.set(kind === "id" ? key as string : positions.get(position)!, { stream, revision, position })
      }
    }
    const matched = new Map(
      conditions.map((condition) =>
        [condition, found.splice(0, condition.queries.length).find((event) => event !== undefined)] as const
      )
    )
    return {
      store,
      head: { position: (head?.[0] as number) ?? 0, recordedAt: (head?.[1] as number) ?? 0 },
      revision: (stream) => revisions.get(stream) ?? 0,
      byId: (id) => places.get(id),
      match: (condition) => matched.get(condition),
      now
    }
  })
}

/** Parts of a list that a statement takes. */
const chunks = <A>(all: ReadonlyArray<A>, size = 1000): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
