// Snapshots shorten a cold load, the cache spares a warm one; neither is ever believed against the log.
import { describe, expect } from "bun:test"
import { Aggregate, type EventStoreDriver } from "dunnock"
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { Account, bank, check, counting, onEach, onMemory, start } from "./fixture.ts"

interface Variant {
  readonly state?: Schema.Codec<any, any>
  readonly version?: number
  readonly every?: number
  readonly step?: number
}

/** A counter with snapshots; its variants are what later versions of a program might make of it. */
const counter = (
  { every = 5, state = Schema.Struct({ total: Schema.Number }), step = 1, version }: Variant = {}
) => {
  const Counter = Aggregate.make("Counter", {
    state: state as Schema.Codec<{ readonly total: number }, any>,
    initial: { total: 0 },
    events: { Increased: {} },
    commands: [Rpc.make("Increase", { payload: { times: Schema.Number } })],
    evolve: { Increased: ({ total }) => ({ total: total + step }) },
    snapshots: version === undefined ? { every } : { every, version }
  })
  const layer = Counter.toLayer({
    Increase: ({ command }) => Array.from({ length: command.times }, () => ({ _tag: "Increased" }) as const)
  })
  return (driver: EventStoreDriver.EventStoreDriver) => start(Counter, layer, driver)
}

/** The events and the snapshot that a cold process reads to load a counter, and the total it loads. */
const coldLoad = (driver: EventStoreDriver.EventStoreDriver, variant?: Variant) =>
  Effect.gen(function* () {
    const { driver: counted, seen } = counting(driver)
    const { state } = yield* counter(variant)(counted)
    const { revision, state: { total } } = yield* state("c")
    return { eventsRead: seen.eventsRead, revision, total }
  })

/** A counter of 12 in appends of 3, of which the snapshots are those at 6 and 12: then one more. */
const thirteen = (driver: EventStoreDriver.EventStoreDriver) =>
  Effect.gen(function* () {
    const { client } = yield* counter()(driver)
    for (const times of [3, 3, 3, 3, 1]) yield* client("c").Increase({ times })
  })

describe("a snapshot", () => {
  onEach(
    "is kept when an append passes a multiple, though it never lands on one",
    (open) =>
      Effect.gen(function* () {
        const { driver, seen } = counting(yield* open)
        const { client } = yield* counter({ every: 5 })(driver)
        const kept: Array<number | undefined> = []
        for (const times of [3, 3, 3, 3, 1, 13, 4]) {
          yield* client("c").Increase({ times })
          kept.push((yield* driver.readSnapshot("Counter-c"))?.revision)
        }
        // after revisions 3, 6, 9, 12, 13, 26, 30
        expect(kept).toEqual([undefined, 6, 6, 12, 12, 26, 30])
        expect(seen.snapshotsWritten).toBe(4)
      })
  )

  onEach("is where a cold load begins", (open) =>
    Effect.gen(function* () {
      const driver = yield* open
      yield* thirteen(driver)
      expect(yield* coldLoad(driver)).toEqual({ eventsRead: 1, revision: 13, total: 13 })
      const { driver: counted, seen } = counting(driver)
      const { client } = yield* counter()(counted)
      expect(yield* client("c").Increase({ times: 1 })).toMatchObject({ revision: 14 })
      expect(seen).toMatchObject({ eventsRead: 1, snapshotsRead: 1, snapshotsWritten: 0 })
    }))

  onEach("gives the state as of a revision if it is not later", (open) =>
    Effect.gen(function* () {
      const { driver, seen } = counting(yield* open)
      yield* thirteen(driver)
      const { state } = yield* counter()(driver)
      for (const [atRevision, eventsRead] of [[13, 1], [12, 1], [11, 13], [0, 13]] as const) {
        seen.eventsRead = 0
        expect(yield* state("c", { atRevision })).toMatchObject({
          revision: atRevision,
          state: { total: atRevision }
        })
        expect(seen.eventsRead).toBe(eventsRead)
      }
      const [event] = yield* driver.readStream({
        bare: false,
        stream: "Counter-c",
        direction: "forwards",
        from: 1,
        limit: 1
      })
      expect((yield* state("c", { atTime: event!.recordedAt - 1 })).revision).toBe(0)
    }))

  const ignored: { readonly [name: string]: Variant } = {
    "the schema of the state has another field": {
      state: Schema.Struct({ total: Schema.Number, note: Schema.optionalKey(Schema.String) })
    },
    "the schema of the state has another type that fits as well": {
      state: Schema.Struct({ total: Schema.Finite })
    },
    "the schema of the state has a check that it does not pass": {
      state: Schema.Struct({ total: Schema.Number.check(Schema.isGreaterThanOrEqualTo(100)) })
    },
    "its version was raised": { version: 2, step: 2 }
  }
  for (const [name, variant] of Object.entries(ignored)) {
    onEach(`is ignored once ${name}`, (open) =>
      Effect.gen(function* () {
        const driver = yield* open
        yield* thirteen(driver)
        expect(yield* coldLoad(driver, variant)).toEqual({
          eventsRead: 13,
          revision: 13,
          total: 13 * (variant.step ?? 1)
        })
        // and replaced by one that is used
        const { client } = yield* counter(variant)(driver)
        yield* client("c").Increase({ times: 97 })
        expect(yield* coldLoad(driver, variant)).toMatchObject({ eventsRead: 0, revision: 110 })
      }))
  }

  onEach("stays in use when the same definition is made again", (open) =>
    Effect.gen(function* () {
      const driver = yield* open
      yield* thirteen(driver)
      const same = { version: 1, state: Schema.Struct({ total: Schema.Number }) }
      expect(yield* coldLoad(driver, same)).toMatchObject({ eventsRead: 1 })
      expect(yield* coldLoad(driver, { every: 7 })).toMatchObject({ eventsRead: 1 })
    }))

  for (const state of ["", "{", "null", "[]", '{"total":"twelve"}', "{}"]) {
    onEach(`is ignored when it is damaged: ${JSON.stringify(state)}`, (open) =>
      Effect.gen(function* () {
        const driver = yield* open
        yield* thirteen(driver)
        const snapshot = yield* driver.readSnapshot("Counter-c")
        yield* driver.writeSnapshot("Counter-c", { ...snapshot!, state })
        expect(yield* coldLoad(driver)).toEqual({ eventsRead: 13, revision: 13, total: 13 })
      }))
  }

  onMemory(
    "that cannot be kept does not fail the command",
    (open) =>
      Effect.gen(function* () {
        const driver = yield* open
        const { client } = yield* counter()({
          ...driver,
          writeSnapshot: () => Effect.die(new Error("the disk is full"))
        })
        expect(yield* client("c").Increase({ times: 6 })).toMatchObject({ revision: 6 })
        expect(yield* coldLoad(driver)).toEqual({ eventsRead: 6, revision: 6, total: 6 })
      })
  )

  onMemory(
    "of a state that its schema cannot encode does not fail the command",
    (open) =>
      Effect.gen(function* () {
        const driver = yield* open
        const { client } = yield* counter({ step: NaN, state: Schema.Struct({ total: Schema.Finite }) })(
          driver
        )
        const increase = client("c").Increase({ times: 6 })
        expect(yield* increase).toMatchObject({ revision: 6 })
        expect(yield* increase).toMatchObject({ revision: 12 })
        expect(yield* driver.readSnapshot("Counter-c")).toBeUndefined()
      })
  )

  check(
    "every 0, or a broken number of, events is refused where the aggregate is defined",
    Effect.sync(() => {
      for (const every of [0, -1, 1.5, NaN, Infinity]) {
        expect(() => counter({ every })).toThrow(`snapshots are taken every 1 or more events, not ${every}`)
      }
    })
  )
})

