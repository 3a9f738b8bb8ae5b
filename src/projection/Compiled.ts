// A projection's definition, checked and made ready: schemas are compiled here, once. Not public.
import * as Duration from "effect/Duration"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { shapeOf } from "../command/Fold.ts"
import type * as Event from "../event/Event.ts"
import type { Field } from "../repository/DocumentStore.ts"
import * as Model from "../repository/Model.ts"
import { fieldOf } from "../repository/Where.ts"
import type { Options } from "./Projection.ts"
import type { Definition } from "./ProjectionFold.ts"

export interface Compiled<Doc> {
  readonly model: Model.Model<Doc>
  readonly definition: Definition<Doc>
  readonly version: number
  readonly fingerprint: string
  readonly indexes: ReadonlyArray<Field>
  readonly lease: Duration.Duration
}

export const make = <E extends { readonly _tag: string }, Doc, Encoded>(
  name: string,
  options: Options<E, Doc, Encoded>
): Compiled<Doc> => {
  const { id, lease = "5 seconds", onFailure = "stop", version } = options
  const evolve = options.evolve as Record<string, Definition<Doc>["evolve"]>
  if (!/^[A-Za-z][A-Za-z0-9_]{0,39}$/.test(name)) {
    throw new Error(
      `a projection's name must be a letter, then letters, digits and "_", at most 40 characters: "${name}"`
    )
  }
  if (!(Number.isSafeInteger(version) && version > 0)) {
    throw new Error(`the version of ${name} must be a whole number from 1 on, not ${version}`)
  }
  if (onFailure !== "stop" && onFailure !== "skip") {
    throw new Error(`onFailure of ${name} must be "stop" or "skip", not ${JSON.stringify(onFailure)}`)
  }
  const types = Object.keys(evolve)
  const wrong = types.find((type) => !options.events.codecs.has(type) || typeof evolve[type] !== "function")
  if (wrong !== undefined || types.length === 0) {
    throw new Error(
      `evolve of ${name} must hold functions, by the types of its events; ${
        wrong === undefined ? "it is empty" : `"${wrong}" is not such`
      }`
    )
  }
  const events = only(options.events, types)
  const duration = Option.getOrUndefined(Duration.fromInput(lease))
  if (duration === undefined || !(Duration.toMillis(duration) > 0) || !Duration.isFinite(duration)) {
    throw new Error(`the lease of ${name} must be a duration, not ${lease}`)
  }
  const model = Model.make(options.document)
  const shape = shapeOf(Schema.toCodecJson(options.document))
  return {
    model,
    version,
    lease: duration,
    fingerprint: fingerprintOf([
      shape,
      String(id),
      ...events.types.flatMap((type) => [type, String(evolve[type])])
    ]),
    indexes: (options.indexes ?? []).map((index) => fieldOf(model, `the indexes of ${name}`, index).field),
    definition: {
      name,
      events,
      id,
      onFailure,
      evolve: (document, event, id) =>
        event.type in evolve ? evolve[event.type]!(document, event, id) : document,
      encode: (document) => model.encode("the document", document),
      decode: (stored) => Result.getOrThrow(model.decode(name, stored)).value
    }
  }
}

/** The events of these types. */
const only = <E>(events: Event.Set<E>, types: ReadonlyArray<string>): Event.Set<E> => ({
  ...events,
  types,
  codecs: new Map(types.map((type) => [type, events.codecs.get(type)!]))
})

/** Tells code from other code, as far as it can be seen. */
const fingerprintOf = (parts: ReadonlyArray<string>): string => {
  const text = parts.join("\n")
  return `${text.length}:${Hash.string(text)}`
}
