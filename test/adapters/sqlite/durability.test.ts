/**
 * Promises 1, 3, 5 and 6 on a file whose writers are killed: `kill -9` at random moments of a write load, 50 times with
 * each durability.
 */
import { describe, expect, test } from "bun:test"
import type { EventStore } from "dunnock"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { DatabaseSync } from "node:sqlite"
import { file } from "../../contract/scratch.ts"
import type { Process } from "../../faults/Process.ts"
import { events, idsOf, write } from "../../faults/writes.ts"
import { openStore, start } from "./processes.ts"

const kills = 50
const fibers = 4
const seed = Number(process.env["SEED"] ?? 20_261_120)

/** Mulberry32: numbers from 0 to 1, the same for the same seed. */
const random = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}

type Acknowledged = readonly [fiber: number, n: number, receipts: unknown]

/** Which of these ids are in the log, each as often as it is there. */
const present = (store: EventStore.EventStore, after: number) =>
  Effect.map(Stream.runCollect(store.log(events, { after })), (all) => {
    const ids = all.map(({ id }) => id)
    return { ids: new Set(ids), count: ids.length, last: all.at(-1)?.position ?? after }
  })

/** Lets a process write, kills it at some moment, and says what it had acknowledged by then. */
const killSometime = (writer: Process, next: () => number) =>
  Effect.gen(function* () {
    writer.tell("go")
    // one in five may die before it has written, or even opened the file
    if (next() < 0.8) yield* writer.hear
    yield* Effect.sleep(next() * 20)
    writer.kill()
    expect(yield* writer.ended).toBe("SIGKILL")
    return writer.said.slice(1) as ReadonlyArray<Acknowledged>
  })

/** What is left of a killed writer: all that it acknowledged, and of each append under way all or nothing. */
const checkRemains = (
  store: EventStore.EventStore,
  writer: string,
  acknowledged: ReadonlyArray<Acknowledged>,
  after: number
) =>
  Effect.gen(function* () {
    const remains = yield* present(store, after)
    expect(remains.count).toBe(remains.ids.size)
    for (const [fiber, n] of acknowledged) {
      for (const id of idsOf(writer, fiber, n)) expect(remains.ids, `acknowledged ${id}`).toContain(id)
    }
    let whole = 0
    for (let fiber = 0; fiber < fibers; fiber++) {
      const next = acknowledged.filter(([of]) => of === fiber).length
      const found = idsOf(writer, fiber, next).filter((id) => remains.ids.has(id)).length
      expect([0, 3], `events of ${writer}/${fiber}/${next}`).toContain(found)
      if (found > 0) whole++
    }
    expect(remains.count).toBe(3 * (acknowledged.length + whole))
    return { whole, absent: fibers - whole }
  })

/** The same appends again, those acknowledged last and those under way, leave one copy of each and tell the same. */
const retry = (
  store: EventStore.EventStore,
  writer: string,
  acknowledged: ReadonlyArray<Acknowledged>,
  after: number
) =>
  Effect.gen(function* () {
    for (let fiber = 0; fiber < fibers; fiber++) {
      const of = acknowledged.filter((one) => one[0] === fiber)
      const last = of.at(-1)
      if (last !== undefined) expect<unknown>(yield* write(store, writer, fiber, last[1])).toEqual(last[2])
      const once = yield* write(store, writer, fiber, of.length)
      expect(yield* write(store, writer, fiber, of.length)).toEqual(once)
    }
    const after_ = yield* present(store, after)
    expect(after_.count).toBe(after_.ids.size)
    expect(after_.count).toBe(3 * (acknowledged.length + fibers))
    return after_.last
  })

/** The ids a subscription gives, from the beginning to the last event of the writer called "end". */
const followToEnd = (store: EventStore.EventStore) =>
  store.subscribe(events).pipe(
    Stream.map(({ id }) => id),
    Stream.takeUntil((id) => id === idsOf("end", 0, 0)[2]),
    Stream.runCollect
  )

