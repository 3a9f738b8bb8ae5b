// Promises of stores that outlive a process (durable) or are used by several (shared).
import * as Effect from "effect/Effect"
import type { Collection } from "../../repository/DocumentStore.ts"
import { type Case, equal, holds } from "../Contract.ts"
import {
  check,
  dataOf,
  del,
  found,
  getOne,
  increment,
  mustGet,
  number,
  numbers,
  others,
  place,
  put,
  refused,
  remove,
  type Services,
  text,
  things,
  withStores
} from "./fixture.ts"

const indexed: Collection = { name: "indexed", indexes: [number("n")] }

export const durable: ReadonlyArray<Case<Services>> = place("durable", {
  "what was written is there when the store is opened again": (layer) =>
    Effect.gen(function* () {
      const ids = ["a", "b", "c", "d"]
      const first = yield* withStores(layer, ({ documents }) =>
        Effect.gen(function* () {
          yield* documents.commit([
            put("a", { n: 1, t: "ä😀" }, { collection: indexed, position: 3, expiresAt: 4_102_444_800_000 }),
            put("b", { n: 2 }, { collection: indexed }),
            put("c", { n: 3 }, { collection: indexed })
          ])
          yield* documents.commit([del("b", 1, indexed), remove("c", 1, indexed)])
          return yield* documents.get(indexed, ids)
        }))
      yield* withStores(layer, ({ documents }) =>
        Effect.gen(function* () {
          yield* equal("documents", yield* documents.get(indexed, ids), first)
          const where = { op: "gt", field: number("n"), value: 0 } as const
          yield* equal("found", yield* found(documents, { where }, indexed), ["a"])
          const put2 = put("a", { n: 5 }, { collection: indexed, expected: 1 })
          yield* equal("next version", yield* documents.commit([put2]), [2])
        }))
    })
})

export const shared: ReadonlyArray<Case<Services>> = place("shared", {
  "what must be absent stays so until the commit: of two that need what the other writes, one fails": (
    layer
  ) =>
    withStores(layer, (one) =>
      withStores(layer, (other) =>
        Effect.gen(function* () {
          yield* one.documents.commit([put("warm", { n: 1 })])
          for (let i = 0; i < 20; i++) {
            const [a, b] = [`a${i}`, `b${i}`]
            const exits = yield* Effect.all([
              Effect.exit(one.documents.commit([put(a, { n: 1 }, { expected: 0 }), check(b, 0)])),
              Effect.exit(other.documents.commit([put(b, { n: 1 }, { expected: 0 }), check(a, 0)]))
            ], { concurrency: 2 })
            yield* holds("not both are written", exits.some(({ _tag }) => _tag === "Failure"))
          }
        }))),
  "what one writes, the other reads": (layer) =>
    withStores(layer, (one) =>
      withStores(layer, (other) =>
        Effect.gen(function* () {
          yield* equal("before", yield* getOne(other.documents, "a"), undefined)
          yield* one.documents.commit([put("a", { n: 1 })])
          yield* equal<unknown>("after", dataOf(yield* mustGet(other.documents, "a")), { n: 1 })
          yield* other.documents.commit([put("a", { n: 2 }, { expected: 1 })])
          const { actual } = yield* refused(
            "VersionConflict",
            one.documents.commit([put("a", {}, { expected: 1 })])
          )
          yield* equal("actual", actual, 2)
          yield* equal<unknown>("after both", dataOf(yield* mustGet(one.documents, "a")), { n: 2 })
        }))),
  "of many changes that both make at once, none is lost": (layer) =>
    withStores(layer, (one) =>
      withStores(layer, (other) =>
        Effect.gen(function* () {
          const changes = [one, other].flatMap(({ documents }) => numbers(40).map(() => documents))
          yield* Effect.forEach(changes, (documents) => increment(documents, "n"), {
            concurrency: 8,
            discard: true
          })
          const { data, version } = yield* mustGet(one.documents, "n")
          yield* equal<unknown>("n", [JSON.parse(data), version], [{ n: 80 }, 80])
        }))),
  "both use a collection for the first time at once, each with its indexes": (layer) =>
    withStores(layer, (one) =>
      withStores(layer, (other) =>
        Effect.gen(function* () {
          yield* Effect.forEach(
            numbers(8),
            (i) =>
              Effect.forEach([one, other], ({ documents }, j) => {
                const fields = [number("n"), text("t"), text("u")]
                const collection: Collection = {
                  name: `c${i}`,
                  indexes: j === 0 ? fields : fields.toReversed()
                }
                return documents.commit([put(`${j}`, { n: i, t: "t" }, { collection, expected: 0 })])
              }, { concurrency: 2 }),
            { concurrency: 4 }
          )
          for (const i of numbers(8)) {
            yield* equal(`c${i}`, yield* found(one.documents, {}, { name: `c${i}`, indexes: [] }), ["0", "1"])
          }
        }))),
  "both write the same documents at once, in opposite orders, and neither fails": (layer) =>
    withStores(layer, (one) =>
      withStores(layer, (other) =>
        Effect.gen(function* () {
          const rounds = numbers(25)
          const writes = (n: number) =>
            numbers(20).map((i) => put(`${i}`, { n }, { collection: i % 2 === 0 ? things : others }))
          const all = rounds.flatMap((n) => [
            one.documents.commit(writes(n)),
            other.documents.commit(writes(n).toReversed())
          ])
          yield* Effect.all(all, { concurrency: 8 })
          const documents = yield* one.documents.get(things, ["0", "2", "18"])
          yield* equal("versions", documents.map((document) => document?.version), [50, 50, 50])
          yield* equal("data", new Set(documents.map((document) => document?.data)).size, 1)
        }))),
  "when one drops a collection, the other goes on with an empty one": (layer) =>
    withStores(layer, (one) =>
      withStores(layer, (other) =>
        Effect.gen(function* () {
          yield* one.documents.commit([put("a", { n: 1 }, { collection: indexed })])
          yield* equal("there", yield* found(other.documents, {}, indexed), ["a"])
          yield* one.documents.drop(indexed)
          yield* equal("gone", yield* found(other.documents, {}, indexed), [])
          yield* one.documents.drop(indexed)
          const again = put("a", { n: 2 }, { collection: indexed, expected: 0 })
          yield* equal("written", yield* other.documents.commit([again]), [1])
          yield* equal("read", yield* found(one.documents, {}, indexed), ["a"])
          yield* other.documents.drop(indexed)
          yield* equal(
            "counted",
            yield* one.documents.count(indexed, { where: undefined, deleted: "with" }),
            0
          )
        })))
})
