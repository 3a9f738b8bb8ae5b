// What events make of documents: pure. Not public.
import type * as Event from "../event/Event.ts"
import type { StoredEvent } from "../event/EventStoreDriver.ts"
import { EventStoreError } from "../event/EventStoreError.ts"
import * as Pages from "../event/Pages.ts"
import type { Collection, StoredDocument, Write } from "../repository/DocumentStore.ts"
import * as Input from "../repository/Input.ts"
import { Failed } from "./ProjectionError.ts"
import { messageOf } from "../store/Problem.ts"

type Recorded = Event.Recorded<any>

/** A projection, made ready for folding. */
export interface Definition<Doc> {
  readonly name: string
  readonly events: Event.Set<any>
  readonly id: (event: Recorded) => string | ReadonlyArray<string>
  readonly evolve: (document: Doc | undefined, event: Recorded, id: string) => Doc | undefined
  /** To JSON text, and from it; they throw. */
  readonly encode: (document: Doc) => string
  readonly decode: (stored: StoredDocument) => Doc
  /** What becomes of an event that cannot be taken in. */
  readonly onFailure: "stop" | "skip"
}

/** A document as it is known: its value, and what is stored of it. */
export interface Entry<Doc> {
  readonly value: Doc | undefined
  /** Undefined if nothing is stored. */
  readonly text: string | undefined
  readonly version: number
  readonly position: number
}

/** What is known of a document that is not stored. */
export const absent: Entry<never> = { value: undefined, text: undefined, version: 0, position: 0 }

/** What is known of a stored document; throws if it does not fit the schema. */
export const toEntry = <Doc>(
  { decode, name }: Definition<Doc>,
  stored: StoredDocument | undefined
): Entry<Doc> => {
  if (stored === undefined) return absent
  const { data: text, position, version } = stored
  try {
    return { value: decode(stored), text, version, position }
  } catch (error) {
    throw new Error(`${problemOf(error)} (was the schema of ${name} changed without a new version?)`, {
      cause: error
    })
  }
}

/** An event, and the documents that it concerns. */
export interface Concerned {
  readonly event: Recorded
  readonly ids: ReadonlyArray<string>
}

/** Events made ready, up to the one that cannot be if that stops the projection. */
export interface Prepared {
  readonly concerned: ReadonlyArray<Concerned>
  readonly failures: ReadonlyArray<Failed>
}

/** A document that events have changed. */
export interface Change<Doc> {
  readonly id: string
  readonly value: Doc | undefined
  /** Undefined if it is to be absent. */
  readonly text: string | undefined
  /** Of the newest event that it reflects. */
  readonly position: number
  readonly before: Entry<Doc>
}

export interface Folded<Doc> {
  readonly changes: ReadonlyArray<Change<Doc>>
  /** The events that could not be taken in: at most one, the last, if that stops the projection. */
  readonly failures: ReadonlyArray<Failed>
}

/** Decodes events and asks which documents they concern. */
export const prepare = (
  definition: Definition<any>,
  store: string,
  events: ReadonlyArray<StoredEvent>
): Prepared => {
  const concerned: Array<Concerned> = []
  const failures: Array<Failed> = []
  for (const stored of events) {
    try {
      const event = Pages.toRecorded({ store }, definition.events, stored)
      concerned.push({ event, ids: idsOf(definition.id(event)) })
    } catch (error) {
      failures.push(failed(definition, stored, error))
      if (definition.onFailure === "stop") break
    }
  }
  return { concerned, failures }
}

const idsOf = (given: string | ReadonlyArray<string>): ReadonlyArray<string> => {
  const ids = typeof given === "string" ? [given] : given
  if (!Array.isArray(ids)) throw new Error(`its id is neither a text nor a list of texts`)
  const problem = Input.problemOfIds(ids)
  if (problem !== undefined) throw problem
  return ids.length < 2 ? ids : [...new Set(ids)]
}

/** How to fold. */
export interface Way {
  /** Leave alone the documents that reflect an event already. */
  readonly guarded: boolean
  /**
   * Whether what is to be stored is looked at, and when: `"not"`, if the store does it; `"at the end"`, once for every
   * document; or `"at each step"`, which names the event that is to blame.
   */
  readonly check: "not" | "at the end" | "at each step"
}

/**
 * What the events make of the documents. They are encoded once, at the end; if one does not fit, all is done again,
 * looking at each step.
 */
export const fold = <Doc>(
  definition: Definition<Doc>,
  { concerned, failures: early }: Prepared,
  entry: (id: string) => Entry<Doc>,
  way: Way
): Folded<Doc> => {
  const touched = new Map<string, Touched<Doc>>()
  const failures: Array<Failed> = []
  for (const { event, ids } of concerned) {
    try {
      const steps = ids.map((id) =>
        step(definition, touched.get(id) ?? untouched(id, entry(id)), event, way.guarded)
      )
      if (way.check === "at each step") { for (const one of steps) textOf(definition, one, true) }
      for (const one of steps) touched.set(one.id, one)
    } catch (error) {
      failures.push(failed(definition, event, error))
      if (definition.onFailure === "stop") break
    }
  }
  const changes: Array<Change<Doc>> = []
  for (const one of touched.values()) {
    try {
      const text = textOf(definition, one, way.check !== "not")
      if (text !== one.before.text) changes.push({ ...one, text })
    } catch (error) {
      if (way.check === "at each step") throw error
      return fold(definition, { concerned, failures: early }, entry, { ...way, check: "at each step" })
    }
  }
  const stopped = definition.onFailure === "stop" && failures.length > 0
  return { changes, failures: stopped ? failures : [...failures, ...early] }
}

type Touched<Doc> = Omit<Change<Doc>, "text">

const untouched = <Doc>(id: string, before: Entry<Doc>): Touched<Doc> => ({
  id,
  value: before.value,
  position: before.position,
  before
})

const step = <Doc>(
  { evolve }: Definition<Doc>,
  one: Touched<Doc>,
  event: Recorded,
  guarded: boolean
): Touched<Doc> => {
  const { before, id, value } = one
  if (guarded && event.position <= before.position) return one
  return { id, value: evolve(value, event, id), position: event.position, before }
}

const textOf = <Doc>(
  { encode }: Definition<Doc>,
  { id, position, value }: Touched<Doc>,
  check: boolean
): string | undefined => {
  if (value === undefined) return undefined
  const data = encode(value)
  if (check) {
    const write = {
      op: "put",
      collection: any,
      id,
      expected: "any",
      data,
      position,
      expiresAt: undefined
    } as const
    const problem = Input.problemOfWrites([write])
    if (problem !== undefined) throw problem
  }
  return data
}

/** Stands for whatever collection the document will be in. */
const any: Collection = { name: "document", indexes: [] }

const failed = (
  { name }: Definition<any>,
  { position, revision, stream, type }: Pick<StoredEvent, "position" | "revision" | "stream" | "type">,
  error: unknown
): Failed => new Failed({ projection: name, position, stream, revision, type, problem: problemOf(error) })

const problemOf = (error: unknown): string =>
  error instanceof EventStoreError && error.reason._tag === "Undecodable"
    ? error.reason.issue
    : messageOf(error)

/** How a change is written: whatever is there, if a checkpoint guards it, or else as it was read. */
export const toWrite = <Doc>(
  collection: Collection,
  { before, id, position, text }: Change<Doc>,
  expected: "any" | "version"
): Write => {
  const write = { collection, id, expected: expected === "any" ? expected : before.version } as const
  return text === undefined
    ? { op: "remove", ...write }
    : { op: "put", ...write, data: text, position, expiresAt: undefined }
}
