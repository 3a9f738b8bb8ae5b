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
export interface Building extends Made {
  /** Of the code that builds it: what other code has begun is not gone on with. */
  readonly fingerprint: string
}

/** A generation, and the version of the projection that made it. */
export interface Made {
  readonly generation: number
  readonly version: number
}

export interface Places {
  /** The live generation; 0 as long as there is none. */
  readonly generation: number
  /** The version of the projection that made it; 0 as long as there is none. */
  readonly version: number
  /** What was live before this version: programs of the version before go on with it until there are none. */
  readonly previous: Made | null
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

const none: Pointer = {
  generation: 0,
  version: 0,
  previous: null,
  building: null,
  last: 0,
  retired: [],
  at: 0
}

/** The generation that programs of a version keep up to date and ask, if there is one. */
export const ofVersion = (
  { generation, previous, version: live }: Places,
  version: number
): number | undefined =>
  live === version ? generation : previous?.version === version ? previous.generation : undefined

/** The documents of a generation. No repository can have this name. */
export const documentsOf = (name: string, indexes: ReadonlyArray<Field>, generation: number): Collection => ({
  name: `${name}__${generation}`,
  indexes
})

/** Names of tables that differ only in case are one name, and so are those of projections. */
const pointerId = (name: string): string => name.toLowerCase()

export const checkpointId = (name: string, generation: number): string => `${pointerId(name)}/${generation}`

/** The lease of those who keep the documents of a version up to date, or of those who build. */
export const leaseId = (name: string, of: number | "build"): string => `${pointerId(name)}/lease/${of}`

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

/** Changes the pointer, if nobody else has. */
export const point = (name: string, { at }: Pointer, places: Places): Put =>
  put(pointerId(name), at, places, 0)

export const readPointer = (
  documents: DocumentStore,
  name: string
): Effect.Effect<Pointer, DocumentStoreError> =>
  Effect.map(documents.get(collection, [pointerId(name)]), ([document]) => toPointer(document))

const toPointer = (document: StoredDocument | undefined): Pointer =>
  document === undefined ? none : { ...none, ...JSON.parse(document.data) as Places, at: document.version }

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
    ...placesOf(pointer),
    building,
    last: generation,
    retired: before === null ? retired : [...retired, before.generation]
  }
  return Effect.as(
    documents.commit([
      point(name, pointer, places),
      advance(name, generation, 0, 0, fresh),
      ...(before === null ? [] : [forget(checkpointId(name, before.generation))])
    ]),
    building
  )
}

/** Everything that a pointer says but where it is from. */
export const placesOf = ({ at: _, ...places }: Pointer): Places => places

/** Removes a checkpoint or a lease. */
export const forget = (id: string, expected: "any" | number = "any"): Write => ({
  op: "remove",
  collection,
  id,
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
      pointerId(name),
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
 * Makes the generation that was built live, in one commit that holds only if the old one has not moved meanwhile. Whoever
 * calls this has seen that the new one has come as far: queries never go back. If the old one is of the same version it is
 * stopped for good; that of another version is kept, for programs of that version.
 */
export const promote = (
  documents: DocumentStore,
  name: string,
  pointer: Pointer,
  old: Checkpoint | undefined
): Effect.Effect<void, DocumentStoreError> => {
  const { generation: live, last, previous } = pointer
  const { generation, version } = pointer.building!
  const keeps = old !== undefined && version !== pointer.version
  const left = keeps ? previous?.generation ?? 0 : live
  const places = {
    generation,
    version,
    previous: keeps ? { generation: live, version: pointer.version } : previous,
    building: null,
    last,
    retired: left === 0 ? pointer.retired : [...pointer.retired, left]
  }
  const unmoved: Write | undefined = old && {
    op: keeps ? "check" : "remove",
    collection,
    id: checkpointId(name, live),
    expected: old.at
  }
  return Effect.asVoid(
    documents.commit([
      point(name, pointer, places),
      ...(unmoved === undefined ? [] : [unmoved]),
      ...(keeps && left !== 0 ? [forget(checkpointId(name, left))] : [])
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
  yield* documents.commit([
    point(name, pointer, { ...placesOf(pointer), retired: [] }),
    ...pointer.retired.map((old) => forget(checkpointId(name, old)))
  ])
})
