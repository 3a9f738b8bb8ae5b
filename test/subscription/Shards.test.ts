/** Leases: who works on which shard, and when it goes to another. */
import { describe, expect, test } from "bun:test"
import { Clock, Duration, Effect, Exit, Fiber, Latch, Scope } from "effect"
import { DocumentStore } from "../../src/repository/DocumentStore.ts"
import * as Shards from "../../src/subscription/Shards.ts"
import { pass, run } from "./fixture.ts"

const options = (shards: number) => ({ name: "sub", shards, lease: Duration.seconds(5) })

/** A process that notes which shards it has. */
const member = (shards: number, documents: DocumentStore) =>
  Effect.gen(function* () {
    const has = new Set<number>()
    const work = ({ index, leave }: Shards.Shard) =>
      Effect.acquireUseRelease(
        Effect.sync(() => has.add(index)),
        () => leave.await,
        () => Effect.sync(() => has.delete(index))
      )
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    yield* Effect.forkIn(Shards.run(documents, options(shards), work), scope, { startImmediately: true })
    return { has, close: Scope.close(scope, Exit.void) }
  })

/** Documents of a process that can be cut off. */
const cuttable = (documents: DocumentStore) => {
  let isCut = false
  const unless = <A>(effect: Effect.Effect<A, never>) => Effect.suspend(() => isCut ? Effect.never : effect)
  const any = <A, E>(effect: Effect.Effect<A, E>) => unless(effect as Effect.Effect<A, never>)
  return {
    cut: () => {
      isCut = true
    },
    documents: {
      ...documents,
      commit: (writes) => any(documents.commit(writes)),
      get: (collection, ids) => any(documents.get(collection, ids)),
      find: (collection, selection) => any(documents.find(collection, selection))
    } satisfies DocumentStore as DocumentStore
  }
}

const open = (shards: number) =>
  Effect.tap(DocumentStore, (documents) => Shards.open(documents, options(shards), Effect.succeed(0)))

describe("the shard of a stream", () => {
  test("is what it has always been", () => {
    expect(["Account-1", "Account-2", "order-äöü", "", "🐦"].map((name) => Shards.shardOf(name, 1000)))
      .toEqual(
        [83, 299, 934, 923, 931]
      )
  })

  test("is spread evenly, whatever the names are like", () => {
    for (const shards of [2, 3, 8, 16]) {
      for (
        const name of [
          (i: number) => `Account-${i}`,
          (i: number) => `${i * 16}`,
          (i: number) => `x${"y".repeat(i % 100)}${i}`
        ]
      ) {
        const counts = Array.from({ length: shards }, () => 0)
        for (let i = 0; i < 16_000; i++) counts[Shards.shardOf(name(i), shards)]!++
        expect(Math.min(...counts)).toBeGreaterThan(16_000 / shards * 0.85)
      }
    }
  })
})

const commit = (shard: Shards.Shard, position: number, writes: Shards.Pending["writes"], handled: number) =>
  shard.write({ writes, change: (state) => ({ ...state, position, handled: state.handled + handled }) })

