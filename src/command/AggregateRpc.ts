/**
 * An aggregate's commands over Effect's rpc: served over HTTP, WebSocket, a worker or a cluster, and called from afar by
 * the same client as in process.
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Rpc, RpcClient, RpcServer } from "effect/rpc"
 * import { Aggregate, AggregateRpc } from "dunnock"
 *
 * const Door = Aggregate.make("Door", {
 *   state: Schema.Boolean,
 *   initial: false,
 *   events: { Opened: {} },
 *   commands: [Rpc.make("Open")],
 *   evolve: { Opened: () => true }
 * })
 *
 * // the server: needs Door's handlers and a protocol
 * const Served = RpcServer.layer(AggregateRpc.group(Door)).pipe(Layer.provide(AggregateRpc.layerHandlers(Door)))
 *
 * // the client: `Door.client` works as in process, over whatever protocol is provided
 * const opened = Effect.flatMap(Door.client, (door) => door("front").Open()).pipe(
 *   Effect.provide(AggregateRpc.layerClient(Door))
 * )
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { makeFormatterDefault } from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { CannotOpen, EventStoreError, OutcomeUnknown, Unavailable } from "../event/EventStoreError.ts"
import * as Metadata from "../event/Metadata.ts"
import type { Aggregate, Command, Handler } from "./Aggregate.ts"
import { AggregateError, InvalidCommand } from "./AggregateError.ts"

/** The schema of a receipt. */
export const Receipt: Schema.Struct<{
  readonly stream: Schema.String
  readonly revision: Schema.Number
  readonly position: Schema.Number
}> = Schema.Struct({ stream: Schema.String, revision: Schema.Number, position: Schema.Number })

/** What is sent to carry out a command: the aggregate's id, the command's payload, and its idempotency key if it has one. */
export type Payload<P extends Schema.Top> = Schema.Struct<{
  readonly id: Schema.String
  readonly command: P
  readonly idempotencyKey: Schema.optionalKey<Schema.String>
}>

/** A command as it is served: `Account.Deposit`. */
export type Served<Name extends string, C> = C extends
  Rpc.Rpc<infer Tag, infer P, Schema.Void, infer E, infer Middleware, infer Requires> ? Rpc.Rpc<
    `${Name}.${Tag}`,
    Payload<P>,
    typeof Receipt,
    Schema.Union<readonly [E, typeof AggregateError, typeof EventStoreError]>,
    Middleware,
    Requires
  >
  : never

/** The commands of an aggregate as a group of rpcs, with the middleware and annotations that the commands have. */
export const group = <Name extends string, State, E, C extends Command>(
  self: Aggregate<Name, State, E, C>
): RpcGroup.RpcGroup<Served<Name, C>> =>
  RpcGroup.make(
    ...self.commands.map((command) => serve(self.name, command as Rpc.Any as Rpc.AnyWithProps))
  ) as unknown as RpcGroup.RpcGroup<
    Served<Name, C>
  >

const serve = (name: string, command: Rpc.AnyWithProps): Rpc.Any => {
  const rpc = Rpc.make(`${name}.${command._tag}`, {
    payload: {
      id: Schema.String,
      command: command.payloadSchema,
      idempotencyKey: Schema.optionalKey(Schema.String)
    },
    success: Receipt,
    error: Schema.Union([command.errorSchema, AggregateError, EventStoreError])
  }).annotateMerge(command.annotations)
  return [...command.middlewares].reduce<Rpc.Any>(
    (rpc, middleware) => (rpc as typeof Rpc.make.prototype).middleware(middleware),
    rpc
  )
}

/** Serves the commands with the aggregate's handlers: for `RpcServer.layer(AggregateRpc.group(…))`. */
export const layerHandlers = <Name extends string, State, E, C extends Command>(
  self: Aggregate<Name, State, E, C>
): Layer.Layer<Rpc.ToHandler<Served<Name, C>>, never, Handler<Name>> =>
  group(self).toLayer(
    Effect.map(self.service, ({ execute }) =>
      Object.fromEntries(self.commands.map(({ _tag }) => [
        `${self.name}.${_tag}`,
        ({ command, id, idempotencyKey }: { id: string; command: unknown; idempotencyKey?: string }) =>
          Effect.mapError(
            execute(id, _tag, command, idempotencyKey === undefined ? {} : { idempotencyKey }),
            withoutCause
          )
      ])) as any)
  ) as any

/** An error as a caller elsewhere may see it: what a driver threw stays here. */
const withoutCause = (error: unknown): unknown => {
  if (!(error instanceof EventStoreError)) return error
  const { reason } = error
  switch (reason._tag) {
    case "Unavailable":
      return new EventStoreError({
        reason: new Unavailable({ store: reason.store, problem: reason.problem })
      })
    case "OutcomeUnknown":
      return new EventStoreError({
        reason: new OutcomeUnknown({ store: reason.store, problem: reason.problem })
      })
    case "CannotOpen":
      return new EventStoreError({ reason: new CannotOpen({ store: reason.store, problem: reason.problem }) })
    default:
      return error
  }
}

/**
 * Carries out the commands on a server elsewhere. When the connection fails, the command fails with an
 * `EventStoreError` of the reason `OutcomeUnknown`: it may have been carried out. Send it with an idempotency key to be
 * able to repeat it.
 */
export const layerClient = <Name extends string, State, E, C extends Command>(
  self: Aggregate<Name, State, E, C>
): Layer.Layer<Handler<Name>, never, RpcClient.Protocol | Rpc.MiddlewareClient<Served<Name, C>>> =>
  Layer.effect(
    self.service,
    Effect.gen(function* () {
      const { name } = self
      const rpcs = group(self)
      const send: any = yield* RpcClient.make(rpcs, { flatten: true })
      const makers = new Map(self.commands.map(({ _tag }) => {
        const rpc = rpcs.requests.get(`${name}.${_tag}`) as Rpc.Any as Rpc.AnyWithProps
        return [_tag as string, SchemaParser.makeEffect(rpc.payloadSchema)]
      }))
      const execute: Handler<Name>["execute"] = (id, command, payload, options = {}) =>
        Effect.withFiber((fiber) => {
          const invalid = (problem: string) =>
            new AggregateError({
              reason: new InvalidCommand({
                aggregate: name,
                id: String(id),
                command: String(command),
                problem
              })
            })
          const make = makers.get(command)
          if (make === undefined) {
            return Effect.fail(invalid(`unknown command; known are ${[...makers.keys()].join(", ")}`))
          }
          const idempotencyKey = options.idempotencyKey ?? fiber.getRef(Metadata.Current).idempotencyKey
          const request = {
            id,
            command: payload,
            ...(idempotencyKey === undefined ? {} : { idempotencyKey })
          }
          return make(request).pipe(
            Effect.mapError((issue) => invalid(formatIssue(issue))),
            Effect.flatMap((request) =>
              send(`${name}.${command}`, request) as Effect.Effect<typeof Receipt.Type, unknown>
            ),
            Effect.mapError((error) =>
              isRpcClientError(error)
                ? new EventStoreError({
                  reason: new OutcomeUnknown({
                    store: "rpc",
                    problem: `no answer came from the server (${error.message})`,
                    cause: error
                  })
                })
                : error
            )
          )
        })
      return { name, execute }
    })
  )

const formatIssue = makeFormatterDefault()

const isRpcClientError = (error: unknown): error is RpcClientError =>
  (error as { readonly _tag?: unknown } | undefined)?._tag === "RpcClientError"
