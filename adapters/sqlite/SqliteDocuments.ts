// The documents beside the event store in one SQLite file.
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { Inline, StoredEvent } from "../../src/event/EventStoreDriver.ts"
import { InvalidInput } from "../../src/event/EventStoreError.ts"
import {
  type Collection,
  type DocumentStore,
  plan,
  type Planned,
  type StoredDocument,
  type Write
} from "../../src/repository/DocumentStore.ts"
import { DocumentStoreError } from "../../src/repository/DocumentStoreError.ts"
import * as Collections from "../sql/Collections.ts"
import * as Commits from "../sql/Commits.ts"
import * as Documents from "../sql/Documents.ts"
import type { Statement } from "../sql/EventLog.ts"
import type { SqliteConnection } from "./SqliteClient.ts"
import * as SqliteDialect from "./SqliteDialect.ts"
import { failing } from "./SqliteError.ts"

/** A document store, and how the event store beside it writes documents. */
export interface SqliteDocuments {
  readonly documents: DocumentStore
  /** Writes, in the transaction of an append, what is made of its events, or throws why not. */
  readonly writeInline: (
    inline: Inline,
    events: ReadonlyArray<StoredEvent>,
    before: number,
    now: number
  ) => void
  /** Runs an append that writes inline, again if a collection has been dropped meanwhile. */
  readonly appending: <A>(append: Effect.Effect<A, SqlError>) => Effect.Effect<A, SqlError>
}

/** Documents by table and id, as far as they have been read; undefined is known to be absent. */
type Found = Map<string, Map<string, StoredDocument | undefined>>

const upsert = (collection: Collection): string =>
  `insert into ${Collections.tableOf(collection)} (${Documents.columns.join(", ")}) values (${
    Documents.columns.map(() => "?").join(", ")
  }) on conflict (id) do update set ${
    Documents.columns.slice(1).map((column) => `${column} = excluded.${column}`).join(", ")
  }`

/** The documents on a connection, beside the event store with this unique name. */
export const make = (connection: SqliteConnection, name: string, log: string): SqliteDocuments => {
  const sql = Documents.statements(SqliteDialect.documents)
  const values = ([text, parameters]: Statement) => connection.values(text, parameters)
  const change = ([text, parameters]: Statement) => Number(connection.run(text, parameters).changes)
  const collections = Collections.make<SqlError>({
    create: sql.create,
    look: (collection) => connection.executeValues(Collections.looking(collection), []),
    run: (statements) => connection.transaction(() => statements.forEach((text) => connection.run(text))),
    isMissing
  })

  /** Reads what is not known yet of the documents that are to be written. */
  const readStates = (writes: ReadonlyArray<Write>, found: Found): void => {
    for (const { collection, ids } of Commits.idsOf(writes)) {
      const table = Collections.tableOf(collection)
      const known = found.get(table) ?? new Map<string, StoredDocument | undefined>()
      found.set(table, known)
      const unknown = known.size === 0 ? ids : ids.filter((id) => !known.has(id))
      if (unknown.length === 0) continue
      for (const row of values(sql.states(collection, unknown))) {
        known.set(row[0] as string, Documents.toDocument(row))
      }
    }
  }

  const planned = (writes: ReadonlyArray<Write>, found: Found, now: number) => {
    readStates(writes, found)
    return plan(writes, ({ collection, id }) => found.get(Collections.tableOf(collection))!.get(id), now)
  }

  const apply = (all: ReadonlyArray<Planned>, now: number): void => {
    for (const { collection, deletes, puts, removes } of Commits.changesOf(all)) {
      const put = upsert(collection)
      for (const document of puts) {
        try {
          connection.run(put, Documents.toRow(document))
        } catch (error) {
          throw isSqlError(error) && error.reason.message?.includes("json_valid")
            ? notJson(collection, document)
            : error
        }
      }
      if (deletes.length > 0) change(sql.delete(collection, deletes, now))
      if (removes.length > 0) change(sql.remove(collection, removes))
    }
  }

  const fail = failing(name, DocumentStoreError)

  const commit = (writes: ReadonlyArray<Write>, now: number) =>
    connection.transaction(() =>
      Result.map(planned(writes, new Map(), now), (all) => {
        apply(all, now)
        return all.map(({ after }) => after?.version ?? 0)
      })
    )

  const documents: DocumentStore = {
    name,
    transactional: true,
    log,
    commit: Commits.committing(collections, commit, fail),
    drop: (collection) =>
      fail(connection.executeRaw(sql.drop(collection), [])).pipe(
        Effect.andThen(Effect.sync(collections.forget))
      ),
    ...Documents.reading(
      sql,
      (collection, statement) =>
        fail(collections.reading(collection, connection.executeValues(...statement), [])),
      (collection, statement) =>
        fail(collections.using([collection], connection.transaction(() => change(statement))))
    )
  }

  const writeInline: SqliteDocuments["writeInline"] = (inline, events, before, now) => {
    const create = (used: ReadonlyArray<Collection>) => {
      for (const text of collections.missing(used)) connection.run(text)
      collections.made(used)
    }
    const found: Found = new Map()
    const read = inline.read(events).map(({ collection, ids }) => {
      create([collection])
      const documents = Documents.inOrder(ids, values(sql.get(collection, ids, now)))
      const known = found.get(Collections.tableOf(collection)) ?? new Map()
      ids.forEach((id, i) => known.set(id, documents[i]))
      found.set(Collections.tableOf(collection), known)
      return documents
    })
    const writes = inline.write(events, read, before)
    create(writes.map(({ collection }) => collection))
    const all = planned(writes, found, now)
    if (Result.isFailure(all)) throw Commits.notInline(name, all.failure)
    apply(all.success, now)
  }

  return {
    documents,
    writeInline,
    appending: (append) =>
      // What was created in a transaction that failed is not there.
      collections.using([], Effect.onError(append, () => Effect.sync(collections.forget)))
  }
}

const isMissing = ({ reason }: SqlError): boolean =>
  reason.message?.includes("no such table: dunnock_doc_") === true

const notJson = ({ name }: Collection, { id }: StoredDocument): InvalidInput =>
  new InvalidInput({
    at: `document "${id}" of "${name}"`,
    problem: "its data is not JSON, or is nested too deep for SQLite"
  })
