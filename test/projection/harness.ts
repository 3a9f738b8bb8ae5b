// Stores whose commits fail where it is told, and time that passes fast.
import { test } from "bun:test"
import { EventStore } from "dunnock"
import * as Memory from "dunnock/memory"
import * as Mysql from "dunnock/mysql"
import * as Postgres from "dunnock/postgres"
import * as Sqlite from "dunnock/sqlite"
import { Clock, Duration, Effect, Layer, References, type Scope } from "effect"
import { DocumentStore as DocumentStorePort } from "../../src/repository/DocumentStore.ts"
import type { DocumentStore, Write } from "../../src/repository/DocumentStore.ts"
import { DocumentStoreError, OutcomeUnknown, Unavailable } from "../../src/repository/DocumentStoreError.ts"
import { file } from "../contract/scratch.ts"
import { testsOn } from "../services/bun.ts"
import { mysql, postgres } from "../services/mod.ts"

/**
 * What befalls a commit: it fails and nothing is written, or it is written and fails all the same; with a number, so many
 * of its writes happen and no more, which only befalls a store without transactions.
 */
export type Fault = "before" | "after" | number | undefined

export const faulty = (
  documents: DocumentStore,
  fault: (n: number, writes: ReadonlyArray<Write>) => Fault
): DocumentStore => {
  let commits = 0
  return {
    ...documents,
    commit: (writes) =>
      Effect.suspend(() => {
        const now = fault(++commits, writes)
        switch (now) {
          case undefined:
            return documents.commit(writes)
          case "before":
            return failed(new Unavailable({ store: "faulty", problem: `commit ${commits} was made to fail` }))
          case "after":
            return Effect.andThen(documents.commit(writes), unknown(commits))
          default:
            return Effect.andThen(documents.commit(writes.slice(0, now)), unknown(commits))
        }
      })
  }
}

const failed = (reason: Unavailable | OutcomeUnknown) => Effect.fail(new DocumentStoreError({ reason }))

const unknown = (n: number) =>
  failed(new OutcomeUnknown({ store: "faulty", problem: `commit ${n} was made to fail` }))

/** The same documents in a store without transactions: writes happen one by one, and others come in between. */
export const oneByOne = (documents: DocumentStore): DocumentStore => ({
  ...documents,
  transactional: false,
  log: undefined,
  commit: (writes) =>
    Effect.map(
      Effect.forEach(writes, (write) => Effect.andThen(Effect.yieldNow, documents.commit([write]))),
      (versions) => versions.flat()
    )
})

/** Runs an effect with a clock that is so many times as fast as others. */
export const fast = (times = 50) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    const begun = clock.currentTimeMillisUnsafe()
    const started = performance.now()
    const now = () => Math.floor(begun + (performance.now() - started) * times)
    const swift: Clock.Clock = Object.assign(Object.create(clock), {
      currentTimeMillisUnsafe: now,
      currentTimeMillis: Effect.sync(now),
      sleep: (duration: Duration.Duration) => clock.sleep(Duration.times(duration, 1 / times))
    })
    return Effect.provideService(self, Clock.Clock, swift)
  })

export type Both = EventStore.EventStore | DocumentStore

/** A database, as tests use it. */
export interface Adapter {
  readonly name: string
  /** Empty stores. */
  readonly place: Effect.Effect<Layer.Layer<Both, unknown>, unknown, Scope.Scope>
  /** `test` of `bun:test`, or one that skips if there is no server. */
  readonly test: (name: string, body: () => Promise<unknown>, timeout?: number) => void
  /** How often to try what is drawn at random. */
  readonly runs: number
}

/** Every adapter; to be called by each file of tests, which gets the hooks that start servers. */
export const adapters = (): ReadonlyArray<Adapter> => [
  { name: "memory", place: Effect.succeed(Memory.layer), test: (...of) => test(...of), runs: 30 },
  {
    name: "sqlite",
    place: Effect.map(file, (filename) => Sqlite.layer({ filename, synchronous: "NORMAL" })),
    test: (...of) => test(...of),
    runs: 10
  },
  {
    name: "postgres",
    place: Effect.map(postgres.database, ({ url }) => Postgres.layer({ url })),
    test: testsOn("projections on postgres", postgres),
    runs: 3
  },
  {
    name: "mysql",
    place: Effect.map(mysql.database, ({ url }) => Mysql.layer({ url })),
    test: testsOn("projections on mysql", mysql),
    runs: 3
  }
]

/** Logs nothing: what fails here is made to. */
export const quiet = Effect.provideService(References.MinimumLogLevel, "None")

/** The stores of a program. */
export interface Stores {
  readonly store: EventStore.EventStore
  readonly documents: DocumentStore
}

/** Both stores of a layer. */
export const stores: Effect.Effect<Stores, never, EventStore.EventStore | DocumentStore> = Effect.all({
  store: EventStore.EventStore,
  documents: DocumentStorePort
})

/** A program with the layer of a projection over these stores; it ends with the effect. */
export const living = <I, E1>(
  layer: Layer.Layer<I, E1, EventStore.EventStore | DocumentStore>,
  { documents, store }: Stores
) =>
<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | E1, Exclude<R, I>> =>
  Effect.provide(
    self,
    Layer.provide(
      // each program builds its own
      Layer.fresh(layer),
      Layer.merge(Layer.succeed(EventStore.EventStore, store), Layer.succeed(DocumentStorePort, documents))
    )
  )
