// One process at a time does a work, if all goes well: what it saves is double work, not what makes it right. Not public.
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { DocumentStore, StoredDocument } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import { collection } from "./Generations.ts"

/**
 * Does the work while this process holds the lease of that name, and once more whenever it has lost and regained it, until
 * the work ends. The lease is renewed three times in its duration; who sees it unchanged for all of the duration may take
 * it, so that no clock is compared with another process's.
 */
export const hold = <A, E, R>(
  documents: DocumentStore,
  id: string,
  duration: Duration.Duration,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | DocumentStoreError, R> =>
  Effect.gen(function* () {
    const owner = `${yield* Random.next}${yield* Random.next}`
    while (true) {
      const held = { version: yield* acquire(documents, id, owner, duration) }
      const done = yield* Effect.raceFirst(
        Effect.map(work, (value) => ({ value })),
        renew(documents, id, owner, duration, held)
      ).pipe(Effect.ensuring(Effect.suspend(() => release(documents, id, held.version))))
      if (done !== undefined) return done.value
    }
  })

const put = (id: string, owner: string | null, expected: number) =>
  ({
    op: "put",
    collection,
    id,
    expected,
    data: JSON.stringify({ owner }),
    position: 0,
    expiresAt: undefined
  }) as const

const ownerOf = (document: StoredDocument | undefined): string | null =>
  document === undefined ? null : (JSON.parse(document.data) as { readonly owner: string | null }).owner

/** The version at which the document names the owner, if it does; nothing if another was first. */
const take = (
  documents: DocumentStore,
  id: string,
  owner: string | null,
  expected: number
): Effect.Effect<number | undefined, DocumentStoreError> =>
  Effect.map(documents.commit([put(id, owner, expected)]), ([version]) => version).pipe(
    Effect.catchReasons("DocumentStoreError", {
      VersionConflict: () => Effect.undefined,
      // It is looked at again.
      OutcomeUnknown: () => Effect.undefined
    })
  )

const acquire = Effect.fnUntraced(function* (
  documents: DocumentStore,
  id: string,
  owner: string,
  duration: Duration.Duration
) {
  let seen = { version: -1, at: 0 }
  while (true) {
    const [document] = yield* documents.get(collection, [id])
    const now = yield* Clock.currentTimeMillis
    const version = document?.version ?? 0
    if (version !== seen.version) seen = { version, at: now }
    const current = ownerOf(document)
    if (current === null || current === owner || now - seen.at >= Duration.toMillis(duration)) {
      const taken = yield* take(documents, id, owner, version)
      if (taken !== undefined) return taken
    } else {
      yield* Effect.sleep(Math.min(250, Duration.toMillis(duration) / 4))
    }
  }
})

/** Ends when the lease is lost. While the store is away nobody can take it either. */
const renew = Effect.fnUntraced(function* (
  documents: DocumentStore,
  id: string,
  owner: string,
  duration: Duration.Duration,
  held: { version: number }
) {
  while (true) {
    yield* Effect.sleep(Duration.toMillis(duration) / 3)
    const look = Effect.map(
      documents.get(collection, [id]),
      ([document]) => ownerOf(document) === owner ? document!.version : undefined
    )
    const version = yield* Effect.result(
      Effect.flatMap(
        take(documents, id, owner, held.version),
        (version) => version === undefined ? look : Effect.succeed(version)
      )
    )
    if (version._tag === "Failure") continue
    if (version.success === undefined) return
    held.version = version.success
  }
})

/** So that another need not wait. If it cannot be given back it ends by itself. */
const release = (documents: DocumentStore, id: string, version: number): Effect.Effect<void> =>
  Effect.ignore(Effect.timeoutOption(take(documents, id, null, version), "1 second"))
