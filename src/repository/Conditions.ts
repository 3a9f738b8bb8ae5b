// What conditions mean: how they are decided, and documents sorted, in memory. Not public.
import type { Condition, Field, Selection, StoredDocument } from "./DocumentStore.ts"

type Value = string | number | boolean

/** A stored document with its data parsed. */
export interface Parsed {
  readonly document: StoredDocument
  readonly data: Readonly<Record<string, unknown>>
}

/** What a field is for its conditions and its order: of its kind, or else undefined. */
const valueOf = ({ data, document }: Parsed, { kind, name }: Field): Value | undefined => {
  const value = rawValue(data, document, name)
  return kind === "text"
    ? typeof value === "string" ? value : undefined
    : kind === "number"
    ? typeof value === "number" ? value : undefined
    : kind === "any" || typeof value === "boolean"
    ? (value ?? undefined) as Value | undefined
    : undefined
}

const rawValue = (data: Parsed["data"], document: StoredDocument, name: string): unknown => {
  switch (name) {
    case "$id":
      return document.id
    case "$version":
      return document.version
    case "$createdAt":
      return document.createdAt
    case "$updatedAt":
      return document.updatedAt
    default:
      return Object.hasOwn(data, name) ? data[name] : undefined
  }
}

/** Whether a condition holds of a document: a function that is made once for all documents. */
export const test = (condition: Condition): (parsed: Parsed) => boolean => {
  switch (condition.op) {
    case "and": {
      const all = condition.conditions.map(test)
      return (parsed) => all.every((holds) => holds(parsed))
    }
    case "or": {
      const any = condition.conditions.map(test)
      return (parsed) => any.some((holds) => holds(parsed))
    }
    case "isNull":
      return (parsed) => valueOf(parsed, condition.field) === undefined
    case "isNotNull":
      return (parsed) => valueOf(parsed, condition.field) !== undefined
    case "like": {
      const matches = like(condition.pattern)
      return (parsed) => {
        const value = valueOf(parsed, condition.field)
        return typeof value === "string" && matches(value)
      }
    }
    case "in":
    case "notIn": {
      const { field, op } = condition
      const values = new Set<Value | undefined>(condition.values)
      return (parsed) => values.has(valueOf(parsed, field)) === (op === "in")
    }
    case "eq":
      return (parsed) => valueOf(parsed, condition.field) === condition.value
    case "neq":
      return (parsed) => valueOf(parsed, condition.field) !== condition.value
    default: {
      const { field, op, value } = condition
      return (parsed) => {
        const actual = valueOf(parsed, field)
        if (actual === undefined) return false
        const order = compareValues(actual, value)
        return op === "gt" ? order > 0 : op === "gte" ? order >= 0 : op === "lt" ? order < 0 : order <= 0
      }
    }
  }
}

/** The order of a selection; documents that are alike by its fields are in the order of their ids. */
export const order = (sort: Selection["sort"]) => (one: Parsed, other: Parsed): number => {
  for (const { direction, field } of sort) {
    const compared = compareValues(valueOf(one, field), valueOf(other, field))
    if (compared !== 0) return direction === "asc" ? compared : -compared
  }
  return compareText(one.document.id, other.document.id)
}

/** Absent values come first. */
const compareValues = (one: Value | undefined, other: Value | undefined): number => {
  if (one === undefined || other === undefined) return Number(one !== undefined) - Number(other !== undefined)
  if (typeof one === "string" && typeof other === "string") return compareText(one, other)
  return one < other ? -1 : one > other ? 1 : 0
}

/** Compares texts by code points, where JavaScript compares them by UTF-16 units. */
export const compareText = (one: string, other: string): number => {
  const length = Math.min(one.length, other.length)
  for (let i = 0; i < length; i++) {
    const a = one.charCodeAt(i)
    const b = other.charCodeAt(i)
    if (a !== b) return rank(a) - rank(b)
  }
  return one.length - other.length
}

/** Half of a surrogate pair stands for a code point above all that are one unit. */
const rank = (unit: number): number => unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit

/** Whether a text is like a pattern. */
const like = (pattern: string): (text: string) => boolean => {
  // Each part is a character, "any one" or "any text".
  const parts: Array<string | typeof anyOne | typeof anyText> = []
  const characters = Array.from(pattern)
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!
    parts.push(
      character === "%"
        ? anyText
        : character === "_"
        ? anyOne
        : character === "\\"
        ? characters[++i] ?? "\\"
        : character
    )
  }
  return (text) => {
    const rest = Array.from(text)
    let part = 0
    let at = 0
    // Where to go on when what follows the last "any text" does not match: it then takes one character more.
    let backPart = -1
    let backAt = 0
    while (at < rest.length) {
      const wanted = parts[part]
      if (wanted === anyText) {
        backPart = ++part
        backAt = at
      } else if (wanted === anyOne || wanted === rest[at]) {
        part++
        at++
      } else if (backPart >= 0) {
        part = backPart
        at = ++backAt
      } else return false
    }
    while (parts[part] === anyText) part++
    return part === parts.length
  }
}

const anyOne = Symbol()
const anyText = Symbol()
