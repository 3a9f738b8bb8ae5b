// What the tests of aggregates share: a bank account, processes over one store, and a driver that counts.
import { test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  Aggregate,
  type AggregateError,
  EventStore,
  type EventStoreDriver,
  type EventStoreError
} from "dunnock"
import * as Memory from "dunnock/memory"
import * as Sqlite from "dunnock/sqlite"
import { Effect, Layer, Schema, type Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"

export class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", {
  balance: Schema.Number
}) {}

export const Account = Aggregate.make("Account", {
  state: Schema.Struct({ balance: Schema.Number, open: Schema.Boolean }),
  initial: { balance: 0, open: false },
  events: {
    Opened: { owner: Schema.String },
    Deposited: { amount: Schema.Number },
    Withdrawn: { amount: Schema.Number },
    Closed: {}
  },
  commands: [
    Rpc.make("Open", { payload: { owner: Schema.String } }),
    Rpc.make("Deposit", { payload: { amount: Schema.Number } }),
    Rpc.make("Withdraw", { payload: { amount: Schema.Number }, error: InsufficientFunds }),
    Rpc.make("Close")
  ],
  evolve: {
    Opened: (state) => ({ ...state, open: true }),
    Deposited: (state, { amount }) => ({ ...state, balance: state.balance + amount }),
    Withdrawn: (state, { amount }) => ({ ...state, balance: state.balance - amount }),
    Closed: (state) => ({ ...state, open: false })
  }
})

export type Handlers = Parameters<typeof Account.toLayer>[0]

/** Closing an account that is closed does nothing; closing one with money pays it out first, in two events. */
export const handlers: Handlers = {
  Open: ({ command, state }) => state.open ? [] : [{ _tag: "Opened", owner: command.owner }],
  Deposit: ({ command }) => [{ _tag: "Deposited", amount: command.amount }],
  Withdraw: ({ command, state }) =>
    state.balance < command.amount
      ? Effect.fail(new InsufficientFunds({ balance: state.balance }))
      : [{ _tag: "Withdrawn", amount: command.amount }],
  Close: ({ state }) =>
    !state.open
      ? []
      : state.balance === 0
      ? [{ _tag: "Closed" }]
      : [{ _tag: "Withdrawn", amount: state.balance }, { _tag: "Closed" }]
}

type Driver = EventStoreDriver.EventStoreDriver

/** An aggregate in a process: its own event store, warm cache and queue of commands over a driver it may share. */
export interface Process<State, C extends Aggregate.Command> {
  readonly client: (id: string) => Aggregate.Client<C>
  readonly execute: Aggregate.Handler<string>["execute"]
  readonly state: (
    id: string,
    at?: Aggregate.AsOf
  ) => Effect.Effect<Aggregate.Loaded<State>, EventStoreError.EventStoreError>
  readonly store: EventStore.EventStore
}

/** Starts a process with these handlers over a driver; it ends with the scope. */
export const start = <Name extends string, State, E, C extends Aggregate.Command>(
  aggregate: Aggregate.Aggregate<Name, State, E, C>,
  layer: Layer.Layer<Aggregate.Handler<Name>, never, EventStore.EventStore>,
  driver: Driver
): Effect.Effect<Process<State, C>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    return {
      client: yield* aggregate.client,
      execute: (yield* aggregate.service).execute,
      state: (id: string, at?: Aggregate.AsOf) =>
        Effect.provideService(aggregate.state(id, at), EventStore.EventStore, store),
      store
    }
  }).pipe((use) =>
    Effect.flatMap(
      Layer.build(Layer.provideMerge(layer, EventStore.layer(Effect.succeed(driver)))),
      (context) => Effect.provideContext(use, context)
    )
  )

/** A process that carries out the commands of accounts. */
export const bank = (driver: Driver, changed: Partial<Handlers> = {}, options?: Aggregate.LayerOptions) =>
  start(Account, Account.toLayer({ ...handlers, ...changed }, options), driver)

/** Opens the store of a place: the same one each time. */
export type Place = Effect.Effect<Driver, EventStoreError.EventStoreError, Scope.Scope>

const inMemory: Effect.Effect<Place> = Effect.map(Memory.make, ({ events }) => Effect.succeed(events))

const inFile: Effect.Effect<Place, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "dunnock-aggregate-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  ),
  (folder) =>
    Effect.map(
      Sqlite.make({ filename: join(folder, "events.db"), synchronous: "NORMAL" }),
      ({ events }) => events
    )
)

/** A test that is an effect. */
export const check = (name: string, body: Effect.Effect<unknown, unknown, Scope.Scope>): void =>
  test(name, () => Effect.runPromise(Effect.asVoid(Effect.scoped(body))))

type Body = (open: Place) => Effect.Effect<unknown, unknown, Scope.Scope>

/** A test over a store in memory. */
export const onMemory = (name: string, body: Body): void => check(name, Effect.flatMap(inMemory, body))

/** A test over a store in memory and over one in a SQLite file. */
export const onEach = (name: string, body: Body): void => {
  check(`${name} (memory)`, Effect.flatMap(inMemory, body))
  check(`${name} (sqlite)`, Effect.flatMap(inFile, body))
}

/** A driver that counts what it is asked. */
export const counting = (driver: Driver) => {
  const seen = { commits: 0, eventsRead: 0, reads: 0, finds: 0, snapshotsRead: 0, snapshotsWritten: 0 }
  const counted: Driver = {
    ...driver,
    append: (appends) => (seen.commits++, driver.append(appends)),
    readStream: (options) =>
      Effect.tap(driver.readStream(options), (events) =>
        Effect.sync(() => {
          seen.reads++
          seen.eventsRead += events.length
        })),
    find: (id) => (seen.finds++, driver.find(id)),
    readSnapshot: (stream) => (seen.snapshotsRead++, driver.readSnapshot(stream)),
    writeSnapshot: (stream, snapshot) => (seen.snapshotsWritten++, driver.writeSnapshot(stream, snapshot))
  }
  return { driver: counted, seen }
}

/** The types of an account's events, in their order. */
export const history = ({ store }: { readonly store: EventStore.EventStore }, id: string) =>
  Effect.map(
    Stream.runCollect(store.read(Account.events, Account.stream(id))),
    (events) => events.map(({ data }) => data)
  )

/** The reason for which an effect fails; a defect if it does not. */
export const reasonOf = <R>(
  effect: Effect.Effect<unknown, unknown, R>
): Effect.Effect<AggregateError.Reason | EventStoreError.Reason, unknown, R> =>
  Effect.map(Effect.flip(effect), (error) => (error as { readonly reason: AggregateError.Reason }).reason)
