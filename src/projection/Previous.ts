// What is kept for programs of the version before, until none of them works on it any more. Not public.
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as Generations from "./Generations.ts"

/**
 * How often in a row it is seen that nobody works on it before it is dropped. It is looked at once in a lease, which is
 * renewed more often than that. Looks are counted and no time is measured, so that neither clocks that differ, nor a store
 * that was away from everybody, nor a pause of this process, cut off those who still work.
 */
const looks = 12

/** Drops what is kept for the version before when nobody has worked on it for long. Never ends. */
export const letGo = (
  documents: DocumentStore,
  name: string,
  version: number,
  lease: Duration.Duration
): Effect.Effect<never> => {
  const look = (seen: Seen | undefined) =>
    Effect.gen(function* () {
      const now = yield* readSeen(documents, name, version)
      const times = now !== undefined && seen !== undefined && now.signs.join() === seen.signs.join()
        ? seen.times + 1
        : 0
      if (now === undefined || times < looks) return now && { ...now, times }
      yield* retire(documents, name, now)
      yield* Generations.sweep(documents, name)
    })
  const from = (seen: Seen | undefined): Effect.Effect<never> =>
    Effect.sleep(lease).pipe(
      // A look that fails says nothing, and the counting begins anew.
      Effect.andThen(Effect.orElseSucceed(look(seen), () => undefined)),
      Effect.flatMap(from)
    )
  return from(undefined)
}

interface Seen {
  readonly pointer: Generations.Pointer
  readonly previous: Generations.Made
  /** The versions of the documents that change while somebody works: its checkpoint, and the lease. */
  readonly signs: readonly [checkpoint: number, lease: number]
  readonly times: number
}

/** What there is of the version before the one that is live; it is for programs of the live one to look. */
const readSeen = (
  documents: DocumentStore,
  name: string,
  version: number
): Effect.Effect<Seen | undefined, DocumentStoreError> =>
  Effect.gen(function* () {
    const pointer = yield* Generations.readPointer(documents, name)
    const { previous } = pointer
    if (previous === null || pointer.version !== version) return undefined
    const [checkpoint, lease] = yield* documents.get(Generations.collection, [
      Generations.checkpointId(name, previous.generation),
      Generations.leaseId(name, previous.version)
    ])
    return { pointer, previous, signs: [checkpoint?.version ?? 0, lease?.version ?? 0], times: 0 }
  })

/** In one commit that holds only if nobody has begun to work on it meanwhile. */
const retire = (documents: DocumentStore, name: string, { pointer, previous, signs }: Seen) => {
  const retired = [...pointer.retired, previous.generation]
  return documents.commit([
    Generations.point(name, pointer, { ...Generations.placesOf(pointer), previous: null, retired }),
    Generations.forget(Generations.checkpointId(name, previous.generation), signs[0]),
    Generations.forget(Generations.leaseId(name, previous.version), signs[1])
  ])
}
