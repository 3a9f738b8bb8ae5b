// Documents that are written in the transaction of an append. Not public.
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import type { Inline, StoredEvent } from "../../src/event/EventStoreDriver.ts"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import { type Collection, isExpired, plan } from "../../src/repository/DocumentStore.ts"
import { attempt, idsOf, notInline } from "../sql/Commits.ts"
import type { Statement } from "../sql/EventLog.ts"
import { changes } from "./changes.ts"
import type { Transaction } from "./MysqlDatabase.ts"
import { isMissing } from "./MysqlError.ts"
import { lock, type MysqlDocuments, Stored } from "./MysqlDocuments.ts"

/** These collections have to be made first: the server would commit the transaction by making them in it. */
export interface MissingCollections {
  readonly _tag: "MissingCollections"
  readonly collections: ReadonlyArray<Collection>
}

/** What an append says to the projection that goes with it. */
export interface Written {
  readonly events: ReadonlyArray<StoredEvent>
  /** The position of the newest event before these. */
  readonly before: number
  readonly now: number
}

/** Reads, in a transaction, what a projection asks for, and gives the statements that write what it makes of events. */
export const write = (
  { collections, documents, sql }: MysqlDocuments,
  transaction: Transaction,
  inline: Inline,
  { before, events, now }: Written
): Effect.Effect<ReadonlyArray<Statement>, EventStoreError | SqlError | MissingCollections> =>
  Effect.gen(function* () {
    const ready = (used: ReadonlyArray<Collection>): Effect.Effect<void, MissingCollections> =>
      collections.missing(used).length === 0
        ? Effect.void
        : Effect.fail({ _tag: "MissingCollections", collections: used })
    const stored = new Stored()
    const wanted = yield* attempt(() => inline.read(events))
    yield* ready(wanted.map(({ collection }) => collection))
    yield* lock(transaction, wanted, stored, { data: true })
    const read = wanted.map(({ collection, ids }) =>
      ids.map((id) => {
        const document = stored.find(collection, id)
        return document !== undefined && isExpired(document, now) ? undefined : document
      })
    )
    const writes = yield* attempt(() => inline.write(events, read, before))
    const unread = writes.filter(({ collection, id }) => !stored.isRead(collection, id))
    yield* ready(writes.map(({ collection }) => collection))
    yield* lock(transaction, idsOf(unread), stored, { data: false })
    const planned = plan(writes, ({ collection, id }) => stored.find(collection, id), now)
    if (Result.isFailure(planned)) {
      return yield* Effect.fail(notInline(documents.name, planned.failure))
    }
    return changes(sql, planned.success, stored, now)
  })

/** Sees to it that an append which failed for the sake of collections can be tried again. */
export const makeReady = (
  { collections }: MysqlDocuments,
  error: EventStoreError | SqlError | MissingCollections
): Effect.Effect<void, SqlError> => {
  if (error._tag === "MissingCollections") return collections.using(error.collections, Effect.void)
  return error._tag === "SqlError" && isMissing(error) ? Effect.sync(collections.forget) : Effect.void
}