describe("leases", () => {
  test(
    "members have shares that differ by at most one, when they come and when they go",
    run(Effect.gen(function* () {
      const documents = yield* open(8)
      const shares = (members: ReadonlyArray<{ readonly has: ReadonlySet<number> }>) => {
        expect(new Set(members.flatMap(({ has }) => [...has])).size).toBe(8)
        return members.map(({ has }) => has.size).toSorted()
      }
      const one = yield* member(8, documents)
      yield* pass(100)
      expect(shares([one])).toEqual([8])
      const two = yield* member(8, documents)
      yield* pass(5_000)
      expect(shares([one, two])).toEqual([4, 4])
      const three = yield* member(8, documents)
      yield* pass(5_000)
      expect(shares([one, two, three])).toEqual([2, 3, 3])
      yield* one.close
      yield* pass(5_000)
      expect(shares([two, three])).toEqual([4, 4])
    }))
  )

  test(
    "a shard that is given back is taken within a third of the lease, that of a dead owner when it has not been heard of for a lease",
    run(Effect.gen(function* () {
      const documents = yield* open(1)
      const first = yield* member(1, documents)
      yield* pass(50)
      const dying = cuttable(documents)
      yield* pass(50)
      const second = yield* member(1, dying.documents)
      yield* pass(200)
      expect([first.has.size, second.has.size]).toEqual([1, 0])
      yield* first.close
      yield* pass(1_700)
      expect(second.has.size).toBe(1)
      yield* pass(10_000)
      const third = yield* member(1, documents)
      yield* pass(200)
      dying.cut()
      yield* pass(3_000)
      expect(third.has.size).toBe(0)
      // Its last commit was seen a third of the lease after it, at the latest.
      yield* pass(3_800)
      expect(third.has.size).toBe(1)
      // A store that never answers keeps nobody from closing.
      yield* Effect.all([second.close, pass(5_000)], { concurrency: 2 })
    }))
  )

  test(
    "no clock is compared with another's: one that is an hour off neither takes what another has nor keeps it for long",
    run(Effect.gen(function* () {
      const documents = yield* open(1)
      for (const offset of [-3_600_000, 3_600_000]) {
        const clock = yield* Clock.clockWith(Effect.succeed)
        const shifted: Clock.Clock = {
          ...clock,
          currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + offset),
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + offset
        }
        const dying = cuttable(documents)
        const first = yield* member(1, dying.documents).pipe(Effect.provideService(Clock.Clock, shifted))
        yield* pass(100)
        const second = yield* member(1, documents)
        yield* pass(10_000)
        expect([first.has.size, second.has.size]).toEqual([1, 0])
        dying.cut()
        yield* pass(7_000)
        expect([first.has.size, second.has.size]).toEqual([0, 1])
        yield* second.close
        yield* Effect.all([first.close, pass(5_000)], { concurrency: 2 })
      }
    }))
  )

  test(
    "a work that cannot be interrupted keeps its process from nothing else",
    run(Effect.gen(function* () {
      const documents = yield* open(4)
      const stuck = yield* Latch.make(false)
      const work = () => Effect.uninterruptible(stuck.await)
      const fiber = yield* Effect.forkChild(Shards.run(documents, options(4), work))
      yield* pass(100)
      const second = yield* member(4, { ...documents })
      yield* pass(15_000)
      expect(second.has.size).toBe(2)
      const owners = (yield* Shards.readAll(documents, "sub")).map(({ state }) => state.owner)
      expect(new Set(owners).size).toBe(2)
      yield* stuck.open
      yield* second.close
      yield* pass(5_000)
      yield* Effect.all([Fiber.interrupt(fiber), pass(5_000)], { concurrency: 2 })
    }))
  )

  test(
    "what members left behind that crashed is cleared when another comes",
    run(Effect.gen(function* () {
      let cleared = 0
      const documents = yield* open(2)
      const dying = cuttable(documents)
      const first = yield* member(2, dying.documents)
      yield* pass(100)
      dying.cut()
      yield* pass(10_000)
      const clearExpired: DocumentStore["clearExpired"] = (collection) =>
        Effect.tap(documents.clearExpired(collection), (n) =>
          Effect.sync(() => {
            cleared += n
          }))
      yield* member(2, { ...documents, clearExpired })
      yield* pass(100)
      expect(cleared).toBe(1)
      yield* Effect.all([first.close, pass(5_000)], { concurrency: 2 })
    }))
  )

  test(
    "what was taken by another cannot be committed, and writes nothing",
    run(Effect.gen(function* () {
      const documents = yield* open(1)
      const note = { name: "notes", indexes: [] }
      const put = (id: string) =>
        ({
          op: "put",
          collection: note,
          id,
          expected: "any",
          data: "{}",
          position: 0,
          expiresAt: undefined
        }) as const
      const shards: Array<Shards.Shard> = []
      const work = (shard: Shards.Shard) =>
        Effect.andThen(Effect.sync(() => shards.push(shard)), shard.leave.await)
      const fiber = yield* Effect.forkChild(Shards.run(documents, options(1), work))
      yield* pass(50)
      yield* commit(shards[0]!, 5, [put("a")], 5)
      yield* Shards.change(
        documents,
        "sub",
        (state) => ({ ...state, owner: "another", epoch: state.epoch + 1 })
      )
      const lost = yield* Effect.flip(commit(shards[0]!, 9, [put("b")], 4))
      expect(lost._tag).toBe("LeaseLost")
      expect((yield* documents.get(note, ["a", "b"])).map((found) => found !== undefined)).toEqual([
        true,
        false
      ])
      expect((yield* Shards.readAll(documents, "sub"))[0]!.state.position).toBe(5)
      yield* Fiber.interrupt(fiber)
      expect((yield* Shards.readAll(documents, "sub"))[0]!.state.owner).toBe("another")
    }))
  )

  test(
    "what was moved by another is begun again from there, and what was at work commits nothing more",
    run(Effect.gen(function* () {
      const documents = yield* open(1)
      const begun: Array<number> = []
      const shards: Array<Shards.Shard> = []
      const work = (shard: Shards.Shard) =>
        Effect.andThen(
          Effect.sync(() => {
            begun.push(shard.position())
            shards.push(shard)
          }),
          shard.leave.await
        )
      yield* Effect.forkChild(Shards.run(documents, options(1), work))
      yield* pass(50)
      yield* commit(shards[0]!, 50, [], 50)
      const moved = { ...documents }
      yield* Shards.change(moved, "sub", (state) => ({ ...state, position: 20 }))
      expect((yield* Effect.flip(commit(shards[0]!, 60, [], 10)))._tag).toBe("LeaseLost")
      yield* pass(2_000)
      expect(begun).toEqual([0, 20])
      yield* commit(shards[0]!, 30, [], 10)
      expect((yield* Shards.readAll(documents, "sub"))[0]!.state.handled).toBe(60)
    }))
  )
})
