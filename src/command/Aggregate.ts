/**
 * Aggregates: things with an identity that are changed by commands and remembered as events.
 *
 * A command is decided from the current state into events; the events are appended to the aggregate's stream; the state
 * is those events folded. Deciding is pure, because another writer may come first and the command be decided again.
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { Aggregate } from "dunnock"
 *
 * const Counter = Aggregate.make("Counter", {
 *   state: Schema.Int,
 *   initial: 0,
 *   events: { Increased: { by: Schema.Int } },
 *   commands: [Rpc.make("Increase", { payload: { by: Schema.Int } })],
 *   evolve: { Increased: (count, { by }) => count + by }
 * })
 *
 * const CounterLive = Counter.toLayer({
 *   Increase: ({ command }) => [{ _tag: "Increased", by: command.by }]
 * })
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter.client
 *   yield* counter("c-1").Increase({ by: 2 })
 *   return yield* Counter.state("c-1")
 * })
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import type * as Schema from "effect/Schema"
import * as Event from "../event/Event.ts"
import * as EventStore from "../event/EventStore.ts"
import * as Input from "../event/Input.ts"
import type { Receipt } from "../event/EventStoreDriver.ts"
import type { EventStoreError } from "../event/EventStoreError.ts"
import type { AggregateError } from "./AggregateError.ts"
import * as CommandHandler from "./CommandHandler.ts"
import * as Fold from "./Fold.ts"

export type { Receipt } from "../event/EventStoreDriver.ts"

/**
 * A command: an Effect `Rpc` with a payload if it needs one, and an error if it can be refused. It has no `success` of its
 * own: what it gives is a receipt.
 */
export interface Command extends Rpc.Any {
  // Says no more than this, so that `Rpc.make` inside the list of commands infers its types from its own arguments.
  readonly successSchema: Schema.Void
}

/** What to know of an aggregate's definition. */
export interface Options<State, D extends Event.Definitions, Commands extends ReadonlyArray<Command>> {
  /** The schema of the state; used for snapshots. */
  readonly state: Schema.Codec<State, any>
  /** The state before the first event. */
  readonly initial: NoInfer<State>
  /** The events: fields by type, or `Event.make` for those with versions or tags. */
  readonly events: D
  /** The commands, each an `Rpc.make`. */
  readonly commands: Commands
  /** How each event changes the state: a pure function. */
  readonly evolve: {
    readonly [K in keyof D & string]: (
      state: NoInfer<State>,
      event: Event.ValuesByType<D>[K]
    ) => NoInfer<State>
  }
  /**
   * Keep the state every so many events, so that a cold aggregate is loaded from there. Worth it for streams of many
   * hundreds of events. A snapshot is ignored once the schema of the state, or `version`, has changed: raise `version`
   * when the same events fold into another state of the same schema.
   */
  readonly snapshots?: { readonly every: number; readonly version?: number }
}

/** As of when to read a state: a revision, or a time as a Date or in milliseconds since 1970 UTC. Now, when empty. */
export interface AsOf {
  readonly atRevision?: number
  readonly atTime?: Date | number
}

/** A state and where it stands. */
export interface Loaded<out State> {
  readonly state: State
  /** The revision of the last event folded into it: 0 when there is none yet. */
  readonly revision: number
  /** The position of that event in the log. */
  readonly position: number
}

/** What a command is decided from. */
export interface DecideInput<out State, out Payload> {
  /** The id of the aggregate. */
  readonly id: string
  readonly state: State
  /** The aggregate's revision: 0 when it does not exist yet. */
  readonly revision: number
  /** The payload of the command. */
  readonly command: Payload
}

/** A decision: events, none when there is nothing to do, or a failing effect when the command is refused. */
export type Decision<E, Error> = ReadonlyArray<E> | Effect.Effect<ReadonlyArray<E>, Error>

