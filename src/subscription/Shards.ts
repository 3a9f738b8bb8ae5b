// Who works on which shard of a subscription, and how far it has come. Not public.
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type { EventStoreError } from "../event/EventStoreError.ts"
import type { Collection, DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Lease from "./Lease.ts"
import * as Live from "./Live.ts"
import * as Owning from "./Owning.ts"
import * as ShardState from "./ShardState.ts"

export type { LeaseLost, Pending } from "./Lease.ts"
export { change, newId, open, readAll, type ShardState, type StoppedBy } from "./ShardState.ts"
export { reached } from "./Waiting.ts"

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
  /** This has been handled, though perhaps not all before it. */
  readonly handledTo: (position: number) => void
  /** Called before looking at `state`: the effect ends when somebody else has changed it since. */
  readonly changed: () => Effect.Effect<void>
  /** Open when the shard is to be given back: nothing new is to be begun, and the work to end when what runs has. */
  readonly leave: Latch.Latch
  /** Whether the lease has time left. Nothing new should be begun without. */
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

/** A shard that is held here. */
interface Held {
  readonly fiber: Fiber.Fiber<void>
  /** Opened when it is to be given back. */
  readonly leave: Latch.Latch
}

/**
 * Takes this process's fair share of the shards and works on each as long as it has it; never ends. The shards are given
 * back when it is interrupted. `open` must have made them.
 *
 * `work` is interrupted when its shard is lost, or has not ended a lease after it was told to; begun again, after a pause,
 * when it fails; and not begun again, while the shard stays here, when it ends.
 */
export const run = <R>(
  documents: DocumentStore,
  options: Options,
  work: (shard: Shard) => Effect.Effect<void, EventStoreError | DocumentStoreError | LeaseLost, R>
): Effect.Effect<never, never, R> =>
  Effect.gen(function* () {
    const { name, shards } = options
    const me = yield* ShardState.newId
    const lease = Duration.toMillis(options.lease)
    const live = Live.of(documents, name)
    const held = new Map<number, Held>()
    /** The last commit of each shard, and when it was first seen here. */
    const seen = new Map<number, { readonly commit: string; readonly at: number }>()
    // So that those which others left behind are cleared at the start.
    let others = Infinity

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

    const hold = (taken: Lease.Lease, leave: Latch.Latch) => {
      const { shard } = taken.state()
      return Effect.ensuring(
        Owning.own(taken, live, lease, leave, work),
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
          const { epoch, position, shard } = taken.state()
          live.reached.set(shard, { epoch, position })
          const leave = Latch.makeUnsafe(false)
          held.set(shard, { leave, fiber: yield* Effect.forkDetach(hold(taken, leave)) })
        })
      )

    /** For how many milliseconds another still has a shard: as long as its lease is, since its last commit was seen. */
    const leftOf = ({ commit, lease, owner, shard }: ShardState.ShardState, now: number): number => {
      if (seen.get(shard)?.commit !== commit) seen.set(shard, { commit, at: now })
      return owner === null || owner === me ? 0 : seen.get(shard)!.at + lease - now
    }

    /** Takes and gives back; says for how many milliseconds nothing more will have to be done. */
    const look = Effect.gen(function* () {
      const stored = yield* ShardState.readAll(documents, name)
      const working = stored.filter(({ state }) => state.stopped === null)
      const mine = yield* share(working.length)
      const kept = [...held.values()].filter(({ leave }) => !leave.isOpen())
      for (const { leave } of kept.slice(mine)) leave.openUnsafe()
      const now = yield* Lease.elapsed
      const foreign = working.filter(({ state }) => !held.has(state.shard))
        .map((one) => ({ one, left: leftOf(one.state, now) }))
      const free = foreign.filter(({ left }) => left <= 0)
      for (const { one } of free.slice(0, Math.max(mine - kept.length, 0))) yield* takeUp(one)
      const ends = foreign.flatMap(({ left }) => left > 0 ? left : [])
      return Math.ceil(Math.min(lease / 3, ...ends))
    })

    yield* Effect.addFinalizer(() =>
      shards === 1 ? Effect.void : documents.commit([
        { op: "remove", collection: members, id: `${name}/${me}`, expected: "any" }
      ]).pipe(Effect.interruptible, Effect.timeout("1 second"), Effect.ignore)
    )
    // Ends before the member goes: a shard is given back first.
    yield* Effect.addFinalizer(() => {
      const all = [...held.values()]
      for (const { leave } of all) leave.openUnsafe()
      return Fiber.awaitAll(all.map(({ fiber }) => fiber))
    })
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
