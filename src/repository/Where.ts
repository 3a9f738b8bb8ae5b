// Conditions as they are written: by the names of fields, with values of the fields' types. Public as part of Repository.
import type * as DateTime from "effect/DateTime"
import type { Condition, Field, Selection as StoreSelection } from "./DocumentStore.ts"
import * as Input from "./Input.ts"
import type { FieldModel, Model } from "./Model.ts"
import { messageOf } from "../store/Problem.ts"

/** What every field can be asked for. */
export interface Nullable {
  /** Whether it is null or absent. */
  readonly isNull?: boolean
}

/** What a field of one text, number or boolean can be asked for. A field that is null or absent is equal to nothing. */
export interface Equal<out T> extends Nullable {
  readonly eq?: T
  /** The opposite of `eq`: holds of fields that are null or absent. */
  readonly neq?: T
  readonly in?: ReadonlyArray<T>
  /** The opposite of `in`: holds of fields that are null or absent. */
  readonly notIn?: ReadonlyArray<T>
}

/** What a field with an order can be asked for. */
export interface Ordered<out T> extends Equal<T> {
  readonly gt?: T
  readonly gte?: T
  readonly lt?: T
  readonly lte?: T
}

/** What a text can be asked for. Texts are compared by code points. */
export interface Text<out T> extends Ordered<T> {
  /** A pattern: `%` stands for any text, `_` for any character, and `\` takes the meaning of the next. */
  readonly like?: string
}

type Instant = Date | DateTime.Utc

/** The names of the fields of documents; of a union, of all of its members. */
type Names<A> = A extends unknown ? keyof A & string : never

/** The type of a field where it is neither null nor absent. */
type At<A, K> = A extends unknown ? K extends keyof A ? Exclude<A[K], null | undefined> : never : never

/** A value of this type can stand for `{ eq: value }`. */
type Short<T> = Extract<T, string | number | boolean | bigint | Date>

/** What can be asked for of a field with values of type `T` that are stored as an `E`. */
type Kind<T, E> = [T] extends [never] ? "any"
  : [T] extends [string] ? [E] extends [string] ? "text" : Unordered<E>
  : [T] extends [number] ? [E] extends [number] ? "ordered" : Unordered<E>
  : [T] extends [boolean] ? [E] extends [boolean] ? "ordered" : Unordered<E>
  : [T] extends [Instant] ? [E] extends [string | number | Instant] ? "ordered" : "any"
  : Unordered<E>

// One by one: of a text or a number there are texts and numbers.
type Unordered<E> = [E] extends [string] ? "equal"
  : [E] extends [number] ? "equal"
  : [E] extends [boolean] ? "equal"
  : [E] extends [bigint] ? "equal"
  : [E] extends [Instant] ? "equal"
  : "any"

/** The condition on a field: a value, or operators that all hold. */
type On<T, E> = {
  readonly text: T | Text<T>
  readonly ordered: Short<T> | Ordered<T>
  readonly equal: Short<T> | Equal<T>
  readonly any: Nullable
}[Kind<T, E>]

/** What the store keeps with documents. */
interface Kept {
  readonly $id?: string | Text<string>
  readonly $version?: number | Ordered<number>
  /** A Date, or milliseconds since 1970 UTC. */
  readonly $createdAt?: number | Date | Ordered<number | Date>
  readonly $updatedAt?: number | Date | Ordered<number | Date>
}

/**
 * Which documents: those of which all of these conditions hold. `A` is the type of a document, `E` what its schema
 * encodes it to.
 */
export type Where<A, E> =
  & { readonly [K in Names<A>]?: On<At<A, K>, At<E, K>> }
  & Kept
  & {
    /** All of these hold. */
    readonly $and?: ReadonlyArray<Where<A, E>>
    /** At least one of these holds. */
    readonly $or?: ReadonlyArray<Where<A, E>>
  }

/** The fields with an order, by which documents can be sorted. */
export type Sortable<A, E> =
  | { readonly [K in Names<A>]: Kind<At<A, K>, At<E, K>> extends "text" | "ordered" ? K : never }[Names<A>]
  | keyof Kept

/** The fields of one text, number or boolean, which can be indexed. */
export type Indexable<A, E> =
  | { readonly [K in Names<A>]: Kind<At<A, K>, At<E, K>> extends "any" ? never : K }[Names<A>]
  | keyof Kept

/** Upwards or downwards, by field; the first one counts most. Absent values come first, upwards. */
export type Sort<A, E> = { readonly [K in Sortable<A, E>]?: "asc" | "desc" }