/** A handler that gathers facts before deciding; made by {@link resolve}. */
export interface Resolved<in Input, out Out, out Error, out R> {
  (input: Input): Out | Effect.Effect<never, Exclude<Error, EventStoreError>>
  readonly resolve: (input: any) => Effect.Effect<unknown, Error, R>
  readonly decide: (input: Input & { readonly facts: any }) => Out
}

/** The handlers of an aggregate's commands: functions, or what {@link resolve} makes of two. */
export type Handlers<State, E, C extends Command> = {
  readonly [Current in C as Current["_tag"]]: (
    input: DecideInput<State, Rpc.Payload<Current>>
  ) => Decision<E, Rpc.Error<Current>>
}

type Requirements<H> = {
  readonly [K in keyof H]: H[K] extends { readonly resolve: (input: any) => Effect.Effect<any, any, infer R> }
    ? R
    : never
}[keyof H]

/** Refuses handlers of commands that the aggregate does not have, in words that the compiler shows. */
type Others<Keys extends PropertyKey> = { readonly [Key in Keys]: "there is no such command" }

/**
 * A handler that needs the world: `resolve` gathers facts (a price, the time, a check elsewhere) once, before the
 * command is decided, and `decide` sees them as `facts`. It may then be decided more than once with the same facts, which
 * may be out of date by then: a rule over several aggregates is kept by the condition of an append, not by facts.
 * `resolve` may fail with the command's own errors, or with an `EventStoreError`.
 */
export const resolve = <State, Payload, Facts, Error, R, const Out extends Decision<unknown, unknown>>(
  resolve: (input: { readonly id: string; readonly command: Payload }) => Effect.Effect<Facts, Error, R>,
  decide: (input: DecideInput<State, Payload> & { readonly facts: Facts }) => Out
): Resolved<DecideInput<State, Payload>, Out, Error, R> =>
  Object.assign((input: any) => decide(input), { resolve, decide })

/** How a command is sent. */
export interface CommandOptions {
  /**
   * The command of this name runs at most once under this key for this aggregate: a repeat gets the first receipt,
   * whatever its payload. Only a command with a key can safely be sent again after `OutcomeUnknown`. Defaults to the key of the current metadata. A command that was refused, or that decided on no event, left nothing behind, and its
   * repeat is decided anew.
   */
  readonly idempotencyKey?: string
}

/** An aggregate's commands, by name. Each gives the receipt of what it appended. */
export type Client<C extends Command> = {
  readonly [Current in C as Current["_tag"]]: (
    payload: Rpc.PayloadConstructor<Current>,
    options?: CommandOptions
  ) => Effect.Effect<Receipt, Rpc.Error<Current> | AggregateError | EventStoreError>
} extends infer Commands ? Commands : never

/** The service that carries out the commands of the aggregate with this name: provided by its `toLayer`. */
export interface Handler<in out Name extends string> {
  readonly name: Name
  /** Carries out a command named at run time. Its own errors are those of the command. */
  readonly execute: (
    id: string,
    command: string,
    payload: unknown,
    options?: CommandOptions
  ) => Effect.Effect<Receipt, unknown>
}

/** An aggregate: its definition, and what can be done with it. */
export interface Aggregate<in out Name extends string, in out State, in out E, in out C extends Command> {
  readonly name: Name
  readonly service: Context.Service<Handler<Name>, Handler<Name>>
  /** Its events, to read them from the log or to project them. */
  readonly events: Event.Set<E>
  readonly commands: ReadonlyArray<C>
  /** The state before the first event. */
  readonly initial: State
  /** What an event makes of a state. */
  readonly evolve: (state: State, event: E) => State
  /** The name of the stream of the aggregate with an id. */
  readonly stream: (id: string) => string
  /** The id of the aggregate with a stream of this name. */
  readonly id: (stream: string) => string
  /** Its commands: `(yield* Account.client)("acc-1").Deposit({ amount: 5 })`. */
  readonly client: Effect.Effect<(id: string) => Client<C>, never, Handler<Name>>
  /**
   * The state of an aggregate, now or as it was. An aggregate without events has the initial state and revision 0.
   */
  readonly state: (
    id: string,
    at?: AsOf
  ) => Effect.Effect<Loaded<State>, EventStoreError, EventStore.EventStore>
  /** Carries out its commands with these handlers. */
  readonly toLayer: <H extends Handlers<State, E, C>>(
    handlers: H & Others<Exclude<keyof H, C["_tag"]>>,
    options?: LayerOptions
  ) => Layer.Layer<Handler<Name>, never, EventStore.EventStore | Requirements<H>>
}

