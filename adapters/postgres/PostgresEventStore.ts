// The events in a PostgreSQL database.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Append, type EventStoreDriver, type Inline, plan } from "../../src/event/EventStoreDriver.ts"
import * as EventLog from "../sql/EventLog.ts"
import { attempt } from "./appendNow.ts"
import { gather, inserts } from "./appendPlanned.ts"
import { appending, statements } from "./inline.ts"
import { type Database, load, run, transaction } from "./PostgresDatabase.ts"
import * as PostgresDialect from "./PostgresDialect.ts"
import type { PostgresDocuments } from "./PostgresDocuments.ts"
import { failing, toEventStoreError } from "./PostgresError.ts"

/** The events of a database, of the store with this unique name, whose appends write these documents. */
export const make = (
  database: Database,
  store: string,
  changed: EventStoreDriver["changed"],
  documents: PostgresDocuments
): EventStoreDriver => {
  const sql = EventLog.statements(PostgresDialect.events, store)
  const fail = failing(database.name, toEventStoreError)

  const appendPlanned = (appends: ReadonlyArray<Append>, now: number, inline: Inline | undefined) =>
    transaction(database, (ask) =>
      Effect.flatMap(gather(ask, sql, store, appends, now), (facts) => {
        const { events, outcomes } = plan(appends, facts)
        const ending = (written: ReadonlyArray<EventLog.Statement>) => ({
          statements: events.length === 0 ? [] : [...inserts(events), ...written],
          result: () => outcomes
        })
        return inline === undefined || events.length === 0
          ? Effect.succeed(ending([]))
          : Effect.map(statements(ask, documents, inline, events, facts.head.position, now), ending)
      }))

  const append = (appends: ReadonlyArray<Append>, now: number, inline: Inline | undefined) => {
    const planned = appending(documents, appendPlanned(appends, now, inline))
    const now1 = inline === undefined ? attempt(appends, store, now) : undefined
    if (now1 === undefined) return planned
    return Effect.flatMap(
      Effect.map(run(database, "commit", now1.statement), now1.outcomes),
      (outcomes) => outcomes === undefined ? planned : Effect.succeed(outcomes)
    )
  }

  const loading = EventLog.reading(sql, (statement) => fail(load(database, statement)))

  return {
    name: database.name,
    store,
    groupCommit: true,
    append: (appends, inline) =>
      fail(Effect.flatMap(Clock.currentTimeMillis, (now) => append(appends, now, inline))),
    changed,
    ...EventLog.reading(sql, (statement) => fail(run(database, "read", statement))),
    readStream: loading.readStream,
    readSnapshot: loading.readSnapshot
  }
}