const instant = (value: unknown): unknown => value instanceof Date ? value.getTime() : value

const kept = (
  name: string,
  kind: Field["kind"],
  encode: FieldModel["encode"]
): readonly [string, FieldModel] => [
  name,
  { field: { name, kind }, ordered: true, encode }
]

const keptFields: ReadonlyMap<string, FieldModel> = new Map([
  kept("$id", "text", (value) => value),
  kept("$version", "number", (value) => value),
  kept("$createdAt", "number", instant),
  kept("$updatedAt", "number", instant)
])

/** A field by its name; throws the `DocumentStoreError` of bad input if there is none. */
export const fieldOf = (model: Model<any>, at: string, name: string): FieldModel => {
  const field = keptFields.get(name) ?? model.fields.get(name)
  if (field !== undefined) return field
  const names = [...model.fields.keys(), ...keptFields.keys()]
  throw Input.error(at, `there is no field "${name}"; there are ${names.join(", ")}`)
}

/** The condition that is written so; throws the `DocumentStoreError` of bad input. */
export const toCondition = (model: Model<any>, at: string, where: object): Condition => {
  if (!isPlain(where)) throw Input.error(at, "must be an object with conditions by field")
  const conditions = Object.entries(where).flatMap(([name, value]): ReadonlyArray<Condition> => {
    const here = `${at}.${name}`
    if (name !== "$and" && name !== "$or") return onField(fieldOf(model, here, name), here, value)
    if (!Array.isArray(value)) throw Input.error(here, "must be a list of conditions")
    const conditions = value.map((each, i) => toCondition(model, `${here}[${i}]`, each))
    return [{ op: name === "$and" ? "and" : "or", conditions }]
  })
  return conditions.length === 1 ? conditions[0]! : { op: "and", conditions }
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === Object.prototype || proto === null
}

const onField = (field: FieldModel, at: string, value: unknown): ReadonlyArray<Condition> => {
  if (!isPlain(value)) return [onOperator(field, at, "eq", value)]
  const operators = Object.entries(value)
  // It would hold of every document, which is hardly what was meant.
  if (operators.length === 0) throw Input.error(at, "has no operator; leave the field out to ask for nothing")
  return operators.map(([op, operand]) => onOperator(field, `${at}.${op}`, op, operand))
}

const onOperator = (model: FieldModel, at: string, op: string, operand: unknown): Condition => {
  const { field, ordered } = model
  const refuse = (problem: string) => Input.error(at, problem)
  if (op === "isNull") {
    if (typeof operand !== "boolean") throw refuse("must be true or false")
    return { op: operand ? "isNull" : "isNotNull", field }
  }
  if (!operators.includes(op)) throw refuse(`is no operator; there are ${operators.join(", ")}, isNull`)
  if (field.kind === "any") {
    throw refuse(`"${field.name}" is not one text, number or boolean: it has isNull only`)
  }
  switch (op) {
    case "eq":
    case "neq":
      return { op, field, value: encode(model, at, operand) }
    case "in":
    case "notIn":
      if (!Array.isArray(operand)) throw refuse("must be a list of values")
      return { op, field, values: operand.map((value, i) => encode(model, `${at}[${i}]`, value)) }
    case "like":
      if (typeof operand !== "string") throw refuse("must be a text")
      return { op, field, pattern: operand }
    default:
      if (!ordered) {
        throw refuse(`"${field.name}" has no order in the store: it has eq, neq, in, notIn, isNull only`)
      }
      return { op: op as "gt", field, value: encode(model, at, operand) }
  }
}

const operators: ReadonlyArray<string> = ["eq", "neq", "gt", "gte", "lt", "lte", "in", "notIn", "like"]

/** A value as it is stored. Whether it is of the field's kind is checked with the rest of the selection. */
const encode = ({ encode, field }: FieldModel, at: string, value: unknown): string | number | boolean => {
  if (value === undefined || value === null) {
    throw Input.error(
      at,
      `must be a value of "${field.name}", not ${value}; "isNull" asks for null and absence`
    )
  }
  try {
    return encode(value) as string | number | boolean
  } catch (error) {
    throw Input.error(at, messageOf(error))
  }
}

/** The order that is written so; throws the `DocumentStoreError` of bad input. */
export const toSort = (model: Model<any>, sort: object): StoreSelection["sort"] =>
  Object.entries(sort).map(([name, direction]) => {
    const at = `sort.${name}`
    const { field, ordered } = fieldOf(model, at, name)
    if (!ordered) throw Input.error(at, `"${name}" has no order in the store`)
    return { field, direction: direction as "asc" }
  })
