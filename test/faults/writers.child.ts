/**
 * A process of writers on one PostgreSQL database. Each does one of three things at a time, by chance: appends; appends in
 * a transaction of its own that waits and then commits or rolls back; leaves a transaction open that has nothing to do
 * with the log. At the end it says which ids it committed and which it rolled back.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import { openStore } from "./postgres.ts"
import { child } from "./Process.ts"
import { chance, idsOf, range, write } from "./writes.ts"
import type { Job } from "./writers.ts"

/** One event, as the adapter writes it, in a transaction of the client's. Waits for up to `delay` milliseconds thrice. */
const appendRaw = (
  sql: PgClient.PgClient,
  event: { readonly stream: string; readonly revision: number; readonly id: string; readonly data: string },
  sleep: () => number
) =>
  Effect.gen(function* () {
    const wait = () => sql`select pg_sleep(${sleep() / 1000})`
    yield* wait()
    const [log] = yield* sql<
      { newest: number; recorded: number }
    >`select newest, recorded from dunnock_lock()`
    yield* wait()
    yield* sql`insert into dunnock_events (position, stream, revision, id, type, version, data, recorded_at)
      values (${
      log!.newest + 1
    }, ${event.stream}, ${event.revision}, ${event.id}, 'Written', 1, ${event.data},
        ${Math.max(log!.recorded, Date.now())})`
    yield* sql`select pg_notify('dunnock_' || 'dunnock_events'::regclass::oid, '')`
    yield* wait()
  })

await child<Job>(({ name, rounds, seed, url, writers }, { say }) =>
  Effect.gen(function* () {
    const store = yield* openStore(url)
    const sql = yield* PgClient.make({ url: Redacted.make(url), maxConnections: writers }).pipe(
      Effect.provide(Reactivity.layer)
    )
    const committed: Array<string> = []
    const rolledBack: Array<string> = []
    const writer = (w: number) =>
      Effect.gen(function* () {
        const random = chance(seed * 1_000 + w)
        let appended = 0
        let raw = 0
        for (const n of range(rounds)) {
          const kind = random()
          if (kind < 0.5) {
            yield* write(store, name, w, appended)
            committed.push(...idsOf(name, w, appended++))
          } else if (kind < 0.9) {
            const keep = random() < 0.5
            const id = `${name}/${w}/${n}/raw`
            const event = {
              id,
              stream: `raw-${name}-${w}`,
              revision: raw + 1,
              data: JSON.stringify({ writer: name, fiber: w, n })
            }
            yield* appendRaw(sql, event, () => random() * 8).pipe(
              Effect.andThen(keep ? Effect.void : Effect.fail("roll back")),
              sql.withTransaction,
              Effect.catchIf((error) => error === "roll back", () => Effect.void)
            )
            if (keep) raw++
            ;(keep ? committed : rolledBack).push(id)
          } else {
            yield* sql`insert into elsewhere select pg_sleep(${random() * 0.3})::text`.pipe(
              Effect.andThen(sql`select pg_sleep(${random() * 0.3})`),
              sql.withTransaction
            )
          }
        }
      })
    yield* Effect.forEach(range(writers), writer, { concurrency: "unbounded" })
    yield* say({ committed, rolledBack })
  })
)
