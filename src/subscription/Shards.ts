// Who works on which shard of a subscription, and how far it has come. Not public.
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { EventStoreError } from "../event/EventStoreError.ts"
import type { Collection, DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Lease from "./Lease.ts"
import * as Live from "./Live.ts"
import * as ShardState from "./ShardState.ts"
import { Stopped, SubscriptionError } from "./SubscriptionError.ts"

export type { LeaseLost, Pending } from "./Lease.ts"
export { change, open, readAll, type ShardState, type StoppedBy } from "./ShardState.ts"

/** A shard that this process owns, for as long as the lease lasts. */
export interface Shard {
  /** 0, 1, … */
  readonly index: number
  /** How many shards there are. */
  readonly of: number
  /** Up to where its events have been handled, as last written. */
  readonly position: () => number
  /** Its document, as last written or read. */
  readonly state: () => ShardState.ShardState
  /**
   * Changes the shard's document and writes others, together where the store is transactional. Waits for a store that is
   * away, and finds out about an unknown outcome. Fails with `LeaseLost` when another has taken the shard or moved it, and
   * with `VersionConflict` when one of the other documents is not as expected; nothing is written then. After `LeaseLost`
   * the work must end: it is begun again, from the new position, if the shard is still owned here.
   */
  readonly write: (pending: Lease.Pending) => Effect.Effect<void, DocumentStoreError | LeaseLost>
  /** Tells those who wait in this process that everything up to a position has been handled. Writes nothing. */
  readonly advance: (position: number) => void
  /** Called before looking at `state`: the effect ends when somebody else has changed it since. */
  readonly changed: () => Effect.Effect<void>
  /** Whether the lease has time left, by this process's clock. Nothing new should be begun without. */
  readonly held: Effect.Effect<boolean>
  /** Extends the lease. */
  readonly renew: Effect.Effect<void, DocumentStoreError | LeaseLost>
  /** What is still to be written when the shard is given back, in the same commit. Asked when the work has ended. */
  readonly atRelease: (pending: () => Lease.Pending) => void
}

type LeaseLost = Lease.LeaseLost

/** How a subscription is divided. */
export interface Options {
  /** The name of the subscription. */
  readonly name: string
  readonly shards: number
  /** How long a shard stays with an owner that no longer renews it. */
  readonly lease: Duration.Duration
}

/** How long a shard stays with an owner that no longer renews it, unless told otherwise. */
export const defaultLease: Duration.Duration = Duration.seconds(5)

/**
 * The shard of a stream, 0 to n - 1: FNV-1a of 32 bits over the UTF-16 code units of its name, then the finisher of
 * MurmurHash3, modulo the number of shards. It is part of what is stored, and never changes.
 */
export const shardOf = (stream: string, shards: number): number => {
  if (shards === 1) return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < stream.length; i++) hash = Math.imul(hash ^ stream.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % shards
}

/** Those who work on subscriptions, each with an expiry. */
const members: Collection = {
  name: "dunnock_members",
  indexes: [{ name: "subscription", kind: "text" }]
}

/**
 * Takes this process's fair share of the shards and works on each as long as it has it; never ends. The shards are given
 * back when it is interrupted. `open` must have made them.
 *
 * `work` is interrupted when its shard is lost; begun again, after a pause, when it fails; and not begun again, while the
 * shard stays here, when it ends.
 */
export const run = <R>(
  documents: DocumentStore,
  options: Options,
  work: (shard: Shard) => Effect.Effect<void, EventStoreError | DocumentStoreError | LeaseLost, R>
): Effect.Effect<never, never, R> =>
  Effect.gen(function* () {
    const { name, shards } = options
    const me = yield* newId
    const lease = Duration.toMillis(options.lease)
    const live = Live.of(documents, name)
    const held = new Map<number, Fiber.Fiber<void>>()
    const scope = yield* Effect.scope
    let others = 0

    const announce = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      // Whether this was written shows below, and again soon.
      yield* Effect.ignore(documents.commit([{
        op: "put",
        collection: members,
        id: `${name}/${me}`,
        expected: "any",
        data: JSON.stringify({ subscription: name, member: me }),
        position: 0,
        expiresAt: Math.ceil(now + lease)
      }]))
      const all = yield* documents.find(members, {
        where: { op: "eq", field: { name: "subscription", kind: "text" }, value: name },
        sort: [{ field: { name: "$id", kind: "text" }, direction: "asc" }],
        deleted: "without",
        limit: 10_000,
        offset: 0
      })
      if (all.length < others) yield* documents.clearExpired(members)
      others = all.length
      return all.length === 0 ? [`${name}/${me}`] : all.map(({ id }) => id)
    })

    /** How many of the shards are this process's: differs by at most one between processes. */
    const share = (working: number) =>
      shards === 1 ? Effect.succeed(1) : Effect.map(announce, (all) => {
        const rank = all.indexOf(`${name}/${me}`)
        return Math.floor(working / all.length) + (rank < working % all.length ? 1 : 0)
      })

    const hold = (taken: Lease.Lease) => {
      const { shard } = taken.state()
      return Effect.ensuring(
        own(taken, live, lease, work),
        Effect.sync(() => {
          held.delete(shard)
          live.reached.delete(shard)
          live.progress.notify()
          live.changed.notify()
        })
      )
    }

    /** What has been taken is held, whatever comes: only then will it be given back. */
    const takeUp = (one: ShardState.Stored) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const taken = yield* restore(Lease.take(documents, one, me, lease))
          if (taken === undefined) return
          live.reached.set(one.state.shard, one.state.position)
          held.set(one.state.shard, yield* Effect.forkIn(hold(taken), scope))
        })
      )

    /** Takes and gives back; says for how many milliseconds nothing more will have to be done. */
    const look = Effect.gen(function* () {
      const stored = yield* ShardState.readAll(documents, name)
      const working = stored.filter(({ state }) => state.stopped === null)
      const mine = yield* share(working.length)
      for (const fiber of [...held.values()].slice(mine)) yield* Fiber.interrupt(fiber)
      const now = yield* Clock.currentTimeMillis
      const foreign = working.filter(({ state }) => !held.has(state.shard))
      const free = foreign.filter(({ state }) =>
        state.owner === null || state.owner === me || state.until <= now
      )
      for (const one of free.slice(0, Math.max(mine - held.size, 0))) yield* takeUp(one)
      const ends = foreign.map(({ state }) => state.until - now).filter((left) => left > 0)
      return Math.ceil(Math.min(lease / 3, ...ends.map((left) => left + 1)))
    })

    yield* Effect.addFinalizer(() =>
      shards === 1 ? Effect.void : documents.commit([
        { op: "remove", collection: members, id: `${name}/${me}`, expected: "any" }
      ]).pipe(Effect.interruptible, Effect.timeout("1 second"), Effect.ignore)
    )
    // Ends before the member goes: a shard is given back first.
    yield* Effect.addFinalizer(() => Fiber.interruptAll(held.values()))
    let failures = 0
    return yield* Effect.forever(Effect.gen(function* () {
      const changed = live.changed.next()
      const exit = yield* Effect.exit(look)
      if (Exit.isFailure(exit) && failures++ % 10 === 0) {
        yield* Effect.logWarning(
          `subscription "${name}" cannot look for shards; it goes on trying`,
          exit.cause
        )
      }
      if (Exit.isSuccess(exit)) failures = 0
      const wait = Exit.isSuccess(exit) ? exit.value : Math.ceil(Math.min(Lease.pause(failures), lease / 3))
      yield* Effect.raceFirst(Effect.sleep(wait), changed)
    }))
  }).pipe(Effect.scoped)

