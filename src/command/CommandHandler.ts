// How a command is carried out: load, decide, append, and again when another writer came first. Not public.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Rpc from "effect/rpc/Rpc"
import * as SchemaParser from "effect/SchemaParser"
import * as Tracer from "effect/Tracer"
import * as Event from "../event/Event.ts"
import * as EventStore from "../event/EventStore.ts"
import type { NewEvent, Receipt, StoredEvent } from "../event/EventStoreDriver.ts"
import type { EventStoreError } from "../event/EventStoreError.ts"
import * as Input from "../event/Input.ts"
import * as Metadata from "../event/Metadata.ts"
import type { CommandOptions, Decision, Handler, LayerOptions, Loaded } from "./Aggregate.ts"
import { AggregateError, InvalidCommand, InvalidDecision, TooManyConflicts } from "./AggregateError.ts"
import * as Cache from "./Cache.ts"
import * as Fold from "./Fold.ts"
import * as Locks from "./Locks.ts"
import { messageOf } from "../store/Problem.ts"

interface Options<Name extends string, State, E> extends LayerOptions {
  readonly name: Name
  readonly commands: ReadonlyArray<Rpc.AnyWithProps>
  readonly fold: Fold.Fold<State, E>
  readonly handlers: { readonly [command: string]: unknown }
}

/** A command with its handler, ready to be carried out. */
interface Runner<E> {
  /** The payload made whole, or an error thrown. */
  readonly make: (payload: unknown) => unknown
  readonly resolve: ((input: object) => Effect.Effect<unknown, unknown, any>) | undefined
  readonly decide: (input: object) => Decision<E, unknown>
}

/** One command on its way. */
interface Call<E> {
  readonly id: string
  readonly stream: string
  readonly tag: string
  readonly command: unknown
  readonly facts: unknown
  readonly key: string | undefined
  readonly decide: Runner<E>["decide"]
}

/** Another writer came first. */
const conflicted = { _tag: "Conflicted" } as const

/** How long to wait before the n-th time again, in milliseconds: nothing at first, then more and more, at random. */
const pause = (again: number): number => again === 1 ? 0 : Math.random() * Math.min(2 ** again, 250)

