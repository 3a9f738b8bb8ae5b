/**
 * Events: facts with a name, a schema, a version and tags.
 *
 * An event value is a plain object with a `_tag`. Its definition is the fields of its schema, or {@link make} when it
 * has a history of versions or tags:
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Event } from "dunnock"
 *
 * const events = Event.set({
 *   AccountClosed: { reason: Schema.String },
 *   AccountOpened: Event.make({ owner: Schema.String }).pipe(
 *     Event.next({ owner: Schema.String, currency: Schema.String }, (first) => ({ ...first, currency: "EUR" })),
 *     Event.tagged((event) => [`owner:${event.owner}`])
 *   )
 * })
 * ```
 *
 * @module
 */
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isIssue } from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import type * as Types from "effect/Types"
import { problemOfName } from "./Input.ts"
import type { Metadata } from "./Metadata.ts"
import { messageOf } from "../store/Problem.ts"

const TypeId = "~dunnock/Event"

/** The definition of one type of event; `A` is its data at the current version. */
export interface Event<in out A> extends Pipeable {
  readonly [TypeId]: Types.Invariant<A>
  /** Every version from the first to the current one. */
  readonly versions: ReadonlyArray<Version>
  /** The tags of an event with this data. */
  readonly tags: ((data: A) => ReadonlyArray<string>) | undefined
}

/** One version of an event: its schema, and how it is made from the version before it. */
export interface Version {
  readonly schema: Schema.Codec<any, any>
  readonly upcast: ((previous: any) => unknown) | undefined
  /** Whether it has no fields, so that whatever else a value has is left out. */
  readonly isEmpty: boolean
}

/** Definitions by event type: the fields of a schema, or an {@link Event}. */
export interface Definitions {
  readonly [type: string]: Schema.Struct.Fields | Event<any>
}

/** The data of a definition. */
export type Data<D> = D extends Event<infer A> ? A
  : D extends Schema.Struct.Fields ? Schema.Struct.Type<D>
  : never

/** The event values of the definitions, by type. */
export type ValuesByType<D extends Definitions> = {
  readonly [K in keyof D & string]: Types.Simplify<{ readonly _tag: K } & Data<D[K]>>
}

/** The union of the event values of the definitions. */
export type Value<D extends Definitions> = ValuesByType<D>[keyof D & string]

/** An event as it stands in the log. */
export interface Recorded<out E> {
  /** Unique in the store. */
  readonly id: string
  /** The stream it belongs to. */
  readonly stream: string
  /** Its place in the stream: 1, 2, … */
  readonly revision: number
  /** Its place in the log. Grows with every event; not every number need be used. */
  readonly position: number
  /** The name of its type, the same as `data._tag`. */
  readonly type: string
  /** The version of the schema it was written with. */
  readonly version: number
  /** The event value, brought to the current version. */
  readonly data: E
  readonly tags: ReadonlyArray<string>
  readonly metadata: Metadata
  /** When the store recorded it, in milliseconds since 1970 UTC. Never falls along the log. */
  readonly recordedAt: number
}

const Proto = {
  [TypeId]: { _A: (_: unknown) => _ },
  pipe() {
    return pipeArguments(this, arguments)
  }
}

const fromVersions = <A>(versions: ReadonlyArray<Version>, tags: Event<A>["tags"]): Event<A> =>
  Object.assign(Object.create(Proto), { versions, tags })

const version = (fields: Schema.Struct.Fields, upcast: Version["upcast"]): Version => {
  if ("_tag" in fields) throw new Error("an event's fields cannot hold \"_tag\": it is the event's type")
  const schema = Schema.toCodecJson(Schema.Struct(fields)) as unknown as Schema.Codec<any, any>
  return { schema, upcast, isEmpty: Object.keys(fields).length === 0 }
}

/** An event with the given fields, at version 1. */
export const make = <const F extends Schema.Struct.Fields>(fields: F): Event<Schema.Struct.Type<F>> =>
  fromVersions([version(fields, undefined)], undefined)

/**
 * Adds the next version of an event. `upcast` makes the data of the new version from the data of the one before; events
 * written earlier pass through every `upcast` since their version when they are read, and stay in the log as they are.
 * Tags are dropped, since they are of the earlier data: add {@link tagged} after it.
 */
export const next =
  <A, const F extends Schema.Struct.Fields>(fields: F, upcast: (previous: A) => Schema.Struct.Type<F>) =>
  (self: Event<A>): Event<Schema.Struct.Type<F>> =>
    fromVersions([...self.versions, version(fields, upcast)], undefined)

/** Gives an event tags, derived from its data when it is written: short texts by which the log can be queried. */
export const tagged =
  <A>(tags: (data: Types.NoInfer<A>) => ReadonlyArray<string>) => (self: Event<A>): Event<A> =>
    fromVersions(self.versions, tags)

/** A closed set of event types that can be written and read; `E` is the union of their values. */
export interface Set<in out E> {
  /** The names of the types. */
  readonly types: ReadonlyArray<string>
  readonly codecs: ReadonlyMap<string, Codec>
  readonly "~E": Types.Invariant<E>
}

