// Who works on which shard of a subscription, and how far it has come. Not public.
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { EventStoreError } from "../event/EventStoreError.ts"
import type { DocumentStore, Write } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"

/** A shard that this process owns, for as long as the lease lasts. */
export interface Shard {
  /** 0, 1, … */
  readonly index: number
  /** How many shards there are. */
  readonly of: number
  /** Up to where its events have been handled, as of the last commit. */
  readonly position: () => number
  /**
   * Writes documents and the new position, together where the store is transactional. Fails with `LeaseLost` when another
   * has taken the shard, and with `VersionConflict` when one of the documents is not as expected; nothing is written then.
   */
  readonly commit: (
    position: number,
    writes: ReadonlyArray<Write>,
    handled: number
  ) => Effect.Effect<void, DocumentStoreError | LeaseLost>
}

/** Another process has the shard now. */
export interface LeaseLost {
  readonly _tag: "LeaseLost"
}

export interface Options {
  /** The name of the subscription. */
  readonly name: string
  readonly shards: number
  /** How long a shard stays with an owner that no longer renews it. */
  readonly lease: Duration.Duration
}

/**
 * Takes this process's fair share of the shards and works on each as long as it has it; gives them back when the scope
 * closes. `work` is interrupted when its shard is lost, begun again when it is regained, and not begun again when it ends.
 */
export declare const run: <R>(
  documents: DocumentStore,
  options: Options,
  work: (shard: Shard) => Effect.Effect<void, EventStoreError | DocumentStoreError | LeaseLost, R>
) => Effect.Effect<void, DocumentStoreError, R | Scope.Scope>
