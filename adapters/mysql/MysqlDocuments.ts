// The documents beside the event store in one database of MySQL or MariaDB.
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import {
  type Collection,
  type DocumentStore,
  plan,
  type StoredDocument,
  type Write
} from "../../src/repository/DocumentStore.ts"
import { DocumentStoreError } from "../../src/repository/DocumentStoreError.ts"
import * as Collections from "../sql/Collections.ts"
import * as Commits from "../sql/Commits.ts"
import * as Documents from "../sql/Documents.ts"
import type { Statement } from "../sql/EventLog.ts"
import { changes } from "./changes.ts"
import type { Database, Session } from "./MysqlDatabase.ts"
import * as MysqlDialect from "./MysqlDialect.ts"
import { again, isDefect, isMissing, isThere, mayTryAgain, toReason } from "./MysqlError.ts"

/** Documents of a collection by their ids. */
export interface Wanted {
  readonly collection: Collection
  readonly ids: ReadonlyArray<string>
}

/** What is stored, expired or not, as far as it has been read. */
export class Stored {
  /** By table and id. */
  readonly #tables = new Map<string, Map<string, StoredDocument | undefined>>()
  readonly add = ({ collection, ids }: Wanted, documents: ReadonlyArray<StoredDocument>): void => {
    const table = Collections.tableOf(collection)
    const known = this.#tables.get(table) ?? new Map<string, StoredDocument | undefined>()
    for (const id of ids) known.set(id, undefined)
    for (const document of documents) known.set(document.id, document)
    this.#tables.set(table, known)
  }
  readonly find = (collection: Collection, id: string): StoredDocument | undefined =>
    this.#tables.get(Collections.tableOf(collection))?.get(id)
  readonly isRead = (collection: Collection, id: string): boolean =>
    this.#tables.get(Collections.tableOf(collection))?.has(id) === true
}

/** Reads documents that are going to be written, and locks those that are there until the commit. */
export const lock = (
  session: Session,
  wanted: ReadonlyArray<Wanted>,
  stored: Stored,
  { data }: { readonly data: boolean }
): Effect.Effect<void, SqlError> => {
  const columns = Documents.columns.map((column) => column === "data" && !data ? "''" : column).join(", ")
  const some = Commits.inTableOrder(wanted.filter(({ ids }) => ids.length > 0))
  const statements = some.map(({ collection, ids }): Statement => [
    `select ${columns} from ${Collections.tableOf(collection)} where id in (?) for update`,
    [ids]
  ])
  if (statements.length === 0) return Effect.void
  return Effect.map(session.run(statements), (results) => {
    for (const [i, { rows }] of results.entries()) {
      stored.add(some[i]!, rows.map(Documents.toDocument))
    }
  })
}

/** A document store, and what the event store beside it needs to write documents. */
export interface MysqlDocuments {
  readonly documents: DocumentStore
  readonly sql: Documents.DocumentStatements
  readonly collections: Collections.Collections<SqlError>
}

/** The documents of a database, beside the event store with this unique name. */
export const make = (database: Database, types: MysqlDialect.Types, log: string): MysqlDocuments => {
  const { name } = database
  const sql = Documents.statements(MysqlDialect.documents(types))

  /** Others may be doing the same: what is there is as it should be. */
  const collections = Collections.make<SqlError>({
    create: sql.create,
    look: (collection) => database.run([Collections.looking(collection), []]),
    run: (statements) =>
      database.use((session) =>
        Effect.forEach(
          statements,
          (text) =>
            Effect.catchIf(session.run([[text, []]], { slow: true }), isThere, () => Effect.succeed([])),
          { discard: true }
        )
      ),
    isMissing
  })

  const failing = <A>(effect: Effect.Effect<A, SqlError>) =>
    Effect.catchTag(
      effect,
      "SqlError",
      (error): Effect.Effect<never, DocumentStoreError> =>
        isDefect(error)
          ? Effect.die(error)
          : Effect.fail(new DocumentStoreError({ reason: toReason(name, error) }))
    )

  const commitNow = (writes: ReadonlyArray<Write>, now: number) =>
    database.transaction((transaction) =>
      Effect.gen(function* () {
        const stored = new Stored()
        yield* lock(transaction, Commits.idsOf(writes), stored, { data: false })
        const planned = plan(writes, ({ collection, id }) => stored.find(collection, id), now)
        if (Result.isFailure(planned)) return Result.fail(planned.failure)
        const statements = changes(sql, planned.success, stored, now)
        if (statements.length > 0) yield* transaction.commit(statements)
        return Result.succeed(planned.success.map(({ after }) => after?.version ?? 0))
      })
    )

  const documents: DocumentStore = {
    name,
    transactional: true,
    log,
    commit: Commits.committing(
      collections,
      commitNow,
      (committed) => failing(Effect.retry(committed, { ...again, while: mayTryAgain }))
    ),
    drop: (collection) =>
      failing(database.use((session) => session.run([[sql.drop(collection), []]], { slow: true }))).pipe(
        Effect.andThen(Effect.sync(collections.forget))
      ),
    ...Documents.reading(
      sql,
      (collection, statement) =>
        failing(collections.reading(collection, Effect.map(database.run(statement), ({ rows }) => rows), [])),
      (collection, statement) =>
        failing(
          collections.using([collection], Effect.map(database.run(statement), ({ changes }) => changes))
        )
    )
  }
  return { documents, sql, collections }
}
