// Commits appends in groups: those that arrive while a commit is under way make up the next. Not public.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Append, EventStoreDriver, Outcome, Receipt } from "./EventStoreDriver.ts"
import { EventStoreError, Unavailable } from "./EventStoreError.ts"

type Receipts = Effect.Effect<ReadonlyArray<Receipt>, EventStoreError>

interface Pending {
  readonly append: Append
  readonly resume: (receipts: Receipts) => void
}

export interface GroupCommit {
  readonly commit: (append: Append) => Receipts
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

      const commitOne = (append: Append): Receipts =>
        Effect.flatMap(driver.append([append]), ([outcome]) => {
          wake()
          return settle(outcome!)
        })

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
          const exit = yield* Effect.exit(driver.append(batch.map(({ append }) => append)))
          if (Exit.isSuccess(exit)) {
            wake()
            batch.forEach(({ resume }, i) => resume(settle(exit.value[i]!)))
          } else if (batch.length === 1 || concernsAll(exit.cause)) {
            for (const { resume } of batch) resume(Effect.failCause(exit.cause))
          } else {
            // One append may have spoiled the group for the others: let each speak for itself.
            for (const { append, resume } of batch) resume(yield* Effect.exit(commitOne(append)))
          }
        }
      })

      const commitGrouped = (append: Append): Receipts =>
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

const settle = (outcome: Outcome): Receipts =>
  Result.isSuccess(outcome)
    ? Effect.succeed(outcome.success)
    : Effect.fail(new EventStoreError({ reason: outcome.failure }))

/** Whether a failed commit would fail for each append alone as well, or must not be tried again. */
const concernsAll = (cause: Cause.Cause<EventStoreError>): boolean => {
  const error = Cause.findErrorOption(cause)
  return Option.isSome(error) && error.value.isRetryable
}
