/**
 * What a contract is: named effects that show an adapter to keep a port's promises. They need no test runner, so the
 * same cases run under `bun:test`, Deno, Node and workerd.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import { format } from "effect/Formatter"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Guarantees } from "../event/EventStoreDriver.ts"
import type { ErrorClass } from "../event/EventStoreError.ts"

/** One promise, shown. `S` is the service of the port. */
export interface Case<in out S> {
  readonly topic: string
  readonly name: string
  /** The guarantee that an adapter must declare for the case to apply. Every adapter keeps the others. */
  readonly needs: "durable" | "shared" | undefined
  /** Fails, with a reason, if the promise is broken. The layer opens one place, empty at first, however often it is built. */
  readonly run: (layer: Layer.Layer<S, unknown>) => Effect.Effect<void, unknown>
}

/** The cases that apply to an adapter, and those that its guarantees leave out. */
export const select = <S>(
  cases: ReadonlyArray<Case<S>>,
  guarantees: Guarantees
): { readonly run: ReadonlyArray<Case<S>>; readonly left: ReadonlyArray<Case<S>> } => ({
  run: cases.filter(({ needs }) => needs === undefined || guarantees[needs]),
  left: cases.filter(({ needs }) => needs !== undefined && !guarantees[needs])
})

const BrokenBase: ErrorClass<Broken, "Broken", { readonly message: Schema.String }> = Schema.TaggedError<
  Broken
>(
  "dunnock/testing/Broken"
)("Broken", { message: Schema.String })

/** A promise that was not kept. */
export class Broken extends BrokenBase {}

/** Fails unless two values are equal in structure. */
export const equal = <A>(what: string, actual: A, expected: NoInfer<A>): Effect.Effect<void, Broken> =>
  Equal.equals(actual, expected)
    ? Effect.void
    : Effect.fail(new Broken({ message: `${what}: expected ${format(expected)}, got ${format(actual)}` }))

/** Fails unless a condition holds. */
export const holds = (what: string, condition: boolean): Effect.Effect<void, Broken> =>
  condition ? Effect.void : Effect.fail(new Broken({ message: what }))

/** The reason for which an effect fails; fails if it succeeds, or for another reason than one of this name. */
export const refused = <
  Reason extends { readonly _tag: string; readonly message: string },
  const Tag extends Reason["_tag"]
>(
  tag: Tag,
  effect: Effect.Effect<unknown, { readonly reason: Reason }>
): Effect.Effect<Extract<Reason, { readonly _tag: Tag }>, Broken> =>
  Effect.matchEffect(effect, {
    onSuccess: () => Effect.fail(new Broken({ message: `expected ${tag}, but it succeeded` })),
    onFailure: ({ reason }) =>
      reason._tag === tag
        ? Effect.succeed(reason as Extract<Reason, { readonly _tag: Tag }>)
        : Effect.fail(new Broken({ message: `expected ${tag}, got ${reason._tag}: ${reason.message}` }))
  })