/** The type of an aggregate's state: `Aggregate.State<typeof Account>`. */
export type State<A> = A extends Aggregate<any, infer S, any, any> ? S : never

/** The type of an aggregate's event values: `Aggregate.Events<typeof Account>`. */
export type Events<A> = A extends Aggregate<any, any, infer E, any> ? E : never

/** How commands are carried out. */
export interface LayerOptions {
  /** About how many aggregates are kept in memory with their state; those unused for longest go. Defaults to 10,000. */
  readonly cache?: number
  /**
   * How often a command is decided at most when other writers come first: the second time at once, then after growing
   * pauses of up to a quarter of a second. When it has lost every race it fails with `TooManyConflicts`. Defaults to 12.
   */
  readonly attempts?: number
}

/** Defines an aggregate. The name begins its streams' names, so it must not be empty nor hold a `-`. */
export const make = <
  const Name extends string,
  // const, so that what `evolve` returns keeps its literals: `{ ...state, status: "paid" }` is not of a mere string.
  const State,
  const D extends Event.Definitions,
  const Commands extends ReadonlyArray<Command>
>(
  name: Name,
  options: Options<State, D, Commands>
): Aggregate<Name, State, Event.ValuesByType<D>[keyof D & string], Commands[number]> => {
  if (!/^[^-\0]+$/.test(name)) {
    throw new Error(`an aggregate's name must not be empty nor hold "-": "${name}"`)
  }
  const problem = Input.problemOfName("an aggregate's name", `${name}-1`)
  if (problem !== undefined) throw problem
  const events = Event.set(options.events)
  const unfolded = events.types.find((type) => typeof options.evolve[type] !== "function")
  if (unfolded !== undefined) {
    throw new Error(`evolve of ${name} has no function for "${unfolded}"`)
  }
  const service = Context.Service<Handler<Name>, Handler<Name>>(`dunnock/Aggregate/${name}`)
  const fold = Fold.make(name, events, options)
  const commands = options.commands as ReadonlyArray<Rpc.Any> as ReadonlyArray<Rpc.AnyWithProps>
  const tags = commands.map(({ _tag }) => _tag)
  const twice = tags.find((tag, i) => tags.indexOf(tag) < i)
  if (twice !== undefined) throw new Error(`two commands of ${name} are called "${twice}"`)
  return {
    name,
    service,
    events,
    commands: options.commands,
    initial: options.initial,
    evolve: fold.apply,
    stream: fold.stream,
    id: (stream) => stream.slice(name.length + 1),
    client: Effect.map(service, ({ execute }) => (id: string) => {
      const client: Record<string, unknown> = {}
      for (const tag of tags) {
        client[tag] = (payload: unknown, options?: CommandOptions) => execute(id, tag, payload, options)
      }
      return client as Client<Commands[number]>
    }),
    state: (id, at = {}) =>
      Effect.flatMap(EventStore.EventStore, (store) => {
        const problem = Input.problemOfName("id", id) ?? Input.problemOfName("stream", fold.stream(id)) ??
          Input.problemOfNumbers(at)
        return problem === undefined ? Fold.load(fold, store, id, at) : Effect.fail(problem)
      }),
    toLayer: (handlers, layerOptions) =>
      Layer.effect(
        service,
        CommandHandler.make({ name, commands, fold, handlers, ...layerOptions })
      ) as Layer.Layer<Handler<Name>, never, EventStore.EventStore | Requirements<typeof handlers>>
  }
}