/** Works on a shard until it is lost, and then gives it back if there is anything to give. */
const own = <R>(
  taken: Lease.Lease,
  live: Live.Live,
  lease: number,
  work: (shard: Shard) => Effect.Effect<void, EventStoreError | DocumentStoreError | LeaseLost, R>
): Effect.Effect<void, never, R> => {
  const altered = Live.signal()
  const shard = toShard(taken, live, altered)
  const { shard: index, subscription } = taken.state()
  const failed = (cause: Cause.Cause<unknown>, failures: number) =>
    Effect.andThen(
      Effect.logError(
        `the work on shard ${index} of subscription "${subscription}" failed; it is begun again`,
        cause
      ),
      Effect.sleep(Lease.pause(failures))
    )
  /** Ends when the work is to be begun again. */
  const working = (failures: number) =>
    Effect.matchCauseEffect(work(shard), {
      onSuccess: () => taken.state().stopped === null ? Effect.never : Effect.void,
      onFailure: (cause) => isLost(cause) ? Effect.void : failed(cause, failures)
    })
  /** Renews, and looks when told to. Ends when the shard has been moved. */
  const keeping = Effect.gen(function* () {
    while (!taken.isMoved()) {
      const changed = live.changed.next()
      const { requests } = taken.state()
      const left = Math.ceil(taken.state().until - lease * 2 / 3 - (yield* Clock.currentTimeMillis))
      const due = left <= 0 || (yield* Effect.raceFirst(
        Effect.as(Effect.sleep(left), false),
        Effect.as(changed, undefined)
      ))
      if (due === true) yield* taken.renew
      else if (due === undefined) yield* taken.refresh
      if (requests !== taken.state().requests) altered.notify()
    }
  })
  return Effect.gen(function* () {
    for (let failures = 2;; failures++) {
      taken.accept()
      taken.atRelease(undefined)
      live.reached.set(index, shard.position())
      yield* Effect.raceFirst(working(failures), keeping)
      if (taken.state().stopped !== null) return
      yield* taken.refresh
    }
  }).pipe(
    Effect.catchCause((cause) =>
      isLost(cause) ? Effect.void : Effect.andThen(
        Effect.logError(`shard ${index} of subscription "${subscription}" is given back`, cause),
        Effect.sleep(Lease.pause(5))
      )
    ),
    Effect.ensuring(Effect.suspend(() => taken.state().owner === null ? Effect.void : taken.release)),
    Effect.asVoid
  )
}

