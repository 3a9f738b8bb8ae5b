// The documents beside the event store in a PostgreSQL database.
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import {
  type DocumentStore,
  plan,
  type Planned,
  type StoredDocument,
  type Write
} from "../../src/repository/DocumentStore.ts"
import { DocumentStoreError, type VersionConflict } from "../../src/repository/DocumentStoreError.ts"
import * as Collections from "../sql/Collections.ts"
import * as Commits from "../sql/Commits.ts"
import * as Documents from "../sql/Documents.ts"
import type { Rows, Statement } from "../sql/EventLog.ts"
import * as documentWrites from "./documentWrites.ts"
import { type Ask, type Database, run, runSlow, transaction } from "./PostgresDatabase.ts"
import * as PostgresDialect from "./PostgresDialect.ts"
import { type DatabaseError, failing, type Failure, isContended, isMissing } from "./PostgresError.ts"
import { lockSchema } from "./schema.ts"

type Statements = Documents.DocumentStatements

/** A document store, and with what the event store beside it writes documents. */
export interface PostgresDocuments {
  readonly store: DocumentStore
  readonly sql: Statements
  readonly collections: Collections.Collections<DatabaseError>
}

/** The documents of a database, beside the event store with this unique name. */
export const make = (database: Database, log: string): PostgresDocuments => {
  const { name } = database
  const sql = Documents.statements(PostgresDialect.documents)
  const collections = Collections.make<DatabaseError>({
    create: sql.create,
    look: (collection) => run(database, "read", [Collections.looking(collection), []]),
    run: (statements) =>
      transaction(database, () =>
        Effect.succeed({
          // Two that create the same table at once would fail, even with "if not exists".
          statements: [lockSchema, ...statements].map((text): Statement => [text, []]),
          result: () => undefined
        }), { slow: true }),
    isMissing
  })
  const fail = failing(name, (reason: Failure) => new DocumentStoreError({ reason }))

  type Committed = Result.Result<ReadonlyArray<number>, VersionConflict>

  /** Writes without a look at what is there: one round trip. */
  const commitBlind = (
    { statements, versions }: documentWrites.Blind
  ): Effect.Effect<Committed, DatabaseError> => {
    const result = (rows: ReadonlyArray<Rows>) => Result.succeed(versions(rows))
    const [statement, ...others] = statements
    return others.length === 0
      ? Effect.map(run(database, "commit", statement!), (rows) => result([rows]))
      : transaction(database, () => Effect.succeed({ statements, result }))
  }

  /** Looks at what is there, keeps others from it, then writes: two round trips. */
  const commitPlanned = (writes: ReadonlyArray<Write>, now: number) =>
    transaction(database, (ask) =>
      Effect.map(statesOf(ask, sql, writes), (found) => {
        const planned = plan(writes, found, now)
        return {
          statements: Result.isFailure(planned) ? [] : changes(sql, planned.success, found, now),
          result: (): Committed => Result.map(planned, (all) => all.map(({ after }) => after?.version ?? 0))
        }
      })).pipe(
        // A document that was not there, so that it could not be kept from others, is there now.
        Effect.retry({ times: 10, while: isContended })
      )

  const commit = (writes: ReadonlyArray<Write>, now: number) => {
    const blind = documentWrites.blind(writes, now)
    return blind === undefined
      ? commitPlanned(writes, now)
      : Effect.catchIf(commitBlind(blind), isContended, () => commitPlanned(writes, now))
  }

  const store: DocumentStore = {
    name,
    transactional: true,
    log,
    commit: Commits.committing(collections, commit, fail),
    drop: (collection) =>
      Effect.andThen(
        fail(runSlow(database, [sql.drop(collection), []])),
        Effect.sync(collections.forget)
      ),
    ...Documents.reading(
      sql,
      (collection, statement) => fail(collections.reading(collection, run(database, "read", statement), [])),
      (collection, statement) =>
        Effect.map(
          fail(collections.using([collection], runSlow(database, counting(statement)))),
          ([row]) => row![0] as number
        )
    )
  }
  return { store, sql, collections }
}

/** A statement that gives the number of rows that it changed. */
const counting = ([text, parameters]: Statement): Statement => [
  `with changed as (${text} returning 1) select count(*)::float8 from changed`,
  parameters
]

/** Where a document is. */
export const keyOf = (write: Pick<Write, "collection" | "id">): string =>
  `${Collections.tableOf(write.collection)} ${write.id}`

/** What is there of documents to be written, which nobody else writes until the transaction ends. */
export const statesOf = (
  ask: Ask,
  sql: Statements,
  writes: ReadonlyArray<Write>
): Effect.Effect<(write: Write) => StoredDocument | undefined, DatabaseError> => {
  const asked = Commits.idsOf(writes)
  const statements = asked.map(({ collection, ids }) => sql.states(collection, ids, "order by id for update"))
  return Effect.map(ask(statements), (rows) => {
    const found = new Map<string, StoredDocument>()
    for (const [i, { collection }] of asked.entries()) {
      for (const row of rows[i]!) {
        const document = Documents.toDocument(row)
        found.set(keyOf({ collection, id: document.id }), document)
      }
    }
    return (write) => found.get(keyOf(write))
  })
}

/** The statements that make planned writes. */
export const changes = (
  sql: Statements,
  planned: ReadonlyArray<Planned>,
  found: (write: Write) => StoredDocument | undefined,
  now: number
): ReadonlyArray<Statement> =>
  Commits.changesOf(planned, found).flatMap(({ collection, deletes, puts, removes }) => [
    ...(puts.length === 0 ? [] : [documentWrites.putPlanned(collection, puts, now)]),
    ...(deletes.length === 0 ? [] : [sql.delete(collection, deletes, now)]),
    ...(removes.length === 0 ? [] : [sql.remove(collection, removes)])
  ])
