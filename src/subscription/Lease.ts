// A shard while it is owned: the only place that writes its document on behalf of the owner. Not public.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { EventStoreError } from "../event/EventStoreError.ts"
import type { DocumentStore, Write } from "../repository/DocumentStore.ts"
import { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as ShardState from "./ShardState.ts"

/** Another has the shard now, or has moved it to another position: what is in memory of it is no longer right. */
export interface LeaseLost {
  readonly _tag: "LeaseLost"
}

export const leaseLost: LeaseLost = { _tag: "LeaseLost" }

export type Change = (state: ShardState.ShardState) => ShardState.ShardState

/** A change of the shard's document, and what is written with it. */
export interface Pending {
  readonly change: Change
  readonly writes: ReadonlyArray<Write>
  /** Called when it has been written. */
  readonly written?: () => void
}

const nothing: Pending = { change: (state) => state, writes: [] }

type Failure = DocumentStoreError | LeaseLost

export interface Lease {
  /** The document as last written or read. */
  readonly state: () => ShardState.ShardState
  /** Writes a change, with other documents; waits for a store that is away. */
  readonly write: (pending: Pending) => Effect.Effect<void, Failure>
  /** How long the lease still lasts, in milliseconds. */
  readonly left: Effect.Effect<number>
  /** Everything up to here has been handled, or what is between has yet to be. */
  readonly handledTo: (position: number) => void
  /** Extends the lease. */
  readonly renew: Effect.Effect<void, Failure>
  /** Reads the document again; fails if it is another's. */
  readonly refresh: Effect.Effect<void, Failure>
  /** Whether somebody else has moved the shard: `write` fails until the new position is accepted. */
  readonly isMoved: () => boolean
  readonly accept: () => void
  /** What is to be written when the shard is given back. */
  readonly atRelease: (pending: (() => Pending) | undefined) => void
  /** Gives the shard back, if it can be done now. */
  readonly release: Effect.Effect<void>
}

/** Milliseconds that have passed since some time: no change of the machine's clock makes more or less of them. */
export const elapsed: Effect.Effect<number> = Effect.map(
  Clock.monotonicTimeNanos,
  (nanos) => Number(nanos / 1_000_000n)
)

/** How long to wait before the n-th attempt, in milliseconds. */
export const pause = (attempt: number): number => Math.min(50 * 2 ** attempt, 2_000)

/** Takes a shard that was found free; undefined if another was faster. */
export const take = (
  documents: DocumentStore,
  { state, version }: ShardState.Stored,
  owner: string,
  lease: number
): Effect.Effect<Lease | undefined, DocumentStoreError> =>
  Effect.gen(function* () {
    const at = yield* elapsed
    const until = (yield* Clock.currentTimeMillis) + lease
    const commit = yield* ShardState.newId
    const taken = { ...state, owner, epoch: state.epoch + 1, until, lease, commit, rate: 0 }
    const stored = yield* documents.commit([ShardState.put(taken, version)]).pipe(
      Effect.map(([written]): ShardState.Stored => ({ state: taken, version: written! })),
      Effect.catchIf(
        ({ reason }) => reason._tag === "VersionConflict" || reason._tag === "OutcomeUnknown",
        () => ShardState.readOne(documents, state.subscription, state.shard)
      )
    )
    return stored?.state.commit === commit ? make(documents, stored, owner, lease, at) : undefined
  })

const make = (
  documents: DocumentStore,
  { state, version }: ShardState.Stored,
  owner: string,
  lease: number,
  taken: number
): Lease => {
  const lock = Semaphore.makeUnsafe(1)
  let rated = { at: state.until - lease, handled: state.handled }
  let renewed = taken
  let highest = state.highest
  let moved = false
  /** Writes of which it is not known whether they happened. */
  let unknown: ReadonlyArray<
    { readonly pending: Pending; readonly state: ShardState.ShardState; readonly at: number }
  > = []

  /** Reads the document, and finds out what became of the unknown write: the one that happened, if it did. */
  const reread: Effect.Effect<Pending | undefined, Failure> = Effect.suspend(() =>
    Effect.flatMap(ShardState.readOne(documents, state.subscription, state.shard), (stored) => {
      if (stored?.state.owner !== owner) return Effect.fail(leaseLost)
      const happened = unknown.find(({ state }) => state.commit === stored.state.commit)
      const { epoch, position } = happened?.state ?? state
      moved ||= stored.state.epoch !== epoch || stored.state.position !== position
      ;({ state, version } = stored)
      renewed = happened?.at ?? renewed
      unknown = []
      happened?.pending.written?.()
      return Effect.succeed(happened?.pending)
    })
  )

  const next = (change: Change, now: number, commit: string): ShardState.ShardState => {
    const changed = change(state)
    const seconds = (now - rated.at) / 1000
    const rate = seconds < 1 ? state.rate : Math.round((changed.handled - rated.handled) / seconds * 10) / 10
    if (seconds >= 1) rated = { at: now, handled: changed.handled }
    const furthest = Math.max(changed.highest, changed.position, highest)
    return { ...changed, rate, highest: furthest, until: now + lease, commit }
  }

  /** One attempt. What became of it is taken down even if it is interrupted. */
  const attempt = (pending: Pending) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const { change, writes, written } = pending
        const at = yield* elapsed
        const changed = next(change, yield* Clock.currentTimeMillis, yield* ShardState.newId)
        const put = ShardState.put(changed, version)
        // Without transactions the position is written last: what was not written is then done again.
        const all = documents.transactional ? [put, ...writes] : [...writes, put]
        const exit = yield* Effect.exit(restore(documents.commit(all)))
        if (Exit.isSuccess(exit)) {
          state = changed
          version = exit.value[documents.transactional ? 0 : writes.length]!
          unknown = []
          renewed = at
          written?.()
        } else if (!isWithoutEffect(exit.cause)) {
          unknown = [...unknown, { pending, state: changed, at }]
        }
        return exit
      })
    )

  const write = (pending: Pending, fails: () => boolean): Effect.Effect<void, Failure> =>
    lock.withPermit(Effect.gen(function* () {
      for (let failures = 0;; failures++) {
        if (fails()) return yield* Effect.fail(leaseLost)
        const exit = yield* attempt(pending)
        if (Exit.isSuccess(exit)) return
        const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
        if (error === undefined) return yield* Effect.failCause(exit.cause)
        if (error.isRetryable) {
          yield* Effect.sleep(pause(failures))
          continue
        }
        if (error.reason._tag !== "VersionConflict") return yield* Effect.fail(error)
        const seen = version
        const happened = yield* patient(reread)
        if (happened === pending) return
        // It was not the shard's document that another had written.
        if (happened === undefined && seen === version) return yield* Effect.fail(error)
      }
    }))

  let last: (() => Pending) | undefined
  const giveBack = Effect.suspend(() => {
    const pending = moved ? nothing : last?.() ?? nothing
    return attempt({ ...pending, change: (state) => ({ ...pending.change(state), owner: null, rate: 0 }) })
  })

  return {
    state: () => state,
    // By both clocks: the one stands still while the machine sleeps, the other can be set back.
    left: Effect.zipWith(
      elapsed,
      Clock.currentTimeMillis,
      (at, now) => Math.min(renewed + lease - at, state.until - now)
    ),
    handledTo: (position) => {
      highest = Math.max(highest, position)
    },
    write: (pending) => write(pending, () => moved),
    renew: write(nothing, () => false),
    refresh: lock.withPermit(patient(Effect.asVoid(reread))),
    isMoved: () => moved,
    accept: () => {
      // What has been handled since the last checkpoint is known here only.
      if (moved) state = { ...state, replay: Math.max(state.replay, highest) }
      moved = false
    },
    atRelease: (pending) => {
      last = pending
    },
    release: giveBack.pipe(
      Effect.flatMap((exit) => Exit.isSuccess(exit) ? Effect.void : Effect.andThen(reread, giveBack)),
      Effect.interruptible,
      Effect.timeout("1 second"),
      Effect.ignore
    )
  }
}

/** Whether a commit that failed so has written nothing for certain. */
const isWithoutEffect = (cause: Cause.Cause<DocumentStoreError>): boolean => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return error !== undefined && error.reason._tag !== "OutcomeUnknown"
}

/** Waits for a store that is away. */
export const patient = <A, E>(
  self: Effect.Effect<A, E>,
  failures = 0
): Effect.Effect<A, E> =>
  Effect.catchIf(
    self,
    (error) => (error instanceof DocumentStoreError || error instanceof EventStoreError) && error.isRetryable,
    () => Effect.andThen(Effect.sleep(pause(failures)), patient(self, failures + 1))
  )
