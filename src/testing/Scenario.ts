/**
 * Tests of an aggregate that read like a sentence: given these events, when this command comes, then those events, or
 * that error.
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { Aggregate } from "dunnock"
 * import * as Memory from "dunnock/memory"
 * import { Scenario } from "dunnock/testing"
 *
 * const Door = Aggregate.make("Door", {
 *   state: Schema.Boolean,
 *   initial: false,
 *   events: { Opened: {}, Closed: {} },
 *   commands: [Rpc.make("Open"), Rpc.make("Close")],
 *   evolve: { Opened: () => true, Closed: () => false }
 * })
 * const DoorLive = Door.toLayer({
 *   Open: ({ state }) => state ? [] : [{ _tag: "Opened" }],
 *   Close: ({ state }) => state ? [{ _tag: "Closed" }] : []
 * })
 *
 * const test = Scenario.given(Door, { _tag: "Opened" })
 *   .when("Close")
 *   .then({ _tag: "Closed" })
 *   .pipe(Effect.provide(DoorLive), Effect.provide(Memory.layer))
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import { format } from "effect/Formatter"
import type * as Rpc from "effect/rpc/Rpc"
import * as Stream from "effect/Stream"
import type { Aggregate, Command, Handler } from "../command/Aggregate.ts"
import type { AggregateError } from "../command/AggregateError.ts"
import * as EventStore from "../event/EventStore.ts"
import type { EventStoreError } from "../event/EventStoreError.ts"
import { Broken, equal } from "./Contract.ts"

/** What an aggregate has been through. */
export interface Given<in out Name extends string, in out State, in out E, in out C extends Command> {
  /** The command that comes. */
  readonly when: <Tag extends C["_tag"]>(
    command: Tag,
    ...payload: PayloadOf<Extract<C, { readonly _tag: Tag }>>
  ) => When<Name, State, E, Rpc.Error<Extract<C, { readonly _tag: Tag }>>>
}

/** The payload of a command as an argument; none for a command without one. */
type PayloadOf<C> = void extends Rpc.PayloadConstructor<C> ? [] : [payload: Rpc.PayloadConstructor<C>]

/** What is expected of the command. Each is a test: an effect that fails with `Broken` when it comes out otherwise. */
export interface When<in out Name extends string, in out State, in out E, in out Error> {
  /** Exactly these events are appended: none, when none is named. */
  readonly then: (...events: ReadonlyArray<E>) => Test<Name>
  /** The state afterwards. */
  readonly thenState: (state: State) => Test<Name>
  /** The command is refused with this error, and nothing is appended. */
  readonly thenFails: (error: Error | AggregateError | EventStoreError) => Test<Name>
}

/** A test, which needs the aggregate's handlers and an empty event store. */
export type Test<Name extends string> = Effect.Effect<
  void,
  Broken | EventStoreError,
  Handler<Name> | EventStore.EventStore
>

/** Begins a sentence: the aggregate has these events, in their order. */
export const given = <Name extends string, State, E, C extends Command>(
  aggregate: Aggregate<Name, State, E, C>,
  ...events: ReadonlyArray<NoInfer<E>>
): Given<Name, State, E, C> => ({
  when: (command, ...[payload]) => {
    const id = "under-test"
    const outcome = Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const { execute } = yield* aggregate.service
      const stream = aggregate.stream(id)
      const [before] = yield* store.driver.readStream({
        stream,
        direction: "forwards",
        from: 1,
        limit: 1,
        bare: true
      })
      if (before !== undefined) {
        return yield* new Broken({ message: `the store is not empty: give each scenario a store of its own` })
      }
      if (events.length > 0) yield* store.append(aggregate.events, [{ stream, events }])
      const result = yield* Effect.result(execute(id, command, payload))
      const after = store.read(aggregate.events, stream, { from: events.length + 1 })
      return { result, appended: (yield* Stream.runCollect(after)).map(({ data }) => data) }
    })
    const succeeded = Effect.flatMap(
      outcome,
      ({ appended, result }) =>
        result._tag === "Success"
          ? Effect.succeed(appended)
          : Effect.fail(new Broken({ message: `${command} was refused: ${describe(result.failure)}` }))
    )
    return {
      then: (...expected) =>
        Effect.flatMap(succeeded, (appended) => equal("events", appended as ReadonlyArray<E>, expected)),
      thenState: (expected) =>
        Effect.andThen(
          succeeded,
          Effect.flatMap(aggregate.state(id), ({ state }) => equal("state", state, expected))
        ),
      thenFails: (expected) =>
        Effect.flatMap(
          outcome,
          ({ appended, result }) =>
            result._tag === "Success"
              ? Effect.fail(new Broken({ message: `${command} was not refused: ${describe(appended)}` }))
              : same(result.failure, expected)
              ? equal("events", appended as ReadonlyArray<E>, [])
              : Effect.fail(
                new Broken({ message: `expected ${describe(expected)}, got ${describe(result.failure)}` })
              )
        )
    }
  }
})

/** Whether two errors are of one class with the same fields. Unlike values, errors are equal to themselves only. */
const same = (one: unknown, other: unknown): boolean => {
  if (!(one instanceof Error && other instanceof Error)) return Equal.equals(one, other)
  const fields: Record<string, unknown> = { ...one }
  const others: Record<string, unknown> = { ...other }
  return one.constructor === other.constructor && one.message === other.message &&
    Object.keys({ ...fields, ...others }).every((key) => same(fields[key], others[key]))
}

const describe = (value: unknown): string => {
  if (!(value instanceof Error)) return format(value)
  const { _tag: tag = value.name, ...rest } = { ...value } as { readonly _tag?: string }
  const fields = Object.entries(rest).filter(([, field]) => !(field instanceof Error))
  return [
    tag,
    value.message === "" ? "" : `: ${value.message}`,
    fields.length === 0 ? "" : ` ${format(Object.fromEntries(fields))}`
  ].join("")
}
