/**
 * A process of writers on one database. Each does one of three things at a time, by chance: appends; appends in a
 * transaction of its own that waits and then commits or rolls back; leaves a transaction open that has nothing to do with
 * the log. At the end it says which ids it committed and which it rolled back.
 */
import * as Effect from "effect/Effect"
import { openStore } from "./places.ts"
import { child } from "./Process.ts"
import * as Raw from "./Raw.ts"
import { chance, idsOf, range, write } from "./writes.ts"
import type { Job } from "./writers.ts"

await child<Job>(({ name, place, rounds, seed, writers }, { say }) =>
  Effect.gen(function* () {
    const store = yield* openStore(place)
    const committed: Array<string> = []
    const rolledBack: Array<string> = []
    const writer = (w: number) =>
      Effect.gen(function* () {
        const random = chance(seed * 1_000 + w)
        const raw = yield* Raw.open(place)
        let appended = 0
        let revision = 0
        for (const n of range(rounds)) {
          const kind = random()
          if (kind < 0.5) {
            yield* write(store, name, w, appended)
            committed.push(...idsOf(name, w, appended++))
          } else if (kind < 0.9) {
            const keep = random() < 0.5
            const id = `${name}/${w}/${n}/raw`
            const data = JSON.stringify({ writer: name, fiber: w, n })
            const event = { id, stream: `raw-${name}-${w}`, revision: revision + 1, data }
            yield* raw.append(event, () => random() * 0.008, keep ? "commit" : "rollback")
            if (keep) revision++
            ;(keep ? committed : rolledBack).push(id)
          } else {
            yield* raw.elsewhere(random() * 0.6)
          }
        }
      })
    yield* Effect.forEach(range(writers), writer, { concurrency: "unbounded" })
    yield* say({ committed, rolledBack })
  })
)
