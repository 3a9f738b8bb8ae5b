/** Promises 2, 4 and 6 between processes that have one file open. */
import { describe, expect, test } from "bun:test"
import { Event } from "dunnock"
import { Effect, Fiber, Schema, Stream } from "effect"
import { file, folder } from "../../contract/scratch.ts"
import type { Process } from "../../faults/Process.ts"
import { events, idsOf, write } from "../../faults/writes.ts"
import { type Job, openStore, start } from "./processes.ts"

const range = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, i) => i)

const created = Event.set({ Created: { by: Schema.String } })

/** Starts the processes, tells them to begin at the same time, and waits for their end. */
const together = (jobs: ReadonlyArray<Job>) =>
  Effect.gen(function* () {
    const processes = yield* Effect.forEach(jobs, start, { concurrency: "unbounded" })
    for (const { tell } of processes) tell("go")
    return yield* outcomes(processes)
  })

/** Waits for the end of the processes; what they said since they were ready. */
const outcomes = (processes: ReadonlyArray<Process>) =>
  Effect.gen(function* () {
    for (const { ended } of processes) expect(yield* ended).toBe(0)
    return processes.map(({ said }) => said.slice(1))
  })

describe("promise 2: conditional", () => {
  test(
    "of two processes that race to create the same 1,000 streams, exactly one wins on each",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const [filename, streams] = [yield* file, 1_000]
        const job = { kind: "create", filename, streams } as const
        const processes = [
          yield* start({ ...job, name: "one", stride: 1 }),
          yield* start({ ...job, name: "two", stride: 7 })
        ]
        for (const { hear, tell } of processes) {
          tell("open")
          expect(yield* hear).toBe("open")
        }
        for (const { tell } of processes) tell("race")
        const [one, two] = (yield* outcomes(processes)).map(([, said]) => said as ReadonlyArray<string>)
        const store = yield* openStore({ filename })
        for (const i of range(streams)) {
          expect([one![i], two![i]].toSorted(), `s-${i}`).toEqual(["Conflict", "created"])
          const winner = one![i] === "created" ? "one" : "two"
          const all = yield* Stream.runCollect(store.read(created, `s-${i}`))
          expect(all.map(({ data }) => data.by)).toEqual([winner])
        }
        // or they did not race
        expect(new Set(one).size + new Set(two).size).toBe(4)
      }))),
    20_000
  )
})

describe("promise 4: ordered and gap-safe", () => {
  test(
    "single events of 6 processes, which take the same positions, are each there once",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const [filename, names, appends] = [yield* file, range(6).map((i) => `s-${i}`), 1_000]
        const store = yield* openStore({ filename })
        yield* together(names.map((name) => ({ kind: "single", filename, name, appends })))
        const all = yield* Stream.runCollect(store.log(created))
        expect(all.map(({ position }) => position)).toEqual(range(names.length * appends).map((i) => i + 1))
        for (const name of names) {
          const own = all.filter(({ stream }) => stream === name)
          expect(own.map(({ revision }) => revision)).toEqual(range(appends).map((i) => i + 1))
        }
      }))),
    30_000
  )

  test(
    "a reader sees every event of 8 processes that append to one file once, in order",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const [filename, writers, fibers, appends] = [yield* file, 8, 4, 10]
        const total = writers * fibers * appends * 3
        const reader = yield* openStore({ filename })
        const tail = yield* reader.subscribe(events).pipe(
          Stream.take(total),
          Stream.runCollect,
          Effect.forkChild
        )
        const job = { kind: "append", filename, synchronous: "NORMAL", fibers, appends } as const
        const said = yield* together(range(writers).map((i) => ({ ...job, name: `w${i}` })))
        const seen = yield* Fiber.join(tail)

        const ids = seen.map(({ id }) => id)
        expect(new Set(ids).size).toBe(total)
        expect(ids).toEqual((yield* Stream.runCollect(reader.log(events))).map(({ id }) => id))
        seen.forEach(({ position }, i) => expect(position).toBeGreaterThan(seen[i - 1]?.position ?? 0))
        for (const writer of range(writers)) {
          expect(said[writer]!.length).toBe(fibers * appends)
          for (const fiber of range(fibers)) {
            const of = seen.filter(({ data }) => data.writer === `w${writer}` && data.fiber === fiber)
            expect(of.map(({ id }) => id)).toEqual(
              range(appends).flatMap((n) => idsOf(`w${writer}`, fiber, n))
            )
          }
        }
      }))),
    30_000
  )

  test(
    "what is not committed is not read, and a writer that dies or rolls back stalls nobody",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const filename = yield* file
        const store = yield* openStore({ filename })
        const tail = yield* store.subscribe(events).pipe(Stream.take(9), Stream.runCollect, Effect.forkChild)
        yield* write(store, "w", 0, 0)
        for (const [n, end] of [[1, "kill"], [2, "roll back"]] as const) {
          const holder = yield* start({ kind: "hold", filename })
          holder.tell("go")
          expect(yield* holder.hear).toBe("held")
          const head = yield* store.head
          const writer = yield* Effect.forkChild(write(store, "w", 0, n))
          expect(head).toBe(n * 3)
          if (end === "kill") holder.kill()
          else holder.tell("roll back")
          yield* Fiber.join(writer)
          expect(yield* store.head).toBe(n * 3 + 3)
        }
        expect((yield* Fiber.join(tail)).map(({ id }) => id)).toEqual(
          range(3).flatMap((n) => idsOf("w", 0, n))
        )
      }))),
    20_000
  )
})

