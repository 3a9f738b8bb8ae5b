// The time for which this process owns a shard: it works on it, renews the lease, and gives it back. Not public.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type { EventStoreError } from "../event/EventStoreError.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Lease from "./Lease.ts"
import * as Live from "./Live.ts"
import type { Shard } from "./Shards.ts"

type LeaseLost = Lease.LeaseLost

/** Works on a shard until it is lost or to be left, and then gives it back if there is anything to give. */
export const own = <R>(
  taken: Lease.Lease,
  live: Live.Live,
  lease: number,
  leave: Latch.Latch,
  work: (shard: Shard) => Effect.Effect<void, EventStoreError | DocumentStoreError | LeaseLost, R>
): Effect.Effect<void, never, R> => {
  const altered = Live.signal()
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
    Effect.matchCauseEffect(work(toShard(taken, live, altered, leave)), {
      onSuccess: () => taken.state().stopped !== null || leave.isOpen() ? Effect.void : Effect.never,
      onFailure: (cause) => isLost(cause) ? Effect.void : failed(cause, failures)
    })
  /** Renews, and looks when told to. Ends when the shard has been moved. */
  const keeping = Effect.gen(function* () {
    while (!taken.isMoved()) {
      const changed = live.changed.next()
      const { requests } = taken.state()
      const left = Math.ceil((yield* taken.left) - lease * 2 / 3)
      const due = left <= 0 || (yield* Effect.raceFirst(
        Effect.as(Effect.sleep(left), false),
        Effect.as(changed, undefined)
      ))
      if (due === true) yield* taken.renew
      else if (due === undefined) yield* taken.refresh
      if (requests !== taken.state().requests) altered.notify()
    }
  })
  /** Ends when the lease has run out. */
  const expired = Effect.gen(function* () {
    for (let left = yield* taken.left; left > 0; left = yield* taken.left) {
      yield* Effect.sleep(Math.ceil(Math.min(left, lease / 3)))
    }
  })
  const works = Effect.gen(function* () {
    for (let failures = 2; !leave.isOpen(); failures++) {
      taken.accept()
      taken.atRelease(undefined)
      yield* Effect.raceAllFirst([working(failures), keeping, expired])
      if (taken.state().stopped !== null) return
      yield* Effect.raceFirst(taken.renew, leave.await)
    }
  })
  return Effect.raceFirst(works, Effect.andThen(leave.await, Effect.sleep(lease))).pipe(
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

const toShard = (taken: Lease.Lease, live: Live.Live, altered: Live.Signal, leave: Latch.Latch): Shard => {
  const { epoch, of, shard: index } = taken.state()
  const position = () => taken.state().position
  const advance = (position: number) => {
    live.reached.set(index, { position, epoch })
    live.progress.notify()
  }
  advance(position())
  return {
    index,
    of,
    position,
    state: taken.state,
    write: taken.write,
    atRelease: taken.atRelease,
    advance,
    handledTo: taken.handledTo,
    leave,
    changed: altered.next,
    held: Effect.map(taken.left, (left) => left > 0),
    renew: taken.renew
  }
}