interface Codec {
  readonly version: number
  readonly tags: ((data: any) => ReadonlyArray<string>) | undefined
  /** Throws if the value does not fit. */
  readonly encode: (input: unknown) => unknown
  /** For stored version i + 1: decode it, then bring it to the current version. Throws if it does not fit. */
  readonly decode: ReadonlyArray<(input: unknown) => unknown>
}

const isEvent = (u: object): u is Event<unknown> => TypeId in u

const compile = (definition: Schema.Struct.Fields | Event<any>): Codec => {
  const { tags, versions }: Event<any> = isEvent(definition) ? definition : make(definition)
  const { isEmpty, schema: current } = versions[versions.length - 1]!
  const encode = readable(SchemaParser.encodeUnknownSync(current))
  const check = readable(SchemaParser.decodeUnknownSync(Schema.toType(current)))
  return {
    version: versions.length,
    tags,
    // A schema without fields lets every object through as it is.
    encode: isEmpty ? (input) => encode(input) && {} : encode,
    decode: versions.map((stored, i) => {
      const decode = readable(SchemaParser.decodeUnknownSync(stored.schema))
      const later = versions.slice(i + 1)
      return later.length === 0
        ? decode
        : (input) => check(later.reduce((data, { upcast }) => upcast!(data), decode(input)))
    })
  }
}

/** A parser whose error says what is wrong. */
const readable = (parse: (input: unknown) => unknown) => (input: unknown): unknown => {
  try {
    return parse(input)
  } catch (error) {
    throw error instanceof Error && isIssue(error.cause) ? new Error(messageOf(error)) : error
  }
}

/**
 * The set of the given definitions. Schemas are compiled here, once. Throws if a type cannot be the name of one: empty,
 * longer than 255 characters, with half of a surrogate pair or a NUL character.
 */
export const set = <const D extends Definitions>(definitions: D): Set<Value<D>> =>
  fromCodecs(
    new Map(
      Object.entries(definitions).map(([type, definition]) => {
        const problem = problemOfName(`the event type ${JSON.stringify(type)}`, type)
        if (problem !== undefined) throw new Error(problem.message)
        return [type, compile(definition)]
      })
    )
  )

const fromCodecs = <E>(codecs: ReadonlyMap<string, Codec>): Set<E> => ({
  types: [...codecs.keys()],
  codecs,
  "~E": (_: E) => _
})

/** The events of several sets as one. A type that stands in two sets must be the same definition. */
export const merge = <const Sets extends ReadonlyArray<Set<any>>>(
  ...sets: Sets
): Set<Sets[number] extends Set<infer E> ? E : never> => {
  const codecs = new Map<string, Codec>()
  for (const [type, codec] of sets.flatMap((set) => [...set.codecs])) {
    const other = codecs.get(type)
    if (other !== undefined && other !== codec) throw new Error(`two different events are called "${type}"`)
    codecs.set(type, codec)
  }
  return fromCodecs(codecs)
}

/** An event value made ready for a store. */
export interface Encoded {
  readonly type: string
  readonly version: number
  /** The data as JSON text. */
  readonly data: string
  readonly tags: ReadonlyArray<string>
}

const noTags: ReadonlyArray<string> = []

/** A list of the event's own: what the function gave may change later. What is no list is refused later. */
const copy = (tags: ReadonlyArray<string>) => Array.isArray(tags) ? [...tags] as ReadonlyArray<string> : tags

/** Encodes an event value, or says what is wrong with it. */
export const encode = <E>(self: Set<E>, event: E): Result.Result<Encoded, string> => {
  const type = (event as { readonly _tag?: unknown } | null | undefined)?._tag
  const codec = self.codecs.get(type as string)
  if (codec === undefined) {
    return Result.fail(`unknown event type ${JSON.stringify(type)}; known are ${self.types.join(", ")}`)
  }
  try {
    return Result.succeed({
      type: type as string,
      version: codec.version,
      data: JSON.stringify(codec.encode(event)),
      tags: codec.tags === undefined ? noTags : copy(codec.tags(event))
    })
  } catch (error) {
    // a value that does not fit or is cyclic, or a tags function that threw
    return Result.fail(`event "${type}": ${messageOf(error)}`)
  }
}

/** The value of a stored event, brought to the current version. Throws an `Error` that says why it cannot be. */
export const decode = <E>(
  self: Set<E>,
  stored: { readonly type: string; readonly version: number; readonly data: string }
): E => {
  const codec = self.codecs.get(stored.type)
  if (codec === undefined) throw new Error(`unknown event type; known are ${self.types.join(", ")}`)
  const decode = codec.decode[stored.version - 1]
  if (decode === undefined) throw new Error(`unknown version; the newest known is ${codec.version}`)
  const event = decode(JSON.parse(stored.data)) as { _tag: string }
  // The object was made by the line above: nobody else holds it.
  event._tag = stored.type
  return event as E
}
