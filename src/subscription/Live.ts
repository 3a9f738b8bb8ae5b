// What the shards that this process owns have reached, for those in the process who wait. Not public.
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import type { ShardState } from "./ShardState.ts"
import type { SubscriptionError } from "./SubscriptionError.ts"

/** Tells whoever waits that something has happened. */
export interface Signal {
  readonly notify: () => void
  /** Called before looking: the effect ends with the next `notify` after this call. */
  readonly next: () => Effect.Effect<void>
}

export const signal = (): Signal => {
  let count = 0
  let waiting = new Set<() => void>()
  return {
    notify: () => {
      count++
      if (waiting.size === 0) return
      const woken = waiting
      waiting = new Set()
      for (const wake of woken) wake()
    },
    next: () => {
      const seen = count
      return Effect.callback<void>((resume) => {
        if (count !== seen) return resume(Effect.void)
        const wake = () => resume(Effect.void)
        waiting.add(wake)
        return Effect.sync(() => void waiting.delete(wake))
      })
    }
  }
}

/** Ends when something holds, looking whenever the signal is given. */
export const until = (signal: Signal, holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    const next = signal.next()
    return holds() ? Effect.void : Effect.andThen(next, until(signal, holds))
  })

/** One subscription, as far as this process has it. */
export interface Live {
  /** How far each shard that is owned here has come, by its index, and in which epoch. */
  readonly reached: Map<number, { readonly position: number; readonly epoch: number }>
  /** A shard owned here has come further, or is no longer owned here. */
  readonly progress: Signal
  /** Somebody in this process has written to the documents of the shards: look at once. */
  readonly changed: Signal
  /** The last look at the documents by somebody who waits, and when it was begun. */
  looked:
    | { readonly at: number; readonly fiber: Fiber.Fiber<ReadonlyArray<ShardState>, LookFailure> }
    | undefined
}

type LookFailure = DocumentStoreError | SubscriptionError

const subscriptions = new WeakMap<DocumentStore, Map<string, Live>>()

/** The subscription of this name over this store; the same one for everybody in the process. */
export const of = (documents: DocumentStore, name: string): Live => {
  let ofStore = subscriptions.get(documents)
  if (ofStore === undefined) subscriptions.set(documents, ofStore = new Map())
  let live = ofStore.get(name)
  if (live === undefined) {
    ofStore.set(name, live = { reached: new Map(), progress: signal(), changed: signal(), looked: undefined })
  }
  return live
}

/** How far a shard has come in this process, if that is not from before it was moved; else 0. */
export const reachedOf = ({ reached }: Live, { epoch, shard }: ShardState): number => {
  const here = reached.get(shard)
  return here !== undefined && here.epoch >= epoch ? here.position : 0
}
