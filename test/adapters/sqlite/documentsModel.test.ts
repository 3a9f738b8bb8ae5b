/**
 * What SQLite finds is what memory finds, whatever is stored and whatever is asked for. `DUNNOCK_RUNS` and `DUNNOCK_SEED`
 * make it longer, and another.
 */
import { expect, test } from "bun:test"
import * as Memory from "dunnock/memory"
import * as Sqlite from "dunnock/sqlite"
import { Effect } from "effect"
import fc from "fast-check"
import { collection, puts, selection } from "./selections.ts"

const cases = collection.chain((collection) =>
  fc.tuple(
    fc.constant(collection),
    puts(collection),
    fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
    fc.array(selection, { minLength: 1, maxLength: 8 })
  )
)

const runs = Number(process.env["DUNNOCK_RUNS"] ?? 300)

test(
  "SQLite finds and counts the same documents as memory, in the same order",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const { documents: sqlite } = yield* Sqlite.make({ filename: ":memory:" })
      const { documents: memory } = yield* Memory.make
      const context = yield* Effect.context<never>()
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(cases, ([collection, all, dice, selections]) =>
            Effect.runPromiseWith(context)(Effect.gen(function* () {
              yield* Effect.all([sqlite.drop(collection), memory.drop(collection)])
              const again = all.filter(() => dice.next().value === 0)
              const deletes = all.filter(() =>
                dice.next().value! < 3
              )
                .map(({ id }) => ({ op: "delete", collection, id, expected: "any" } as const))
              for (const store of [sqlite, memory]) {
                for (const writes of [all, again, deletes]) {
                  yield* store.commit(writes)
                }
              }
              for (const selection of selections) {
                const [found, expected] = yield* Effect.all([
                  sqlite.find(collection, selection),
                  memory.find(collection, selection)
                ])
                const bare = (all: typeof found) =>
                  all.map(({ data, id, version }) => ({ data, id, version }))
                expect(bare(found)).toEqual(bare(expected))
                const [counted, count] = yield* Effect.all([
                  sqlite.count(collection, selection),
                  memory.count(collection, selection)
                ])
                expect(counted).toBe(count)
              }
            }))),
          { numRuns: runs, seed: Number(process.env["DUNNOCK_SEED"] ?? 20), endOnFailure: false }
        )
      )
    }))),
  120_000
)