const isLost = (cause: Cause.Cause<EventStoreError | DocumentStoreError | LeaseLost>) =>
  Option.getOrUndefined(Cause.findErrorOption(cause))?._tag === "LeaseLost"

const toShard = (taken: Lease.Lease, live: Live.Live, altered: Live.Signal): Shard => {
  const { of, shard: index } = taken.state()
  const advance = (position: number) => {
    live.reached.set(index, position)
    live.progress.notify()
  }
  const position = () => taken.state().position
  return {
    index,
    of,
    position,
    state: taken.state,
    write: taken.write,
    atRelease: taken.atRelease,
    advance,
    changed: altered.next,
    held: Effect.map(Clock.currentTimeMillis, (now) => now < taken.state().until),
    renew: taken.renew
  }
}

/** An id that nobody else has. */
export const newId: Effect.Effect<string> = Effect.map(
  Effect.all([Clock.currentTimeMillis, Random.next, Random.next]),
  (parts) => parts.map((part) => part.toString(36).replace("0.", "")).join("-")
)

/** How often the documents are looked at by those who wait for shards that other processes own, in milliseconds. */
const polling = 50

/**
 * Ends when every shard has reached a position: promptly where the shards are owned by this process, else soon after
 * their commit.
 */
export const reached = (
  documents: DocumentStore,
  name: string,
  position: number
): Effect.Effect<void, DocumentStoreError | SubscriptionError> =>
  Effect.gen(function* () {
    const live = Live.of(documents, name)
    let waiting: ReadonlyArray<number> | undefined
    while (true) {
      const progress = live.progress.next()
      const here = (index: number) => live.reached.get(index) ?? -1
      waiting = waiting?.filter((index) => here(index) < position)
      if (waiting === undefined || waiting.some((index) => !live.reached.has(index))) {
        const states = yield* begun(documents, name)
        const behind = states.filter((state) => Math.max(state.position, here(state.shard)) < position)
        yield* refuseStopped(behind)
        waiting = behind.map(({ shard }) => shard)
      }
      if (waiting.length === 0) return
      const elsewhere = waiting.some((index) => !live.reached.has(index))
      yield* elsewhere ? Effect.raceFirst(progress, Effect.sleep(polling)) : progress
    }
  })

/** The shards; waits until there are any. */
const begun = (
  documents: DocumentStore,
  name: string
): Effect.Effect<ReadonlyArray<ShardState.ShardState>, DocumentStoreError | SubscriptionError> =>
  Lease.patient(ShardState.readAll(documents, name)).pipe(
    Effect.map((stored) => stored.map(({ state }) => state)),
    Effect.catchIf(
      (error) => error._tag === "SubscriptionError" && error.reason._tag === "NotBegun",
      () => Effect.andThen(Effect.sleep(polling), begun(documents, name))
    )
  )

const refuseStopped = (states: ReadonlyArray<ShardState.ShardState>) => {
  const state = states.find(({ stopped }) => stopped !== null)
  if (state === undefined) return Effect.void
  const { shard, stopped, subscription } = state
  const { error, position } = stopped!
  return Effect.fail(new SubscriptionError({ reason: new Stopped({ subscription, shard, position, error }) }))
}
