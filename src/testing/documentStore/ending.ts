// How documents end: deleted softly, or expired.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Case, equal, holds } from "../Contract.ts"
import {
  check,
  del,
  found,
  getOne,
  later,
  mustGet,
  others,
  put,
  refused,
  remove,
  select,
  type Services,
  things,
  topic
} from "./fixture.ts"

export const deletion: ReadonlyArray<Case<Services>> = topic("soft deletion", {
  "a deleted document keeps its data, and says since when it is deleted": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a", { n: 1 }, { position: 3 })])
      const before = yield* mustGet(documents, "a")
      yield* later(5_000)(documents.commit([del("a")]))
      const { data, deletedAt = 0, updatedAt, ...rest } = yield* mustGet(documents, "a")
      yield* equal<unknown>("data", JSON.parse(data), { n: 1 })
      yield* equal("position and creation", [rest.position, rest.createdAt], [3, before.createdAt])
      yield* holds("deleted too early", deletedAt >= before.createdAt + 5_000)
      yield* equal("updated", updatedAt, deletedAt)
    }),
  "a deleted document is found and counted only when it is asked for": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a"), put("b"), put("c")])
      yield* documents.commit([del("b")])
      for (
        const [deleted, ids] of [["without", ["a", "c"]], ["with", ["a", "b", "c"]], ["only", ["b"]]] as const
      ) {
        yield* equal<unknown>(deleted, yield* found(documents, { deleted }), ids)
        yield* equal(
          `count ${deleted}`,
          yield* documents.count(things, { where: undefined, deleted }),
          ids.length
        )
      }
    }),
  "a deleted document that is put is there again": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a", { n: 1 })])
      const { createdAt } = yield* mustGet(documents, "a")
      yield* documents.commit([del("a")])
      yield* equal("versions", yield* later(1_000)(documents.commit([put("a", { n: 2 }, { expected: 2 })])), [
        3
      ])
      const again = yield* mustGet(documents, "a")
      yield* equal("deleted and created", [again.deletedAt, again.createdAt], [undefined, createdAt])
      yield* equal("found", yield* found(documents), ["a"])
    }),
  "deleting what is deleted changes nothing": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a")])
      yield* documents.commit([del("a")])
      const before = yield* mustGet(documents, "a")
      yield* equal("versions", yield* later(1_000)(documents.commit([del("a"), del("none")])), [2, 0])
      yield* equal("document", yield* mustGet(documents, "a"), before)
    }),
  "a deleted document that is removed is gone": ({ documents }) =>
    Effect.gen(function* () {
      yield* documents.commit([put("a")])
      yield* documents.commit([del("a")])
      yield* documents.commit([remove("a")])
      yield* equal("with deleted", yield* found(documents, { deleted: "with" }), [])
    })
})

export const expiry: ReadonlyArray<Case<Services>> = topic("expiry", {
  "a document that has expired is as good as absent": ({ documents }) =>
    Effect.gen(function* () {
      const expiresAt = (yield* Clock.currentTimeMillis) + 60_000
      yield* documents.commit([put("a", {}, { expiresAt }), put("b")])
      yield* equal("expires", (yield* mustGet(documents, "a")).expiresAt, expiresAt)
      yield* equal("before", yield* found(documents), ["a", "b"])
      yield* later(61_000)(Effect.gen(function* () {
        yield* equal("got", yield* getOne(documents, "a"), undefined)
        yield* equal("found", yield* found(documents), ["b"])
        yield* equal("found with deleted", yield* found(documents, { deleted: "with" }), ["b"])
        yield* equal("counted", yield* documents.count(things, select()), 1)
        yield* equal("nothing to do", yield* documents.commit([del("a", 0)]), [0])
        yield* equal("checked", yield* documents.commit([check("a", 0)]), [0])
        const conflict = yield* refused("VersionConflict", documents.commit([put("a", {}, { expected: 1 })]))
        yield* equal("actual", conflict.actual, 0)
        yield* equal("again", yield* documents.commit([put("a", { n: 2 }, { expected: 0 })]), [1])
        const { createdAt, expiresAt: forever } = yield* mustGet(documents, "a")
        yield* equal("expires", forever, undefined)
        yield* holds("it keeps the time of the creation of what has expired", createdAt >= expiresAt)
      }))
    }),
  "a document that was deleted expires as well": ({ documents }) =>
    Effect.gen(function* () {
      const expiresAt = (yield* Clock.currentTimeMillis) + 60_000
      yield* documents.commit([put("a", {}, { expiresAt })])
      yield* documents.commit([del("a")])
      yield* equal("kept", (yield* mustGet(documents, "a")).expiresAt, expiresAt)
      yield* equal("before", yield* found(documents, { deleted: "only" }), ["a"])
      yield* equal("after", yield* later(61_000)(found(documents, { deleted: "only" })), [])
    }),
  "putting a document again says anew when it expires": ({ documents }) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* documents.commit(
        ["longer", "never", "same"].map((id) => put(id, {}, { expiresAt: now + 60_000 }))
      )
      yield* documents.commit([put("longer", {}, { expiresAt: now + 600_000 }), put("never")])
      yield* equal("found", yield* later(61_000)(found(documents)), ["longer", "never"])
      yield* equal("found later", yield* later(601_000)(found(documents)), ["never"])
    }),
  "clearing removes what has expired, and nothing else": ({ documents }) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* documents.commit([
        put("short", {}, { expiresAt: now + 60_000 }),
        put("long", {}, { expiresAt: now + 600_000 }),
        put("never"),
        put("short", {}, { expiresAt: now + 60_000, collection: others })
      ])
      yield* equal("nothing yet", yield* documents.clearExpired(things), 0)
      yield* equal("one", yield* later(61_000)(documents.clearExpired(things)), 1)
      yield* equal("none left", yield* later(61_000)(documents.clearExpired(things)), 0)
      // Seen from before it expired, it is not there either.
      yield* equal("there", yield* found(documents), ["long", "never"])
      yield* equal("the other", yield* found(documents, {}, others), ["short"])
    })
})
