/** Any interleaving of appends and reads, on every adapter, behaves like a plain list of events. */
import { describe, expect, test } from "bun:test"
import { Event, EventStore } from "dunnock"
import * as Memory from "dunnock/memory"
import * as Sqlite from "dunnock/sqlite"
import { Clock, Context, Effect, Exit, Layer, Result, Schema, Scope, Stream } from "effect"
import fc from "fast-check"
import { file } from "../contract/scratch.ts"
import * as Model from "./model.ts"

const Counted = Event.make({ n: Schema.Int, tags: Schema.Array(Schema.String) }).pipe(
  Event.tagged(({ tags }) => tags)
)
const all = Event.set({ Red: Counted, Blue: Counted })
const red = Event.set({ Red: Counted })

// --- what is done

type Step =
  & { readonly via: number }
  & (
    | { readonly do: "append"; readonly wait: number; readonly appends: ReadonlyArray<Model.Append> }
    | { readonly do: "read"; readonly stream: string; readonly ways: ReadonlyArray<EventStore.ReadOptions> }
    | { readonly do: "log" | "subscribe"; readonly red: boolean; readonly options: LogOptions }
    | { readonly do: "find"; readonly id: string }
    | { readonly do: "reopen" }
  )

type LogOptions = EventStore.LogOptions & { readonly limit?: number }

const streams = fc.constantFrom("a-1", "a-2", "b", "ünï ☃ 𝄞")
const tags = fc.uniqueArray(fc.constantFrom("x", "y", "x:1"), { maxLength: 2 })
// the last three stand for ids that the store has given
const ids = fc.constantFrom("p", "q", "r", "s", "given:1", "given:2", "given:5")
const small = fc.nat(6)
const optional = <A>(values: Record<string, fc.Arbitrary<A>>) =>
  fc.record(values, { requiredKeys: [], noNullPrototype: true })

const writes = fc.record({
  stream: streams,
  expected: fc.oneof(
    { weight: 2, arbitrary: fc.constant("any" as const) },
    fc.constantFrom("none" as const, "exists" as const),
    small
  ),
  events: fc.array(fc.record({ type: fc.constantFrom("Red", "Blue"), n: small, tags }), {
    minLength: 1,
    maxLength: 3
  })
}).chain((write) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant(undefined) },
    fc.uniqueArray(ids, { minLength: write.events.length, maxLength: write.events.length })
  ).map((ids): Model.Write => ({ ...write, ids }))
)

const queries: fc.Arbitrary<EventStore.Query> = optional<unknown>({
  streamPrefix: fc.constantFrom("a-", "a-1", "1", "ünï ☃ 𝄞", "A", "_"),
  types: fc.subarray(["Red", "Blue", "Green"]),
  tags
})

const append: fc.Arbitrary<Model.Append> = fc.record({
  writes: fc.uniqueArray(writes, { minLength: 1, maxLength: 3, selector: ({ stream }) => stream }).filter(
    (writes) => {
      const given = writes.flatMap(({ ids }) => ids ?? [])
      return new Set(given).size === given.length
    }
  ),
  condition: fc.option(
    fc.record({ queries: fc.array(queries, { minLength: 1, maxLength: 2 }), after: fc.nat(12) }),
    { nil: undefined, freq: 3 }
  )
})

const times = fc.integer({ min: 15, max: 45 })

const readOptions: fc.Arbitrary<EventStore.ReadOptions> = optional<unknown>({
  direction: fc.constantFrom("forwards", "backwards"),
  from: small,
  limit: small,
  atRevision: small,
  atTime: fc.oneof(times, times.map((millis) => new Date(millis)))
})

const logOptions: fc.Arbitrary<LogOptions> = optional<unknown>({
  after: fc.nat(12),
  limit: small,
  streamPrefix: fc.constantFrom("", "a-", "1", "ünï", "b", "%"),
  tags
})

const step = <A>(name: Step["do"], of: { readonly [K in keyof A]: fc.Arbitrary<A[K]> }) =>
  fc.record({ do: fc.constant(name), via: fc.nat(1), ...of })

const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: step("append", {
        // the system's clock may go back
        wait: fc.integer({ min: -3, max: 6 }),
        appends: fc.array(append, { minLength: 1, maxLength: 4 })
      })
    },
    {
      weight: 2,
      arbitrary: step("read", { stream: streams, ways: fc.array(readOptions, { maxLength: 5 }) })
    },
    { weight: 2, arbitrary: step("log", { red: fc.boolean(), options: logOptions }) },
    step("subscribe", { red: fc.boolean(), options: logOptions }),
    step("find", { id: ids }),
    step("reopen", {})
  ) as fc.Arbitrary<Step>,
  { minLength: 1, maxLength: 20, size: "max" }
)

// --- doing it

// a set of fewer types reads fewer events
const setOf = (step: { readonly red: boolean }) => step.red ? red as unknown as typeof all : all

const entry = (event: Event.Recorded<{ readonly _tag: string; readonly n: number }>): Model.Entry => ({
  id: event.id,
  stream: event.stream,
  revision: event.revision,
  position: event.position,
  type: event.data._tag,
  n: event.data.n,
  tags: event.tags,
  recordedAt: event.recordedAt
})

const entries = (
  events: Stream.Stream<Event.Recorded<{ readonly _tag: string; readonly n: number }>, unknown>
) => Effect.map(Stream.runCollect(events), (all) => all.map(entry))

const appendTo = (store: EventStore.EventStore, { condition, writes }: Model.Append) =>
  Effect.result(store.append(
    all,
    writes.map(({ events, expected, ids, stream }) => ({
      stream,
      expected,
      events: events.map(({ n, tags, type }) => ({ _tag: type as "Red", n, tags })),
      ...(ids === undefined ? {} : { ids })
    })),
    condition === undefined ? {} : { condition: { query: condition.queries, after: condition.after } }
  ))

