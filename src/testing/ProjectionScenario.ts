/**
 * Tests of a projection that read like a sentence: given these events, then there are those documents. They need no store.
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Event, Projection } from "dunnock"
 * import { ProjectionScenario } from "dunnock/testing"
 *
 * const Visits = Projection.make("Visits", {
 *   version: 1,
 *   events: Event.set({ GuestArrived: { guest: Schema.String } }),
 *   document: Schema.Struct({ count: Schema.Int }),
 *   id: ({ data }) => data.guest,
 *   evolve: { GuestArrived: (visits = { count: 0 }) => ({ count: visits.count + 1 }) }
 * })
 *
 * const test = ProjectionScenario
 *   .given(Visits, { _tag: "GuestArrived", guest: "ann" }, { _tag: "GuestArrived", guest: "ann" })
 *   .then({ ann: { count: 2 } })
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import * as Event from "../event/Event.ts"
import * as Metadata from "../event/Metadata.ts"
import type { Projection } from "../projection/Projection.ts"
import { Broken, equal } from "./Contract.ts"
import { messageOf } from "../store/Problem.ts"

/** What has happened. */
export interface Given<in out E, in out Doc> {
  /** Says of which stream the next events are; they are of "under-test" otherwise. */
  readonly andOf: (stream: string, ...events: ReadonlyArray<E>) => Given<E, Doc>
  /** Exactly these documents are there, by their ids. It fails with `Broken` when it comes out otherwise. */
  readonly then: (documents: Readonly<Record<string, Doc>>) => Effect.Effect<void, Broken>
}

interface InStream<E> {
  readonly stream: string
  readonly event: E
}

/** Begins a sentence: these events are in the log, in their order. */
export const given = <E, Doc>(
  projection: Projection<any, E, Doc, any>,
  ...events: ReadonlyArray<NoInfer<E>>
): Given<E, Doc> => from(projection, events.map((event) => ({ stream: "under-test", event })))

const from = <E, Doc>(
  projection: Projection<any, E, Doc, any>,
  log: ReadonlyArray<InStream<E>>
): Given<E, Doc> => ({
  andOf: (stream, ...events) => from(projection, [...log, ...events.map((event) => ({ stream, event }))]),
  then: (expected) =>
    Effect.suspend(() => {
      try {
        return equal("documents", documentsOf(projection, log), expected)
      } catch (error) {
        return Effect.fail(new Broken({ message: messageOf(error) }))
      }
    })
})

/** Events and documents go through their schemas, as they do in a store. */
const documentsOf = <E, Doc>(
  { document, events, evolve, id }: Projection<any, E, Doc, any>,
  log: ReadonlyArray<InStream<E>>
): Readonly<Record<string, Doc>> => {
  const codec = Schema.toCodecJson(document)
  const encode = SchemaParser.encodeSync(codec)
  const decode = SchemaParser.decodeUnknownSync(codec)
  const documents = new Map<string, Doc>()
  const revisions = new Map<string, number>()
  for (const [i, { event, stream }] of log.entries()) {
    const revision = (revisions.get(stream) ?? 0) + 1
    revisions.set(stream, revision)
    const recorded = record(events, event, stream, revision, i + 1)
    for (const one of new Set(id(recorded))) {
      const next = evolve(documents.get(one), recorded, one)
      if (next === undefined) documents.delete(one)
      else documents.set(one, decode(JSON.parse(JSON.stringify(encode(next)))))
    }
  }
  return Object.fromEntries(documents)
}

const record = <E>(
  events: Event.Set<E>,
  event: E,
  stream: string,
  revision: number,
  position: number
): Event.Recorded<E> => {
  const encoded = Event.encode(events, event)
  if (Result.isFailure(encoded)) throw new Error(encoded.failure)
  const { tags, type, version } = encoded.success
  return {
    id: `event-${position}`,
    stream,
    revision,
    position,
    type,
    version,
    data: Event.decode(events, encoded.success),
    tags,
    metadata: Metadata.empty,
    recordedAt: 0
  }
}