describe("promise 6: subscriptions", () => {
  test(
    "a subscription goes on across a writer in another process that is killed and started again",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const filename = yield* file
        const store = yield* openStore({ filename })
        const seen: Array<string> = []
        const follow = store.subscribe(events, { after: 0 }).pipe(
          Stream.map(({ id }) => seen.push(id) && id),
          Stream.takeUntil((id) => id === idsOf("end", 0, 0)[2]),
          Stream.runDrain
        )
        const tail = yield* Effect.forkChild(follow)
        for (const name of ["first", "second"]) {
          const job = {
            kind: "append",
            filename,
            synchronous: "NORMAL",
            name,
            fibers: 2,
            appends: 100_000
          } as const
          const writer = yield* start(job)
          writer.tell("go")
          for (const _ of range(20)) yield* writer.hear
          writer.kill()
          yield* writer.ended
        }
        yield* write(store, "end", 0, 0)
        yield* Fiber.join(tail)
        expect(seen).toEqual((yield* Stream.runCollect(store.log(events))).map(({ id }) => id))
        expect(seen.length).toBeGreaterThan(2 * 20 * 3)
      }))),
    20_000
  )
})

describe("opening", () => {
  const filesOf = (path: string) => range(5).map((i) => `${path}/${i}.db`)

  test(
    "8 processes open the same new files at once, each is set up once, and all can write",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const filenames = filesOf(yield* folder)
        yield* together(range(8).map((i) => ({ kind: "open", filenames, name: `w${i}` })))
        for (const filename of filenames) {
          const store = yield* openStore({ filename })
          const all = yield* Stream.runCollect(store.log(events))
          expect(all.map(({ id }) => id).toSorted()).toEqual(range(8).flatMap((i) => idsOf(`w${i}`, 0, 0)))
        }
      }))),
    20_000
  )

  test(
    "a process that is killed while it sets a file up leaves one that the next can open",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const path = yield* folder
        for (const round of range(5)) {
          const filenames = filesOf(path).map((filename) => `${filename}-${round}`)
          const opener = yield* start({ kind: "open", filenames, name: "w" })
          opener.tell("go")
          yield* Effect.sleep(1 + round * 5)
          opener.kill()
          yield* opener.ended
          for (const filename of filenames) {
            const store = yield* openStore({ filename })
            expect([0, 3]).toContain((yield* Stream.runCollect(store.log(events))).length)
            yield* write(store, "w", 0, 0)
            expect((yield* Stream.runCollect(store.log(events))).length).toBe(3)
          }
        }
      }))),
    20_000
  )
})
