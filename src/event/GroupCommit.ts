// Commits appends in groups: those that arrive while a commit is under way make up the next. Not public.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Append, Appended, EventStoreDriver, Outcome } from "./EventStoreDriver.ts"
import { EventStoreError, Unavailable } from "./EventStoreError.ts"

type Committed = Effect.Effect<Appended, EventStoreError>

interface Pending {
  readonly append: Append
  readonly resume: (committed: Committed) => void
}

export interface GroupCommit {
  readonly commit: (append: Append) => Committed
  /** An effect that ends with the next commit after this call. */
  readonly committed: () => Effect.Effect<void>
}

const batchSize = 512

export const make: (driver: EventStoreDriver) => Effect.Effect<GroupCommit, never, Scope.Scope> = Effect
  .fnUntraced(
    function* (driver: EventStoreDriver) {
      const fork = Effect.runForkWith(yield* Effect.context<never>())
      let queue: Array<Pending> = []
      let flushing: Fiber.Fiber<void> | undefined
      let closed = false
      let commits = 0
      let waiting: Array<() => void> = []

      const wake = () => {
        commits++
        if (waiting.length === 0) return
        const woken = waiting
        waiting = []
        for (const resume of woken) resume()
      }

      const committed = () => {
        const seen = commits
        return Effect.callback<void>((resume) => {
          if (commits !== seen) return resume(Effect.void)
          const waiter = () => resume(Effect.void)
          waiting.push(waiter)
          return Effect.sync(() => {
            waiting = waiting.filter((other) => other !== waiter)
          })
        })
      }

      /** Whatever comes of it, subscribers look: even a commit that failed may be in the log. */
      const append = (appends: ReadonlyArray<Append>) =>
        Effect.map(Effect.exit(Effect.suspend(() => driver.append(appends))), (exit) => {
          wake()
          return Exit.isSuccess(exit) && exit.value.length !== appends.length
            ? Exit.die(
              new Error(`${driver.name} gave ${exit.value.length} outcomes for ${appends.length} appends`)
            )
            : exit
        })

      // Left to finish when its caller is interrupted, or what it wrote would wake nobody.
      const commitOne = (one: Append): Committed =>
        Effect.uninterruptible(
          Effect.flatMap(append([one]), (exit) =>
            Exit.isSuccess(exit) ? settle(exit.value[0]!) : Effect.failCause(exit.cause))
        )

      const flush = Effect.gen(function* () {
        while (true) {
          // Every fiber that is ready to append gets to do so before the commit.
          yield* Effect.yieldNow
          if (queue.length === 0) {
            flushing = undefined
            return
          }
          const batch = queue.slice(0, batchSize)
          queue = queue.slice(batchSize)
          const exit = yield* append(batch.map(({ append }) => append))
          if (Exit.isSuccess(exit)) {
            batch.forEach(({ resume }, i) => resume(settle(exit.value[i]!)))
          } else if (batch.length === 1 || concernsAll(exit.cause)) {
            for (const { resume } of batch) resume(Effect.failCause(exit.cause))
          } else {
            // One append may have spoiled the group for the others: let each speak for itself.
            for (const { append, resume } of batch) resume(yield* Effect.exit(commitOne(append)))
          }
        }
      })

      const commitGrouped = (append: Append): Committed =>
        Effect.callback((resume) => {
          if (closed) {
            const reason = new Unavailable({ store: driver.name, problem: "it is closed" })
            return resume(Effect.fail(new EventStoreError({ reason })))
          }
          const pending: Pending = { append, resume }
          queue.push(pending)
          flushing ??= fork(flush)
          return Effect.sync(() => {
            queue = queue.filter((other) => other !== pending)
          })
        })

      yield* Effect.addFinalizer(() =>
        Effect.suspend(() => {
          // Refuses what comes later, or writers that never rest would keep it open for good.
          closed = true
          return flushing === undefined ? Effect.void : Fiber.await(flushing)
        })
      )
      return { commit: driver.groupCommit ? commitGrouped : commitOne, committed }
    }
  )

const settle = (outcome: Outcome): Committed =>
  Result.isSuccess(outcome)
    ? Effect.succeed(outcome.success)
    : Effect.fail(new EventStoreError({ reason: outcome.failure }))

/** Whether a failed commit would fail for each append alone as well, or must not be tried again. */
const concernsAll = (cause: Cause.Cause<EventStoreError>): boolean => {
  const error = Cause.findErrorOption(cause)
  return Option.isSome(error) && error.value.isRetryable
}