const killMany = (synchronous: "FULL" | "NORMAL", follow: boolean) =>
  Effect.gen(function* () {
    const filename = yield* file
    const next = random(seed)
    const follower = follow ? yield* Effect.forkChild(followToEnd(yield* openStore({ filename }))) : undefined
    const begin = (k: number) =>
      start({ kind: "append", filename, synchronous, name: `w${k}`, fibers, appends: 1_000_000 })
    const sum = { acknowledged: 0, whole: 0, absent: 0, midLoad: 0 }
    let upTo = 0
    let coming = yield* Effect.forkChild(begin(0))
    for (let k = 0; k < kills; k++) {
      const writer = yield* Fiber.join(coming)
      // the next one starts up while this one writes
      if (k + 1 < kills) coming = yield* Effect.forkChild(begin(k + 1))
      const acknowledged = yield* killSometime(writer, next)
      yield* Effect.scoped(Effect.gen(function* () {
        const store = yield* openStore({ filename, synchronous })
        const { absent, whole } = yield* checkRemains(store, `w${k}`, acknowledged, upTo)
        upTo = yield* retry(store, `w${k}`, acknowledged, upTo)
        sum.acknowledged += acknowledged.length
        sum.whole += whole
        sum.absent += absent
        if (acknowledged.length > 0) sum.midLoad++
      }))
    }
    const store = yield* openStore({ filename, synchronous })
    yield* write(store, "end", 0, 0)
    const all = yield* Stream.runCollect(store.log(events))
    expect(all.length).toBe(3 * (sum.acknowledged + fibers * kills + 1))
    const revisions = new Map<string, number>()
    for (const [i, { position, revision, stream }] of all.entries()) {
      expect(position).toBeGreaterThan(all[i - 1]?.position ?? 0)
      expect(revision, stream).toBe((revisions.get(stream) ?? 0) + 1)
      revisions.set(stream, revision)
    }
    if (follower !== undefined) expect(yield* Fiber.join(follower)).toEqual(all.map(({ id }) => id))
    const database = new DatabaseSync(filename)
    expect(Object.values(database.prepare("pragma integrity_check").get() ?? {})).toEqual(["ok"])
    database.close()
    const { absent, acknowledged, midLoad, whole } = sum
    console.log(
      `${synchronous}: ${kills} kills, ${midLoad} of them after ${acknowledged} acknowledged appends; of those under way ` +
        `${whole} were whole and ${absent} absent (seed ${seed})`
    )
    // Most kills must have come while it was writing, or this shows nothing.
    expect(midLoad).toBeGreaterThan(kills / 2)
  })

describe("promises 1, 3 and 5: whole or absent, one copy, durable", () => {
  test.concurrent(
    "killed 50 times while it writes with FULL, a file keeps all that was acknowledged and nothing by half",
    () => Effect.runPromise(Effect.scoped(killMany("FULL", false))),
    60_000
  )
  test.concurrent(
    "so with NORMAL; and one subscription sees every event of all the killed writers once, in order",
    () => Effect.runPromise(Effect.scoped(killMany("NORMAL", true))),
    60_000
  )
})

describe("promise 5: durable when the effect returns", () => {
  test("closing the store commits every append that was made before, and they are acknowledged", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const filename = yield* file
      const scope = yield* Scope.make()
      const store = yield* Scope.provide(openStore({ filename }), scope)
      // more than one group
      const writers = yield* Effect.forEach(
        Array.from({ length: 1_200 }, (_, i) => i),
        (i) => Effect.forkChild(write(store, `w${i}`, 0, 0), { startImmediately: true })
      )
      yield* Scope.close(scope, Exit.void)
      for (const writer of writers) yield* Fiber.join(writer)
      const again = yield* openStore({ filename })
      expect((yield* present(again, 0)).ids.size).toBe(3 * writers.length)
    }))))

  test("closing the store under writers that never rest ends, loses nothing, and refuses what comes later", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const filename = yield* file
      const scope = yield* Scope.make()
      const store = yield* Scope.provide(openStore({ filename }), scope)
      const acknowledged: Array<Acknowledged> = []
      const forever = (fiber: number) =>
        Effect.gen(function* () {
          for (let n = 0;; n++) acknowledged.push([fiber, n, yield* write(store, "w", fiber, n)])
        })
      const writers = yield* Effect.forEach([0, 1, 2, 3], (fiber) => Effect.forkChild(forever(fiber)))
      for (let i = 0; i < 10; i++) yield* write(store, "other", 0, i)
      yield* Scope.close(scope, Exit.void)
      for (const writer of writers) {
        const { reason } = yield* Effect.flip(Fiber.join(writer))
        expect(reason._tag).toBe("Unavailable")
        expect(reason.message).toContain(filename)
      }
      const again = yield* openStore({ filename })
      const { ids } = yield* present(again, 0)
      expect(ids.size).toBe(3 * (acknowledged.length + 10))
      for (const [fiber, n] of acknowledged) for (const id of idsOf("w", fiber, n)) expect(ids).toContain(id)
    }))))
})
