// Documents that are written in the transaction of an append.
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Inline, StoredEvent } from "../../src/event/EventStoreDriver.ts"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import { type Collection, plan, type StoredDocument, type Write } from "../../src/repository/DocumentStore.ts"
import * as Commits from "../sql/Commits.ts"
import * as Documents from "../sql/Documents.ts"
import type { Statement } from "../sql/EventLog.ts"
import type { Ask } from "./PostgresDatabase.ts"
import { changes, keyOf, type PostgresDocuments, statesOf } from "./PostgresDocuments.ts"
import { DatabaseError, isContended, isMissing } from "./PostgresError.ts"

/** Collections that are to come into being before the append is tried again. */
export class Missing {
  readonly _tag = "Missing"
  readonly collections: ReadonlyArray<Collection>

  constructor(collections: ReadonlyArray<Collection>) {
    this.collections = collections
  }
}

type Problem = DatabaseError | EventStoreError | Missing

/** The statements that write what is made of the events of an append, in its transaction. */
export const statements = (
  ask: Ask,
  { collections, sql, store }: PostgresDocuments,
  inline: Inline,
  events: ReadonlyArray<StoredEvent>,
  before: number,
  now: number
): Effect.Effect<ReadonlyArray<Statement>, Problem> =>
  Effect.gen(function* () {
    const ready = (used: ReadonlyArray<Collection>) =>
      collections.missing(used).length > 0 ? Effect.fail(new Missing(used)) : Effect.void
    const reads = yield* Commits.attempt(() => inline.read(events))
    yield* ready(reads.map(({ collection }) => collection))
    const { documents, found } = yield* read(ask, sql, reads, now)
    const writes = yield* Commits.attempt(() => inline.write(events, documents, before))
    yield* ready(writes.map(({ collection }) => collection))
    const unread = writes.filter((write) => !found.has(keyOf(write)))
    const stateOf = unread.length === 0 ? () => undefined : yield* statesOf(ask, sql, unread)
    const known = (write: Write) => found.has(keyOf(write)) ? found.get(keyOf(write)) : stateOf(write)
    const planned = plan(writes, known, now)
    if (Result.isSuccess(planned)) return changes(sql, planned.success, known, now)
    return yield* Effect.fail(Commits.notInline(store.name, planned.failure))
  })

/** Runs an append again where a collection was missing, or a document that was absent has been written meanwhile. */
export const appending = <A>(
  { collections }: PostgresDocuments,
  append: Effect.Effect<A, Problem>
): Effect.Effect<A, DatabaseError | EventStoreError> =>
  append.pipe(
    Effect.tapError((error) =>
      error instanceof Missing
        ? collections.using(error.collections, Effect.void)
        : Effect.sync(() => error instanceof DatabaseError && isMissing(error) && collections.forget())
    ),
    Effect.retry({
      times: 10,
      while: (error) =>
        error instanceof Missing || error instanceof DatabaseError && (isContended(error) || isMissing(error))
    }),
    Effect.catchIf(
      (error) => error instanceof Missing,
      ({ collections }) =>
        Effect.die(new Error(`${collections.map(({ name }) => name)} do not come into being`))
    )
  )

/** Documents in the order in which they are asked for, and each of them by its key; nobody else writes them now. */
const read = (
  ask: Ask,
  sql: Documents.DocumentStatements,
  reads: ReturnType<Inline["read"]>,
  now: number
) =>
  Effect.suspend(() => {
    const asked = Commits.inTableOrder(reads.filter(({ ids }) => ids.length > 0))
    const statements = asked.map(({ collection, ids }): Statement => {
      const [text, parameters] = sql.get(collection, [...new Set(ids)], now)
      return [`${text} order by id for update`, parameters]
    })
    return Effect.map(statements.length === 0 ? Effect.succeed([]) : ask(statements), (rows) => {
      const found = new Map<string, StoredDocument | undefined>()
      for (const [i, { collection, ids }] of asked.entries()) {
        const documents = Documents.inOrder(ids, rows[i]!)
        ids.forEach((id, j) => found.set(keyOf({ collection, id }), documents[j]))
      }
      const documents = reads.map(({ collection, ids }) =>
        ids.map((id) => found.get(keyOf({ collection, id })))
      )
      return { documents, found }
    })
  })
