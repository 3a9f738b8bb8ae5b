import { expect, test } from "bun:test"
import { EventStore } from "dunnock"
import { Effect, Option, Stream } from "effect"
import { join } from "node:path"
import { testsOn } from "../services/bun.ts"
import { mysql, postgres } from "../services/mod.ts"
import { type Place, places, stores } from "./places.ts"
import { type Process, start } from "./Process.ts"
import { byId, expected, rowsOf, tally } from "./tally.ts"
import { chance, events, type Load, load, range, times } from "./writes.ts"

const Tally = tally("Tally")

const startOwner = (place: Place) =>
  Effect.tap(
    start(join(import.meta.dirname, "owners.child.ts"), place),
    ({ tell }) => Effect.sync(() => tell("go"))
  )

/** Waits until one of the processes has begun to work on the projection. */
const working = (processes: () => ReadonlyArray<Process>) =>
  Effect.gen(function* () {
    while (true) {
      const owner = processes().find(({ said }) => said.includes("working"))
      if (owner !== undefined) return owner
      yield* Effect.sleep(2)
    }
  })

/** Waits for the processes to catch up, and compares what they made with what was appended. */
const compare = (work: Load, processes: ReadonlyArray<Process>) =>
  Effect.gen(function* () {
    yield* work.end
    const store = yield* EventStore.EventStore
    yield* Tally.waitFor(yield* store.head, "20 seconds")
    expect(byId(yield* rowsOf(Tally))).toEqual(expected("w", work.appends))

    const all = yield* Stream.runCollect(store.log(events))
    const handled = () =>
      processes.flatMap(({ said }) => said.flatMap((line) => (line as { handled?: string }).handled ?? []))
    let missing = all.map(({ id }) => id)
    for (let waited = 0; missing.length > 0; waited += 50) {
      expect(waited, `not handled: ${missing}`).toBeLessThan(20_000)
      yield* Effect.sleep(50)
      const ids = new Set(handled())
      missing = missing.filter((id) => !ids.has(id))
    }
    return `${all.length} events, ${handled().length} handled`
  })

/** A process is killed as soon as it works, or a little later, and another is started beside those that wait. */
const kills = (place: Place) =>
  Effect.gen(function* () {
    const random = chance(3)
    const work = yield* load(yield* EventStore.EventStore, "w", 4, "4 millis")
    const started: Array<Process> = []
    const begin = Effect.tap(startOwner(place), (process) => Effect.sync(() => started.push(process)))
    yield* Effect.all([begin, begin], { concurrency: "unbounded" })
    const killed = new Set<Process>()
    const count = times(30, 300)
    for (const _ of range(count)) {
      const owner = yield* working(() => started.filter((process) => !killed.has(process)))
      yield* Effect.sleep(random() * 40)
      owner.kill()
      killed.add(owner)
      yield* Effect.forkScoped(begin)
    }
    console.log(`${place.adapter}: ${count} kills, ${yield* compare(work, started)}`)
  })

/** A process is paused while it works, for longer than its lease, and goes on when another has taken over. */
const pauses = (place: Place) =>
  Effect.gen(function* () {
    const random = chance(4)
    const work = yield* load(yield* EventStore.EventStore, "w", 4, "4 millis")
    const started: Array<Process> = []
    const begin = Effect.tap(startOwner(place), (process) => Effect.sync(() => started.push(process)))
    const count = times(6, 100)
    let [takeovers, rounds] = [0, 0]
    while (takeovers < count) {
      const [paused, other] = yield* Effect.all([begin, begin], { concurrency: "unbounded" })
      const owner = yield* working(() => [paused, other])
      const heir = owner === paused ? other : paused
      yield* Effect.sleep(random() * 40)
      owner.kill("SIGSTOP")
      rounds++
      // if it holds the lock of a SQLite file, nobody can take over
      const takeover = yield* Effect.timeoutOption(working(() => [heir]), "1 second")
      if (Option.isSome(takeover)) takeovers++
      owner.kill("SIGCONT")
      yield* Effect.sleep(100)
      owner.kill()
      heir.kill()
      yield* Effect.all([owner.ended, heir.ended])
    }
    yield* begin
    console.log(
      `${place.adapter}: ${rounds} pauses, ${takeovers} takeovers, ${yield* compare(work, started)}`
    )
  })

const cases = [
  ["no event is missed or taken in twice when the process that works is killed over and over", kills],
  ["a process that was paused for longer than its lease commits nothing any more", pauses]
] as const

for (const adapter of ["sqlite", "postgres", "mysql"] as const) {
  const run = adapter === "sqlite" ? test : testsOn(`${adapter}, owners`, { mysql, postgres }[adapter])
  for (const [name, body] of cases) {
    run(
      `${adapter}: ${name}`,
      () =>
        Effect.runPromise(Effect.scoped(Effect.gen(function* () {
          const place = yield* places[adapter]
          yield* body(place).pipe(Effect.provide(Tally.layerQueries), Effect.provide(stores(place)))
        }))),
      times(90_000, 1_200_000)
    )
  }
}