describe("the cache", () => {
  /** How many events are read to carry out a command for each of these ids in turn. */
  const readsOf = (cache: number | undefined, ids: string) => (driver: EventStoreDriver.EventStoreDriver) =>
    Effect.gen(function* () {
      for (const id of new Set(ids)) yield* (yield* bank(driver)).client(id).Deposit({ amount: 1 })
      const { driver: counted, seen } = counting(driver)
      const { client, state } = yield* bank(counted, {}, cache === undefined ? {} : { cache })
      const cold = []
      for (const id of ids) {
        const before = seen.reads
        yield* client(id).Deposit({ amount: 1 })
        cold.push(seen.reads > before ? id : "-")
      }
      for (const id of new Set(ids)) {
        const commands = ids.split(id).length - 1
        expect(yield* state(id)).toMatchObject({ revision: commands + 1, state: { balance: commands + 1 } })
      }
      return cold.join("")
    })

  onEach("spares the reading of an aggregate that was used before", (open) =>
    Effect.gen(function* () {
      expect(yield* readsOf(undefined, "aabbaabb")(yield* open)).toBe("a-b-----")
    }))

  onMemory("of capacity 0 keeps nothing", (open) =>
    Effect.gen(function* () {
      expect(yield* readsOf(0, "aabba")(yield* open)).toBe("aabba")
    }))

  onMemory("of capacity 1 keeps the last", (open) =>
    Effect.gen(function* () {
      expect(yield* readsOf(1, "aabbccddaa")(yield* open)).toBe("a-b-c-d-a-")
    }))

  onMemory("lets those go that were not used for long", (open) =>
    Effect.gen(function* () {
      expect(yield* readsOf(4, "abcdefgabcdefg")(yield* open)).toBe("abcdefgabcdefg")
    }))

  onMemory("keeps one that is used again and again", (open) =>
    Effect.gen(function* () {
      expect(yield* readsOf(4, "abacadaeafagahab")(yield* open)).toBe("ab-c-d-e-f-g-h-b")
    }))

  onMemory(
    "forgets nothing that is in the log: an evicted aggregate is read again",
    (open) =>
      Effect.gen(function* () {
        const process = yield* bank(yield* open, {}, { cache: 2 })
        const ids = Array.from({ length: 20 }, (_, i) => `id-${i}`)
        for (let round = 1; round <= 3; round++) {
          for (const id of ids) {
            expect(yield* process.client(id).Deposit({ amount: 1 })).toMatchObject({ revision: round })
          }
        }
        for (const id of ids) expect((yield* process.state(id)).state.balance).toBe(3)
      })
  )

  onMemory("is not asked for a state: that is always read", (open) =>
    Effect.gen(function* () {
      const [one, other] = [yield* bank(yield* open), yield* bank(yield* open)]
      yield* one.client("a").Deposit({ amount: 1 })
      yield* other.client("a").Deposit({ amount: 1 })
      expect((yield* one.state("a")).state.balance).toBe(2)
      expect((yield* one.state("a")).revision).toBe(2)
      expect(Account.name).toBe("Account")
    }))
})
