// The event store on PostgreSQL.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { type Append, type EventStoreDriver, type Outcome, plan } from "../../src/event/EventStoreDriver.ts"
import { EventStoreError } from "../../src/event/EventStoreError.ts"
import * as EventLog from "../sql/EventLog.ts"
import { migrate } from "../sql/migrations.ts"
import { attempt } from "./appendNow.ts"
import { commit, gather, inserts, rollback } from "./appendPlanned.ts"
import * as Changes from "./changes.ts"
import { type Connection, type Database, pipeline } from "./PostgresDatabase.ts"
import { failing, type Phase, toEventStoreError } from "./PostgresError.ts"
import { channel, dialect, lockSchema, migrations } from "./schema.ts"

/** Opens, and if need be creates, the event store of a database. */
export const make = (database: Database): Effect.Effect<EventStoreDriver, EventStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { name } = database
    const when = (phase: Phase) => failing(toEventStoreError(name, phase))
    yield* open(database)
    const [store, told] = yield* when("open")(
      database.use((connection) =>
        Effect.map(
          connection.run([`select id, ${channel} from dunnock_store`, []]),
          ([row]) => row as [string, string]
        )
      )
    )
    const sql = EventLog.statements(dialect, store)
    const run = (statement: EventLog.Statement) =>
      when("read")(database.use((connection) => connection.run(statement)))
    const changed = yield* Changes.make(database.listen(told))

    const appendPlanned = (connection: Connection, appends: ReadonlyArray<Append>, now: number) =>
      Effect.gen(function* () {
        const facts = yield* when("read")(gather(connection, sql, store, appends, now))
        const { events, outcomes } = plan(appends, facts)
        if (events.length === 0) {
          yield* when("read")(connection.run(rollback))
        } else {
          yield* when("commit")(pipeline(connection, [...inserts(events), commit]))
        }
        return outcomes
      }).pipe(Effect.tapError(() => Effect.ignore(connection.run(rollback))))

    const appendOn = (
      connection: Connection,
      appends: ReadonlyArray<Append>,
      now: number
    ): Effect.Effect<ReadonlyArray<Outcome>, EventStoreError> => {
      const attempted = attempt(appends, store, now)
      if (attempted === undefined) return appendPlanned(connection, appends, now)
      return Effect.flatMap(
        when("commit")(connection.run(attempted.statement)),
        (rows) => {
          const outcomes = attempted.outcomes(rows)
          return outcomes === undefined ? appendPlanned(connection, appends, now) : Effect.succeed(outcomes)
        }
      )
    }

    return {
      name,
      store,
      groupCommit: true,
      append: (appends) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          when("read")(
            // What was begun is finished: a transaction is never left open on a connection that is given back.
            database.use((connection) => Effect.uninterruptible(appendOn(connection, appends, now)))
          )),
      changed,
      ...EventLog.reading(sql, run)
    }
  })

/** Brings the database to the newest schema. */
const open = (database: Database): Effect.Effect<void, EventStoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* failing(toEventStoreError(database.name, "open"))(database.client)
      // Creating what another transaction is creating fails in PostgreSQL, even with "if not exists".
      const alone = <A, E, R>(migrating: Effect.Effect<A, E, R>) =>
        Effect.forEach([lockSchema, ...database.prepare], (statement) => client.unsafe(statement), {
          discard: true
        }).pipe(Effect.andThen(migrating), client.withTransaction)
      yield* Effect.provideService(
        migrate(database.name, migrations, alone),
        SqlClient.SqlClient,
        client
      )
    })
  )
