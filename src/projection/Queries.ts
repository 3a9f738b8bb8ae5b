// The documents of the generation that is live for this version, to be asked. Not public.
import * as Effect from "effect/Effect"
import type { DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import type { Model } from "../repository/Model.ts"
import * as Repository from "../repository/Queries.ts"
import * as Generations from "./Generations.ts"
import { NotLive, Outdated, ProjectionError } from "./ProjectionError.ts"
import type { Running } from "./Running.ts"

/** What can be asked of a projection's documents. */
export type Queries<A, E> = Repository.Queries<A, E, ProjectionError | DocumentStoreError>

export const make = <A, E>(running: Running<A>, model: Model<A>): Queries<A, E> =>
  Repository.make<A, E, ProjectionError | DocumentStoreError, never>(model, (body) => onLive(running, body))

/**
 * Asks the generation that is live, as far as is known here. It may have been replaced and dropped since: what was found
 * was right then, but what was not found is asked for again, if another is live by now.
 */
const onLive = <Doc, A, E>(
  running: Running<Doc>,
  body: (
    documents: DocumentStore,
    collection: ReturnType<typeof Generations.documentsOf>
  ) => Effect.Effect<A, E>
): Effect.Effect<A, E | ProjectionError | DocumentStoreError> => {
  const { definition: { name }, indexes, refresh } = running
  const ask = (pointer: Generations.Pointer): Effect.Effect<A, E | ProjectionError | DocumentStoreError> =>
    Effect.suspend(() => {
      const generation = Generations.ofVersion(pointer, running.version)
      if (generation === undefined) return Effect.fail(problemOf(running, pointer))
      const { documents, isMissing } = watched(running.documents)
      return Effect.flatMap(
        body(documents, Generations.documentsOf(name, indexes, generation)),
        (answer) =>
          !isMissing()
            ? Effect.succeed(answer)
            : Effect.flatMap(refresh, (now) =>
              Generations.ofVersion(now, running.version) === generation ? Effect.succeed(answer) : ask(now))
      )
    })
  return Effect.flatMap(running.pointer, ask)
}

const problemOf = <Doc>(
  { definition: { name: projection }, version }: Running<Doc>,
  { version: live }: Generations.Pointer
): ProjectionError =>
  new ProjectionError({
    reason: live > version
      ? new Outdated({ projection, version, live })
      : new NotLive({ projection, version })
  })

/** A store that remembers whether something was not found. */
const watched = (documents: DocumentStore) => {
  let missing = false
  const watch = <A, E>(self: Effect.Effect<A, E>, isMissing: (answer: A) => boolean) =>
    Effect.map(self, (answer) => {
      missing ||= isMissing(answer)
      return answer
    })
  return {
    isMissing: () => missing,
    documents: {
      ...documents,
      get: (collection, ids) => watch(documents.get(collection, ids), (found) => found.includes(undefined)),
      find: (collection, selection) =>
        watch(documents.find(collection, selection), ({ length }) => length === 0),
      count: (collection, filter) => watch(documents.count(collection, filter), (count) => count === 0)
    } satisfies DocumentStore
  }
}
