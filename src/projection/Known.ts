// What a projector knows of its documents, so that it need not read them again with every page. Not public.
import * as Effect from "effect/Effect"
import type { Collection, DocumentStore } from "../repository/DocumentStore.ts"
import type { DocumentStoreError } from "../repository/DocumentStoreError.ts"
import * as ProjectionFold from "./ProjectionFold.ts"

export interface Known<Doc> {
  /** Reads the documents that the events concern, as far as they are not known. */
  readonly load: (prepared: ProjectionFold.Prepared) => Effect.Effect<void, DocumentStoreError>
  /** What is known of a document that has been loaded. Throws if it does not fit the schema. */
  readonly entry: (id: string) => ProjectionFold.Entry<Doc>
  /** Remembers what has been written, with the new versions; forgets what was not used for long if it is too much. */
  readonly remember: (
    changes: ReadonlyArray<ProjectionFold.Change<Doc>>,
    versions: ReadonlyArray<number>
  ) => void
}

/** How much is kept: documents, and characters of their JSON text. */
const mostDocuments = 50_000
const mostText = 16_000_000

/** `all` says that no documents are stored: then those that are not known are absent. */
export const make = <Doc>(
  definition: ProjectionFold.Definition<Doc>,
  documents: DocumentStore,
  collection: Collection,
  all: boolean
): Known<Doc> => {
  const entries = new Map<string, ProjectionFold.Entry<Doc>>()
  /** Stored documents that have just been read, decoded when they are asked for. */
  const read = new Map<string, () => ProjectionFold.Entry<Doc>>()
  let length = 0
  const forget = (id: string) => {
    length -= entries.get(id)?.text?.length ?? 0
    entries.delete(id)
  }
  const keep = (id: string, entry: ProjectionFold.Entry<Doc>) => {
    forget(id)
    entries.set(id, entry)
    length += entry.text?.length ?? 0
  }
  return {
    load: ({ concerned }) => {
      read.clear()
      if (all) return Effect.void
      const missing = new Set<string>()
      for (const { ids } of concerned) for (const id of ids) if (!entries.has(id)) missing.add(id)
      if (missing.size === 0) return Effect.void
      const ids = [...missing]
      return Effect.map(documents.get(collection, ids), (found) => {
        for (const [i, id] of ids.entries()) read.set(id, () => ProjectionFold.toEntry(definition, found[i]))
      })
    },
    entry: (id) => {
      const known = entries.get(id)
      if (known !== undefined) return known
      const entry = read.get(id)?.() ?? ProjectionFold.absent
      keep(id, entry)
      return entry
    },
    remember: (changes, versions) => {
      for (const [i, { id, position, text, value }] of changes.entries()) {
        keep(
          id,
          text === undefined ? ProjectionFold.absent : { value, text, position, version: versions[i]! }
        )
      }
      for (const id of entries.keys()) {
        if (entries.size <= mostDocuments && length <= mostText) break
        forget(id)
        all = false
      }
    }
  }
}
