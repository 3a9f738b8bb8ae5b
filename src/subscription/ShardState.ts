// The document of a shard: where it stands and who works on it. Not public.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type { Collection, DocumentStore, Put, StoredDocument } from "../repository/DocumentStore.ts"
import { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Live from "./Live.ts"
import * as Parsing from "./Parsing.ts"
import { NotBegun, ShardsDiffer, SubscriptionError } from "./SubscriptionError.ts"

const Stopped = Schema.Struct({ position: Schema.Number, error: Schema.String, since: Schema.Number })

const Request = Schema.Struct({
  id: Schema.String,
  stream: Schema.String,
  action: Schema.Literals(["redrive", "discard"])
})

const Settled = Schema.Struct({ stream: Schema.String, from: Schema.Number, upTo: Schema.Number })

const schema = Schema.Struct({
  subscription: Schema.String,
  shard: Schema.Number,
  of: Schema.Number,
  position: Schema.Number,
  highest: Schema.Number,
  replay: Schema.Number,
  owner: Schema.NullOr(Schema.String),
  epoch: Schema.Number,
  until: Schema.Number,
  lease: Schema.Number,
  commit: Schema.String,
  requests: Schema.Array(Request),
  settled: Schema.Array(Settled),
  handled: Schema.Number,
  skipped: Schema.Number,
  rate: Schema.Number,
  stopped: Schema.NullOr(Stopped)
})

/** What stopped a shard. */
export interface StoppedBy {
  /** The position of the event that could not be handled. */
  readonly position: number
  readonly error: string
  /** Milliseconds since 1970 UTC. */
  readonly since: number
}

export interface Request {
  readonly id: string
  readonly stream: string
  readonly action: "redrive" | "discard"
}

/** A part of a stream, by positions: it was held back, and has been handled or let go. */
export interface Settled {
  readonly stream: string
  readonly from: number
  readonly upTo: number
}

export interface ShardState {
  readonly subscription: string
  readonly shard: number
  /** How many shards there are. */
  readonly of: number
  /** Every event of the shard up to it has been handled. */
  readonly position: number
  /** The furthest that has been handled; with several streams at a time not everything before it has been. */
  readonly highest: number
  /** Events up to here are being handled again. */
  readonly replay: number
  /** The process that works on it. */
  readonly owner: string | null
  /** Grows whenever what an owner holds in memory is no longer right: the token of the lease. */
  readonly epoch: number
  /** The end of the lease by the owner's clock, in milliseconds since 1970 UTC; only to be shown. */
  readonly until: number
  /** How long the lease is, in milliseconds: who sees no commit of the owner for so long may take the shard. */
  readonly lease: number
  /** Names the last commit of an owner: by it the owner knows its own, and others that it lives. */
  readonly commit: string
  /** What the owner is asked to do with parked streams. */
  readonly requests: ReadonlyArray<Request>
  /** What has been done ahead of the position. */
  readonly settled: ReadonlyArray<Settled>
  /** How many events have been handled, counting again those that were handled again. */
  readonly handled: number
  readonly skipped: number
  /** Events handled a second, of late. */
  readonly rate: number
  readonly stopped: StoppedBy | null
}

/** A document of a shard, as read. */
export interface Stored {
  readonly version: number
  readonly state: ShardState
}

export const collection: Collection = { name: "dunnock_subscriptions", indexes: [] }

export const idOf = (name: string, shard: number): string => `${name}/${shard}`

const decode = Parsing.make(collection, schema)

const parse = (document: StoredDocument): Effect.Effect<Stored, DocumentStoreError> =>
  Effect.map(decode(document), (state) => ({ version: document.version, state }))

export const put = (state: ShardState, expected: number): Put => ({
  op: "put",
  collection,
  id: idOf(state.subscription, state.shard),
  expected,
  data: JSON.stringify(state),
  position: state.position,
  expiresAt: undefined
})

const get = (documents: DocumentStore, name: string, indexes: ReadonlyArray<number>) =>
  Effect.flatMap(
    documents.get(collection, indexes.map((index) => idOf(name, index))),
    (found) =>
      Effect.forEach(found, (document) =>
        document === undefined || document.deletedAt !== undefined ? Effect.undefined : parse(document))
  )

/** One shard, if the subscription has ever run. */
export const readOne = (
  documents: DocumentStore,
  name: string,
  index: number
): Effect.Effect<Stored | undefined, DocumentStoreError> =>
  Effect.map(get(documents, name, [index]), ([stored]) => stored)

/** Every shard of a subscription, in order. */
export const readAll = (
  documents: DocumentStore,
  name: string
): Effect.Effect<ReadonlyArray<Stored>, DocumentStoreError | SubscriptionError> =>
  Effect.gen(function* () {
    const first = yield* readOne(documents, name, 0)
    if (first === undefined) {
      return yield* Effect.fail(new SubscriptionError({ reason: new NotBegun({ subscription: name }) }))
    }
    const others = Array.from({ length: first.state.of - 1 }, (_, i) => i + 1)
    const stored = others.length === 0 ? [] : yield* get(documents, name, others)
    return [first, ...stored.filter((one) => one !== undefined)]
  })

/**
 * Makes the documents of a subscription at its first run, each at the position that `from` gives; refuses another number
 * of shards than it has.
 */
export const open = <E>(
  documents: DocumentStore,
  { name, shards }: { readonly name: string; readonly shards: number },
  from: Effect.Effect<number, E>
): Effect.Effect<void, DocumentStoreError | SubscriptionError | E> =>
  Effect.gen(function* () {
    const found = yield* get(documents, name, Array.from({ length: shards }, (_, i) => i))
    const stored = found.find((one) => one !== undefined)?.state.of ?? shards
    if (stored !== shards) {
      const reason = new ShardsDiffer({ subscription: name, stored, given: shards })
      return yield* Effect.fail(new SubscriptionError({ reason }))
    }
    const absent = found.flatMap((one, i) => one === undefined ? [i] : [])
    if (absent.length === 0) return
    const position = yield* from
    yield* documents.commit(absent.map((shard) => put(fresh(name, shard, shards, position), 0)))
  }).pipe(
    // Another process was first, or it was this one: then they are there now.
    Effect.catchIf(
      (error) =>
        error instanceof DocumentStoreError &&
        (error.reason._tag === "VersionConflict" || error.reason._tag === "OutcomeUnknown"),
      () => open(documents, { name, shards }, from)
    )
  )

const fresh = (name: string, shard: number, of: number, position: number): ShardState => ({
  subscription: name,
  shard,
  of,
  position,
  highest: 0,
  replay: 0,
  owner: null,
  epoch: 0,
  until: 0,
  lease: 0,
  commit: "",
  requests: [],
  settled: [],
  handled: 0,
  skipped: 0,
  rate: 0,
  stopped: null
})

/** Changes shards from the side, whoever owns them, together with other writes; the owner in this process looks at once. */
export const change = (
  documents: DocumentStore,
  name: string,
  f: (state: ShardState) => ShardState,
  writes: ReadonlyArray<Put> = []
): Effect.Effect<void, DocumentStoreError | SubscriptionError> =>
  readAll(documents, name).pipe(
    Effect.flatMap((shards) => {
      const puts = shards.flatMap(({ state, version }) => {
        const next = f(state)
        return next === state ? [] : [put(next, version)]
      })
      return puts.length + writes.length === 0 ? Effect.void : documents.commit([...puts, ...writes])
    }),
    Effect.catchIf(
      (error) =>
        error instanceof DocumentStoreError && error.reason._tag === "VersionConflict" &&
        error.reason.collection === collection.name,
      () => Effect.andThen(Effect.yieldNow, change(documents, name, f, writes))
    ),
    Effect.tap(() =>
      Effect.sync(() => {
        const live = Live.of(documents, name)
        live.looked = undefined
        live.changed.notify()
      })
    )
  ) as Effect.Effect<void, DocumentStoreError | SubscriptionError>

/** An id that nobody else has. */
export const newId: Effect.Effect<string> = Effect.map(
  Effect.all([Clock.currentTimeMillis, Random.next, Random.next]),
  (parts) => parts.map((part) => part.toString(36).replace("0.", "")).join("-")
)