/** Fails unless what came of an append is what the model says. */
const compare = (result: Effect.Success<ReturnType<typeof appendTo>>, expected: Model.Outcome): void => {
  if ("receipts" in expected) return expect(Result.getOrThrow(result)).toEqual([...expected.receipts])
  const { reason } = Result.getOrThrow(Result.flip(result))
  if ("conflict" in expected) {
    expect(reason).toMatchObject({ _tag: "Conflict", stream: expected.conflict, actual: expected.actual })
  } else if ("reserved" in expected) {
    expect(reason._tag).toBe("InvalidInput")
    expect(reason.message).toContain(expected.reserved)
  } else if ("duplicates" in expected) {
    // which of several is named is not promised
    const named = expected.duplicates.map(({ id, revision, stream }) => [id, stream, revision])
    if (reason._tag !== "DuplicateEventId") throw reason
    expect(named).toContainEqual([reason.id, reason.existingStream, reason.existingRevision])
  } else {
    const named = expected.matching.map(({ position, stream, type }) => [position, stream, type])
    if (reason._tag !== "ConditionFailed") throw reason
    expect(named).toContainEqual([reason.position, reason.stream, reason.type])
  }
}

/** One or more stores on the same place, which take turns, and how one of them is closed and opened again. */
interface Place {
  readonly stores: ReadonlyArray<EventStore.EventStore>
  readonly reopen: (i: number) => Effect.Effect<void, unknown>
}

const memory: Effect.Effect<Place, unknown, Scope.Scope> = Effect.map(
  Layer.build(Layer.fresh(Memory.layer)),
  (context) => ({ stores: [Context.get(context, EventStore.EventStore)], reopen: () => Effect.void })
)

const sqlite: Effect.Effect<Place, unknown, Scope.Scope> = Effect.gen(function* () {
  const filename = yield* file
  const outer = yield* Effect.scope
  const stores: Array<EventStore.EventStore> = []
  const scopes: Array<Scope.Closeable> = []
  const open = (i: number) =>
    Effect.gen(function* () {
      const scope = scopes[i] = yield* Scope.fork(outer)
      const layer = Sqlite.layer({ filename, synchronous: "OFF" })
      stores[i] = Context.get(yield* Layer.buildWithScope(layer, scope), EventStore.EventStore)
    })
  yield* open(0)
  yield* open(1)
  return { stores, reopen: (i) => Effect.andThen(Scope.close(scopes[i]!, Exit.void), open(i)) }
})

/** Takes the steps on a store and in the model, comparing as it goes, and the whole log at the end. */
const follow = (place: Effect.Effect<Place, unknown, Scope.Scope>, steps: ReadonlyArray<Step>) => {
  let now = 20
  const clock = (live: Clock.Clock): Clock.Clock => ({
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: () => BigInt(now) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => live.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: live.monotonicTimeNanos,
    sleep: (duration) => live.sleep(duration)
  })
  const run = Effect.gen(function* () {
    const { reopen, stores } = yield* place
    const name = stores[0]!.driver.store
    const log: Array<Model.Entry> = []
    /** An id as it is given to both; those of the store only once it has given them. */
    const known = (id: string) => {
      const given = /^given:(\d)$/.exec(id)
      if (given === null) return id
      return Number(given[1]) <= log.length ? `${name}:${given[1]}` : id
    }
    for (const step of steps) {
      const via = step.via % stores.length
      const store = stores[via]!
      switch (step.do) {
        case "append": {
          now += step.wait
          const appends = step.appends.map(({ condition, writes }) => ({
            condition,
            writes: writes.map((write) => ({ ...write, ids: write.ids?.map(known) }))
          }))
          const outcomes = appends.map((append) => Model.append(log, name, now, append))
          const results = yield* Effect.forEach(appends, (append) => appendTo(store, append), {
            concurrency: "unbounded"
          })
          results.forEach((result, i) => compare(result, outcomes[i]!))
          break
        }
        case "read":
          for (const options of step.ways) {
            expect(yield* entries(store.read(all, step.stream, options)))
              .toEqual([...Model.read(log, step.stream, options)])
          }
          break
        case "log":
          expect(yield* entries(store.log(setOf(step), step.options)))
            .toEqual([...Model.readLog(log, step.red ? ["Red"] : ["Red", "Blue"], step.options)])
          break
        case "subscribe": {
          const { limit: _, ...options } = step.options
          const expected = Model.readLog(log, step.red ? ["Red"] : ["Red", "Blue"], options)
          const live = store.subscribe(setOf(step), options)
          expect(yield* entries(Stream.take(live, expected.length))).toEqual([...expected])
          break
        }
        case "find": {
          const id = known(step.id)
          const found = yield* store.driver.find(id)
          expect(found?.position).toBe(log.find((entry) => entry.id === id)?.position)
          break
        }
        case "reopen":
          yield* reopen(via)
      }
      expect(yield* stores[via]!.head).toBe(log.length)
    }
    for (const store of stores) expect(yield* entries(store.log(all))).toEqual(log)
  })
  return Effect.runPromise(Effect.scoped(
    Effect.flatMap(Clock.Clock, (live) => Effect.provideService(run, Clock.Clock, clock(live)))
  ))
}

describe("any interleaving of appends and reads behaves like a list of events", () => {
  test(
    "in memory",
    () => fc.assert(fc.asyncProperty(steps, (steps) => follow(memory, steps)), { numRuns: 400 }),
    30_000
  )
  test(
    "in SQLite, through two connections",
    () => fc.assert(fc.asyncProperty(steps, (steps) => follow(sqlite, steps)), { numRuns: 100 }),
    30_000
  )
})
