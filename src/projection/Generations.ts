// Which generation of a projection's documents is live, and how far each has come. Not public.
import * as Effect from "effect/Effect"
import type {
  Collection,
  DocumentStore,
  Field,
  Put,
  StoredDocument,
  Write
} from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import type { Failed } from "./ProjectionError.ts"

/** What projections know of themselves: pointers, checkpoints and leases. */
export const collection: Collection = { name: "dunnock_projections", indexes: [] }

/** A generation that is being built beside the live one. */
export interface Building {
  readonly generation: number
  readonly version: number
  /** Of the code that builds it: what other code has begun is not gone on with. */
  readonly fingerprint: string
}

interface Places {
  /** The live generation; 0 as long as there is none. */
  readonly generation: number
  /** The version of the projection that made it; 0 as long as there is none. */
  readonly version: number
  readonly building: Building | null
  /** The newest generation that there has ever been: a number is not given twice. */
  readonly last: number
  /** Generations whose documents are to be dropped. */
  readonly retired: ReadonlyArray<number>
}

/** Which generation is live. */
export interface Pointer extends Places {
  /** The version of the document that says so. */
  readonly at: number
}

/** An event that could not be taken in, and why. */
export type Failure = Pick<Failed, "position" | "stream" | "revision" | "type" | "problem">

/** What of a failure is kept. */
export const toFailure = ({ position, problem, revision, stream, type }: Failed): Failure => ({
  position,
  stream,
  revision,
  type,
  problem
})

/** What a checkpoint says besides its position. */
export interface Counts {
  /** How many events have been taken in. */
  readonly handled: number
  /** How many events could not be taken in and were left out. */
  readonly skipped: number
  /** Why it goes no further, or what was left out last. */
  readonly failure: Failure | null
  /** Documents that are still to be removed, where a commit is not a transaction. */
  readonly removing: ReadonlyArray<string>
}

/** How far a generation has come. Who changes its documents changes this as well, and expects it as it was. */
export interface Checkpoint extends Counts {
  readonly position: number
  /** The version of the document that says so. */
  readonly at: number
}

const none: Pointer = { generation: 0, version: 0, building: null, last: 0, retired: [], at: 0 }

/** The documents of a generation. */
export const documentsOf = (name: string, indexes: ReadonlyArray<Field>, generation: number): Collection => ({
  name: `${name}_${generation}`,
  indexes
})

export const checkpointId = (name: string, generation: number): string => `${name}/${generation}`

export const toCheckpoint = (document: StoredDocument | undefined): Checkpoint | undefined =>
  document && { ...JSON.parse(document.data) as Counts, position: document.position, at: document.version }

const put = (id: string, expected: number, data: Places | Counts, position: number): Put => ({
  op: "put",
  collection,
  id,
  expected,
  data: JSON.stringify(data),
  position,
  expiresAt: undefined
})

/** Moves a checkpoint, if it is as expected. */
export const advance = (
  name: string,
  generation: number,
  expected: number,
  position: number,
  { failure, handled, removing, skipped }: Counts
): Put => put(checkpointId(name, generation), expected, { handled, skipped, failure, removing }, position)

export const fresh: Counts = { handled: 0, skipped: 0, failure: null, removing: [] }

const point = (name: string, { at }: Pointer, places: Places): Put => put(name, at, places, 0)

export const readPointer = (
  documents: DocumentStore,
  name: string
): Effect.Effect<Pointer, DocumentStoreError> =>
  Effect.map(documents.get(collection, [name]), ([document]) => toPointer(document))

const toPointer = (document: StoredDocument | undefined): Pointer =>
  document === undefined ? none : { ...JSON.parse(document.data) as Places, at: document.version }

export const readCheckpoint = (
  documents: DocumentStore,
  name: string,
  generation: number
): Effect.Effect<Checkpoint | undefined, DocumentStoreError> =>
  Effect.map(
    documents.get(collection, [checkpointId(name, generation)]),
    ([document]) => toCheckpoint(document)
  )

/** Begins a new generation. One that was begun before is given up: whoever builds it can commit no more. */
export const begin = (
  documents: DocumentStore,
  name: string,
  pointer: Pointer,
  { fingerprint, version }: Pick<Building, "fingerprint" | "version">
): Effect.Effect<Building, DocumentStoreError> => {
  const { building: before, retired } = pointer
  const generation = pointer.last + 1
  const building = { generation, version, fingerprint }
  const places: Places = {
    generation: pointer.generation,
    version: pointer.version,
    building,
    last: generation,
    retired: before === null ? retired : [...retired, before.generation]
  }
  return Effect.as(
    documents.commit([
      point(name, pointer, places),
      advance(name, generation, 0, 0, fresh),
      ...(before === null ? [] : [forget(name, before.generation)])
    ]),
    building
  )
}

const forget = (name: string, generation: number, expected: "any" | number = "any"): Write => ({
  op: "remove",
  collection,
  id: checkpointId(name, generation),
  expected
})

/** The pointer and the checkpoints of what is live and what is being built, read together. */
export const readBoth = (
  documents: DocumentStore,
  name: string,
  { building, generation }: Pointer
): Effect.Effect<
  {
    readonly pointer: Pointer
    readonly live: Checkpoint | undefined
    readonly built: Checkpoint | undefined
  },
  DocumentStoreError
> =>
  Effect.map(
    documents.get(collection, [
      name,
      checkpointId(name, generation),
      checkpointId(name, building?.generation ?? 0)
    ]),
    ([pointer, live, built]) => ({
      pointer: toPointer(pointer),
      live: toCheckpoint(live),
      built: toCheckpoint(built)
    })
  )

/**
 * Makes the generation that was built live, in one commit that holds only if the old one has not moved meanwhile and
 * stops it for good. Whoever calls this has seen that the new one has come as far: queries never go back.
 */
export const promote = (
  documents: DocumentStore,
  name: string,
  pointer: Pointer,
  old: Checkpoint | undefined
): Effect.Effect<void, DocumentStoreError> => {
  const { building, generation: live, last, retired } = pointer
  const { generation, version } = building!
  const places = {
    generation,
    version,
    building: null,
    last,
    retired: live === 0 ? retired : [...retired, live]
  }
  return Effect.asVoid(
    documents.commit([
      point(name, pointer, places),
      ...(old === undefined ? [] : [forget(name, live, old.at)])
    ])
  )
}

/** Drops the documents of generations that are no longer used. */
export const sweep = Effect.fnUntraced(function* (
  documents: DocumentStore,
  name: string
) {
  const pointer = yield* readPointer(documents, name)
  if (pointer.retired.length === 0) return
  for (const generation of pointer.retired) yield* documents.drop(documentsOf(name, [], generation))
  const { building, generation, last, version } = pointer
  const places = { generation, version, building, last, retired: [] }
  yield* documents.commit([
    point(name, pointer, places),
    ...pointer.retired.map((old) => forget(name, old))
  ])
})
