import * as EventStore from "dunnock/EventStore"
import type { EventStoreError } from "dunnock/EventStoreError"
import * as Mysql from "dunnock/mysql"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import mysql from "mysql2/promise"

/** An event store on a database, closed with the scope. */
export const openStore = (
  url: string,
  options: Mysql.Options = {}
): Effect.Effect<EventStore.EventStore, EventStoreError, Scope.Scope> =>
  Effect.map(Layer.build(Mysql.layer({ url, ...options })), Context.get(EventStore.EventStore))

/** A connection that knows nothing of the store. */
export const connect = (url: string): Effect.Effect<mysql.Connection, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => mysql.createConnection({ uri: url, multipleStatements: true })),
    (connection) => Effect.sync(() => connection.destroy())
  )

/** The rows of a statement, or what is wrong with it. */
export const query = (
  connection: mysql.Connection,
  sql: string
): Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>, string> =>
  Effect.tryPromise({
    try: async () => {
      const [rows] = await connection.query(sql)
      return rows as Array<Record<string, unknown>>
    },
    catch: String
  })
