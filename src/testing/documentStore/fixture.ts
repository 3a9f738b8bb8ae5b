// What the cases of the document store's contract share. Not public.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { EventStore } from "../../event/EventStore.ts"
import {
  type Collection,
  type Condition,
  DocumentStore,
  type ExpectedVersion,
  type Field,
  type Kind,
  type Put,
  type Selection,
  type StoredDocument,
  type Write
} from "../../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../../repository/DocumentStoreError.ts"
import { Broken, type Case } from "../Contract.ts"

export { refused } from "../Contract.ts"

/** The services under test. */
export type Services = EventStore | DocumentStore

type Run = Case<Services>["run"]

/** Both halves of a store that is open. */
export interface Open {
  readonly documents: DocumentStore
  readonly events: EventStore
}

/** Opens the store, uses it, closes it. */
export const withStores = <A>(
  layer: Layer.Layer<Services, unknown>,
  body: (open: Open) => Effect.Effect<A, unknown, Scope.Scope>
): Effect.Effect<A, unknown> =>
  Effect.all({ documents: DocumentStore, events: EventStore }).pipe(
    Effect.flatMap(body),
    Effect.scoped,
    Effect.provide(layer, { local: true })
  )

/** The cases of a topic: each gets empty stores. */
export const topic = (
  topic: string,
  cases: { readonly [name: string]: (open: Open) => Effect.Effect<void, unknown, Scope.Scope> }
): ReadonlyArray<Case<Services>> =>
  Object.entries(cases).map(([name, body]) => ({
    topic,
    name,
    needs: undefined,
    run: (layer) => withStores(layer, body)
  }))

/** The cases of a guarantee, which open the store as often as they need. */
export const place = (
  needs: "durable" | "shared",
  cases: { readonly [name: string]: Run }
): ReadonlyArray<Case<Services>> =>
  Object.entries(cases).map(([name, run]) => ({ topic: `documents, ${needs}`, name, needs, run }))

export const text = (name: string): Field => ({ name, kind: "text" })
export const number = (name: string): Field => ({ name, kind: "number" })
export const boolean = (name: string): Field => ({ name, kind: "boolean" })
export const any = (name: string): Field => ({ name, kind: "any" satisfies Kind })

export const things: Collection = { name: "things", indexes: [] }
export const others: Collection = { name: "others", indexes: [] }

interface PutOptions {
  readonly collection?: Collection
  readonly expected?: ExpectedVersion
  readonly position?: number
  readonly expiresAt?: number
}

export const put = (
  id: string,
  data: object = {},
  { collection = things, expected = "any", expiresAt, position = 0 }: PutOptions = {}
): Put => ({ op: "put", collection, id, expected, data: JSON.stringify(data), position, expiresAt })

const bare =
  <Op extends "delete" | "remove" | "check">(op: Op) =>
  (id: string, expected: ExpectedVersion = "any", collection: Collection = things): Write => ({
    op,
    collection,
    id,
    expected
  })

export const del = bare("delete")
export const remove = bare("remove")
export const check = bare("check")

/** Everything, unless told otherwise. */
export const select = (selection: Partial<Selection> = {}): Selection => ({
  where: undefined,
  sort: [],
  deleted: "without",
  limit: 10_000,
  offset: 0,
  ...selection
})

export const where = (where: Condition): Selection => select({ where })

/** The ids of what is found. */
export const found = (
  documents: DocumentStore,
  selection: Partial<Selection> = {},
  collection: Collection = things
): Effect.Effect<ReadonlyArray<string>, DocumentStoreError> =>
  Effect.map(documents.find(collection, select(selection)), (all) => all.map(({ id }) => id))

export const getOne = (
  documents: DocumentStore,
  id: string,
  collection: Collection = things
): Effect.Effect<StoredDocument | undefined, DocumentStoreError> =>
  Effect.map(documents.get(collection, [id]), ([document]) => document)

/** A document that must be there. */
export const mustGet = (
  documents: DocumentStore,
  id: string,
  collection: Collection = things
): Effect.Effect<StoredDocument, DocumentStoreError | Broken> =>
  Effect.flatMap(
    getOne(documents, id, collection),
    (document) =>
      document === undefined
        ? Effect.fail(new Broken({ message: `document "${id}" is absent` }))
        : Effect.succeed(document)
  )

export const dataOf = ({ data }: StoredDocument): unknown => JSON.parse(data)

/** Runs an effect as if it were so many milliseconds later. */
export const later = (millis: number) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Clock.clockWith((clock) =>
    Effect.provideService(effect, Clock.Clock, {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
      monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: clock.monotonicTimeNanos,
      currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(millis) * 1_000_000n,
      currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + BigInt(millis) * 1_000_000n),
      sleep: (duration) => clock.sleep(duration)
    })
  )

/** Numbers from 0 on. */
export const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)

/** Adds one to a document's `n`, as one of many that do; a conflict is tried again. */
export const increment = (documents: DocumentStore, id: string): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    while (true) {
      const before = yield* getOne(documents, id)
      const n = before === undefined ? 0 : (dataOf(before) as { readonly n: number }).n
      const written = yield* Effect.result(
        documents.commit([put(id, { n: n + 1 }, { expected: before?.version ?? 0 })])
      )
      if (written._tag === "Success") return
      if (written.failure.reason._tag !== "VersionConflict") return yield* written.failure
      yield* Effect.yieldNow
    }
  })