export const make: <Name extends string, State, E>(
  options: Options<Name, State, E>
) => Effect.Effect<Handler<Name>, never, EventStore.EventStore> = Effect.fnUntraced(
  function* <Name extends string, State, E>(
    options: Options<Name, State, E>
  ) {
    const { attempts = 12, cache: capacity = 10_000, fold, name } = options
    if (!(Number.isInteger(attempts) && attempts >= 1)) {
      throw new Error(`attempts must be 1 or more, not ${attempts}`)
    }
    if (!(Number.isInteger(capacity) && capacity >= 0)) {
      throw new Error(`cache must be 0 or more, not ${capacity}`)
    }
    const store = yield* EventStore.EventStore
    const context = yield* Effect.context<any>()
    const cache = Cache.make<Loaded<State>>(capacity)
    const locks = Locks.make()
    const runners = new Map(
      options.commands.map((
        command
      ) => [command._tag, makeRunner<E>(name, command, options.handlers[command._tag])])
    )

    const load = (id: string, warm: Loaded<State> | undefined) =>
      warm === undefined ? Fold.load(fold, store, id) : Fold.catchUp(fold, store, id, warm)

    /** Decides from a state and appends. `verified` says that the state is known to be the newest. */
    const decide = (
      call: Call<E>,
      loaded: Loaded<State>,
      verified: boolean
    ): Effect.Effect<Receipt, unknown> => {
      const { command, facts, id } = call
      let decision: Decision<E, unknown>
      try {
        decision = call.decide({ id, state: loaded.state, revision: loaded.revision, command, facts })
      } catch (defect) {
        return conclude(call, loaded, verified, Exit.die(defect))
      }
      return Effect.isEffect(decision)
        ? Effect.flatMap(Effect.exit(decision), (exit) => conclude(call, loaded, verified, exit))
        : conclude(call, loaded, verified, Exit.succeed(decision))
    }

    const conclude = (
      call: Call<E>,
      loaded: Loaded<State>,
      verified: boolean,
      decided: Exit.Exit<ReadonlyArray<E>, unknown>
    ): Effect.Effect<Receipt, unknown> => {
      if (Exit.isSuccess(decided) && !Array.isArray(decided.value)) {
        return refuse(InvalidDecision, call, "it is not a list of events")
      }
      if (Exit.isSuccess(decided) && decided.value.length > 0) return append(call, loaded, decided.value)
      if (!verified) {
        // Nothing will be appended that would show the cached state to be old: look.
        return Effect.flatMap(load(call.id, loaded), (newest) => {
          cache.set(call.id, newest)
          return newest.revision === loaded.revision
            ? conclude(call, loaded, true, decided)
            : decide(call, newest, true)
        })
      }
      if (Exit.isFailure(decided)) return Effect.failCause(decided.cause)
      return Effect.succeed({ stream: call.stream, revision: loaded.revision, position: loaded.position })
    }

    const append = (call: Call<E>, loaded: Loaded<State>, decided: ReadonlyArray<E>) =>
      Effect.withFiber<Receipt, unknown>((fiber) => {
        const { key, stream, tag } = call
        const metadata = Metadata.toText(
          fiber.context,
          key === undefined ? undefined : { idempotencyKey: key }
        )
        if (Result.isFailure(metadata)) {
          return refuse(InvalidCommand, call, `its metadata ${metadata.failure}`)
        }
        const events: Array<NewEvent> = []
        let state = loaded.state
        for (const [i, event] of decided.entries()) {
          const encoded = Event.encode(fold.events, event)
          if (Result.isFailure(encoded)) return refuse(InvalidDecision, call, encoded.failure)
          const id = key === undefined ? undefined : keyedId(stream, tag, key, i)
          events.push({ id, ...encoded.success, metadata: metadata.success })
          // What a reader of the log will see, not what was passed in, is what is folded.
          const decoded = Result.try(() => Event.decode(fold.events, encoded.success))
          if (Result.isFailure(decoded)) return refuse(InvalidDecision, call, messageOf(decoded.failure))
          state = fold.apply(state, decoded.success)
        }
        const committed = store.commit({
          streams: [{ stream, expected: loaded.revision, events }],
          condition: undefined
        })
        return Effect.matchEffect(committed, {
          onSuccess: ({ receipts: [receipt], repeated }): Effect.Effect<Receipt, unknown> => {
            // Another process ran the command meanwhile, and may have decided on other events than these.
            if (repeated) return unlessEarlier(call, () => Effect.fail(conflicted))
            const { position, revision } = receipt!
            const after = { state, revision, position }
            cache.set(call.id, after)
            const kept = Fold.keepSnapshot(fold, store, call.id, loaded.revision, after)
            return kept === undefined ? Effect.succeed(receipt!) : Effect.as(kept, receipt!)
          },
          onFailure: (error): Effect.Effect<never, unknown> => {
            const { _tag, message } = error.reason
            if (_tag === "InvalidInput") return refuse(InvalidDecision, call, message)
            // With a key the ids are the command's own: that they are used means that it has just run elsewhere.
            const lost = _tag === "Conflict" || (_tag === "DuplicateEventId" && key !== undefined)
            return Effect.fail(lost ? conflicted : error)
          }
        })
      })

    /** The receipt of the command that ran under this key, if one did. */
    const earlier = (
      stream: string,
      tag: string,
      key: string
    ): Effect.Effect<Receipt | undefined, EventStoreError> =>
      Effect.flatMap(store.driver.find(keyedId(stream, tag, key, 0)), (first) => {
        if (first === undefined) return Effect.succeed(undefined)
        /** The last event of the command, which is known to go as far as this one. */
        const lastAfter = ({ position, revision }: StoredEvent): Effect.Effect<Receipt, EventStoreError> => {
          const page = { stream, direction: "forwards", from: revision + 1, limit: 16, bare: false } as const
          return Effect.flatMap(store.driver.readStream(page), (events) => {
            const others = events.findIndex(({ id, revision }) =>
              id !== keyedId(stream, tag, key, revision - first.revision)
            )
            const last = events.at(others === -1 ? -1 : others - 1)
            if (others === 0 || last === undefined) return Effect.succeed({ stream, revision, position })
            if (others === -1) return lastAfter(last)
            return Effect.succeed({ stream, revision: last.revision, position: last.position })
          })
        }
        return lastAfter(first)
      })

    /** The receipt of the command that ran under this key, if there is a key and one did; else what the effect does. */
    const unlessEarlier = (
      { key, stream, tag }: Pick<Call<E>, "key" | "stream" | "tag">,
      otherwise: () => Effect.Effect<Receipt, unknown>
    ): Effect.Effect<Receipt, unknown> =>
      key === undefined ? otherwise() : Effect.flatMap(
        earlier(stream, tag, key),
        (receipt) => receipt === undefined ? otherwise() : Effect.succeed(receipt)
      )

    const attempt = (call: Call<E>, again: boolean): Effect.Effect<Receipt, unknown> =>
      unlessEarlier(call, () => loadAndDecide(call, again))

    const loadAndDecide = (call: Call<E>, again: boolean): Effect.Effect<Receipt, unknown> =>
      Effect.suspend(() => {
        const warm = cache.get(call.id)
        return warm !== undefined && !again
          ? decide(call, warm, false)
          : Effect.flatMap(load(call.id, warm), (loaded) => {
            cache.set(call.id, loaded)
            return decide(call, loaded, true)
          })
      })

    const carryOut = (call: Call<E>): Effect.Effect<Receipt, unknown> =>
      Effect.catchIf(attempt(call, false), isConflicted, () => carryOutAgain(call, 1))

    const carryOutAgain = (call: Call<E>, again: number): Effect.Effect<Receipt, unknown> => {
      if (again >= attempts) {
        const { id, tag } = call
        const reason = new TooManyConflicts({ aggregate: name, id, command: tag, attempts: again })
        return Effect.fail(new AggregateError({ reason }))
      }
      const next = Effect.catchIf(attempt(call, true), isConflicted, () => carryOutAgain(call, again + 1))
      const ms = pause(again)
      return ms === 0 ? next : Effect.delay(next, ms)
    }

    const refuse = (
      Reason: typeof InvalidCommand | typeof InvalidDecision,
      { id, tag }: { readonly id: string; readonly tag: string },
      problem: string
    ) =>
      Effect.fail(
        new AggregateError({
          reason: new Reason({ aggregate: name, id: String(id), command: String(tag), problem })
        })
      )

    const execute = (id: string, tag: string, payload: unknown, { idempotencyKey }: CommandOptions = {}) =>
      Effect.withFiber<Receipt, unknown>((fiber) => {
        const runner = runners.get(tag)
        if (runner === undefined) {
          return refuse(
            InvalidCommand,
            { id, tag },
            `unknown command; known are ${[...runners.keys()].join(", ")}`
          )
        }
        const stream = fold.stream(id)
        const key = idempotencyKey ?? fiber.getRef(Metadata.Current).idempotencyKey
        // An aggregate that is in the cache has an id that has been used before.
        const problem =
          (cache.has(id) ? undefined : Input.problemOfName("id", id) ?? Input.problemOfName("id", stream)) ??
            (key === undefined ? undefined : problemOfKey(stream, tag, key))
        if (problem !== undefined) return refuse(InvalidCommand, { id, tag }, problem.message)
        const command = Result.try(() => runner.make(payload))
        if (Result.isFailure(command)) return refuse(InvalidCommand, { id, tag }, messageOf(command.failure))
        const { decide, resolve } = runner
        const send = (facts: unknown) =>
          locks.withLock(id, carryOut({ id, stream, tag, command: command.success, facts, key, decide }))
        const run = resolve === undefined
          ? send(undefined)
          : unlessEarlier({ key, stream, tag }, () =>
            Effect.flatMap(
              Effect.updateContext(
                resolve({ id, command: command.success }) as Effect.Effect<unknown, unknown>,
                (caller: Context.Context<never>) => Context.merge(context, caller)
              ),
              send
            ))
        return Context.getOrUndefined(fiber.context, Tracer.Tracer) === undefined
          ? run
          : Effect.withSpan(run, `${name}.${tag}`, { attributes: { "dunnock.aggregate.id": id } })
      })

    return { name, execute } satisfies Handler<Name>
  }
)

const isConflicted = (error: unknown): boolean => error === conflicted

/**
 * The id of the i-th event of the command with this name and key: a repeat of the command makes the same ids. The lengths
 * keep apart what would read the same.
 */
const keyedId = (stream: string, tag: string, key: string, i: number): string =>
  `${key.length}:${key}${tag.length}:${tag}@${stream}#${i}`

/** What is wrong with an idempotency key, if anything is: the ids made of it must be short enough. */
const problemOfKey = (stream: string, tag: string, key: string): EventStoreError | undefined => {
  const room = Input.maxNameLength - keyedId(stream, tag, "", 1_000_000).length - 2
  return Input.problemOfName("idempotencyKey", key) ??
    (key.length > room
      ? Input.error("idempotencyKey", `has ${key.length} characters, more than ${room}`)
      : undefined)
}

const makeRunner = <E>(name: string, command: Rpc.AnyWithProps, handler: any): Runner<E> => {
  if (typeof handler !== "function") {
    throw new Error(`${name} has no handler for its command "${command._tag}"`)
  }
  return {
    make: SchemaParser.make(command.payloadSchema) as Runner<E>["make"],
    resolve: handler.resolve,
    decide: handler.resolve === undefined ? handler : handler.decide
  }
}
