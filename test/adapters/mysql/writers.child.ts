/**
 * A process of writers on one MySQL database. Each does one of three things at a time, by chance: appends; appends in a
 * transaction of its own that waits and then commits or rolls back; leaves a transaction open that has nothing to do with
 * the log. At the end it says which ids it committed and which it rolled back.
 */
import * as Effect from "effect/Effect"
import { child } from "../../faults/Process.ts"
import { chance, idsOf, range, write } from "../../faults/writes.ts"
import { connect, openStore, query } from "./store.ts"
import type { Job } from "../../faults/writers.ts"

interface Raw {
  readonly stream: string
  readonly revision: number
  readonly id: string
}

/** One event, as the adapter writes it, by statements that wait in between. */
const insert = ({ id, revision, stream }: Raw, data: string, wait: () => string) =>
  `begin; ${wait()}; select id from dunnock_store for update; ${wait()};
  insert into dunnock_events (position, stream, revision, id, type, version, data, recorded_at)
    select coalesce(max(position), 0) + 1, '${stream}', ${revision}, '${id}', 'Written', 1, '${data}',
      greatest(coalesce(max(recorded_at), 0), ${Date.now()}) from dunnock_events; ${wait()}`

await child<Job>(({ name, rounds, seed, url, writers }, { say }) =>
  Effect.gen(function* () {
    const store = yield* openStore(url, { maxConnections: 4 })
    const committed: Array<string> = []
    const rolledBack: Array<string> = []
    const writer = (w: number) =>
      Effect.gen(function* () {
        const random = chance(seed * 1_000 + w)
        const wait = () => `do sleep(${random() * 0.008})`
        const connection = yield* connect(url)
        yield* query(connection, "set session transaction isolation level read committed")
        let appended = 0
        let raw = 0
        for (const n of range(rounds)) {
          const kind = random()
          if (kind < 0.6) {
            yield* write(store, name, w, appended)
            committed.push(...idsOf(name, w, appended++))
          } else if (kind < 0.9) {
            const keep = random() < 0.5
            const id = `${name}/${w}/${n}/raw`
            const data = JSON.stringify({ writer: name, fiber: w, n })
            const event = { id, stream: `raw-${name}-${w}`, revision: raw + 1 }
            yield* query(connection, `${insert(event, data, wait)}; ${keep ? "commit" : "rollback"}`)
            if (keep) raw++
            ;(keep ? committed : rolledBack).push(id)
          } else {
            yield* query(
              connection,
              `begin; insert into elsewhere values ('x'); do sleep(${random() * 0.3}); commit`
            )
          }
        }
      })
    yield* Effect.forEach(range(writers), writer, { concurrency: "unbounded" })
    yield* say({ committed, rolledBack })
  })
)
