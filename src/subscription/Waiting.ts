// Waiting until a subscription has come to a position. Not public.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Lease from "./Lease.ts"
import * as Live from "./Live.ts"
import * as ShardState from "./ShardState.ts"
import { Stopped, SubscriptionError } from "./SubscriptionError.ts"

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
    const come = (state: ShardState.ShardState) => Math.max(state.position, Live.reachedOf(live, state))
    const isElsewhere = ({ shard }: ShardState.ShardState) => !live.reached.has(shard)
    let waiting: ReadonlyArray<ShardState.ShardState> | undefined
    let age = 0
    while (true) {
      const progress = live.progress.next()
      waiting = waiting?.filter((state) => come(state) < position)
      if (waiting === undefined || waiting.some(isElsewhere)) {
        const states = yield* look(documents, name, (yield* Lease.elapsed) - age)
        waiting = states?.filter((state) => come(state) < position)
        yield* refuseStopped(waiting ?? [])
      }
      if (waiting?.length === 0) return
      age = polling
      yield* waiting?.some(isElsewhere) === false
        ? progress
        : Effect.raceFirst(progress, Effect.sleep(polling))
    }
  })

/** The shards, as they were at a time or later; undefined if there are none yet. Who waits looks together with others. */
const look = (
  documents: DocumentStore,
  name: string,
  since: number
): Effect.Effect<ReadonlyArray<ShardState.ShardState> | undefined, DocumentStoreError | SubscriptionError> =>
  Effect.gen(function* () {
    const live = Live.of(documents, name)
    if (live.looked === undefined || live.looked.at <= since) {
      const read = Effect.map(ShardState.readAll(documents, name), (all) => all.map(({ state }) => state))
      live.looked = { at: yield* Lease.elapsed, fiber: yield* Effect.forkDetach(read) }
    }
    return yield* Fiber.join(live.looked.fiber)
  }).pipe(
    Lease.patient,
    Effect.catchIf(
      (error) => error._tag === "SubscriptionError" && error.reason._tag === "NotBegun",
      () => Effect.undefined
    )
  )

const refuseStopped = (states: ReadonlyArray<ShardState.ShardState>) => {
  const state = states.find(({ stopped }) => stopped !== null)
  if (state === undefined) return Effect.void
  const { shard, stopped, subscription } = state
  const { error, position } = stopped!
  return Effect.fail(new SubscriptionError({ reason: new Stopped({ subscription, shard, position, error }) }))
}
