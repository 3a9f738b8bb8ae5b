// Bad input, named by what and where. Not public.
import { problemOfName } from "../event/Input.ts"
import {
  type Collection,
  type Condition,
  type Field,
  type Kind,
  maxConditions,
  maxDocumentLength,
  maxPatternLength,
  type Selection,
  type Write
} from "./DocumentStore.ts"
import { DocumentStoreError, InvalidInput } from "./DocumentStoreError.ts"

type Problem = DocumentStoreError | undefined

/** The error of bad input. */
export const error = (at: string, problem: string): DocumentStoreError =>
  new DocumentStoreError({ reason: new InvalidInput({ at, problem }) })

/** What is wrong with an id or a name of a field, if anything is. */
const problemOfText = (at: string, text: unknown): Problem => {
  const reason = problemOfName(at, text)?.reason
  return reason?._tag === "InvalidInput" ? new DocumentStoreError({ reason }) : undefined
}

const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0

const show = (value: unknown): string =>
  typeof value === "object" && value !== null ? "an object" : JSON.stringify(value) ?? String(value)

const kinds: ReadonlyArray<unknown> = ["text", "number", "boolean", "any"] satisfies ReadonlyArray<Kind>

/** The kinds of what a store keeps with documents. */
const ownKinds: ReadonlyMap<string, Kind> = new Map([
  ["$id", "text"],
  ["$version", "number"],
  ["$createdAt", "number"],
  ["$updatedAt", "number"]
])

const problemOfField = (at: string, { kind, name }: Field): Problem => {
  const own = ownKinds.get(name)
  return problemOfText(`${at}.name`, name) ??
    (!kinds.includes(kind)
      ? error(`${at}.kind`, `must be "text", "number", "boolean" or "any", not ${show(kind)}`)
      : own !== undefined && own !== kind
      ? error(`${at}.kind`, `"${name}" is a ${own}, not a ${kind}`)
      : undefined)
}

/** Definitions in which nothing was found wrong: they are the same objects with every call. */
const known = new WeakSet<Collection>()

/** What is wrong with a collection, if anything is. */
export const problemOfCollection = (collection: Collection): Problem => {
  if (known.has(collection)) return undefined
  const { indexes, name } = collection
  if (!/^[A-Za-z][A-Za-z0-9_]{0,47}$/.test(name)) {
    return error(
      "collection",
      `${show(name)} must be a letter, then letters, digits and "_", at most 48 characters`
    )
  }
  for (const [i, field] of indexes.entries()) {
    const at = `the indexes of ${name}[${i}]`
    const problem = problemOfField(at, field)
    if (problem !== undefined) return problem
    if (field.kind === "any") return error(at, `"${field.name}" is not one text, number or boolean`)
    if (indexes.findIndex((other) => other.name === field.name) < i) {
      return error(at, `names "${field.name}" again`)
    }
  }
  known.add(collection)
}

/** What is wrong with the name of a repository, besides what makes it no collection's: others write there. */
export const problemOfRepository = (name: string): Problem =>
  /^dunnock_/i.test(name)
    ? error("the name of a repository", `"${name}" begins with "dunnock_": what does is kept by this library`)
    : /__\d+$/.test(name)
    ? error(
      "the name of a repository",
      `"${name}" ends in "__" and digits: so do the collections of projections`
    )
    : undefined

/** What is wrong with ids to look for, if anything is. */
export const problemOfIds = (ids: ReadonlyArray<string>): Problem => {
  for (const [i, id] of ids.entries()) {
    const problem = problemOfText(`ids[${i}]`, id)
    if (problem !== undefined) return problem
  }
}

/** Whether JSON text may hold U+0000 or half of a surrogate pair: both are escaped where they stand. */
const suspicious = /\\u(?:0000|d[89a-f])/i

const isStorable = (value: unknown): boolean =>
  typeof value === "string"
    ? value.isWellFormed() && !value.includes("\0")
    : typeof value !== "object" || value === null ||
      Object.entries(value).every((entry) => entry.every(isStorable))

const problemOfData = (at: string, data: string): Problem => {
  if (typeof data !== "string" || !data.startsWith("{") || !data.endsWith("}")) {
    return error(at, "must be the JSON text of an object")
  }
  if (data.length > maxDocumentLength) {
    return error(at, `has ${data.length} characters of JSON, more than ${maxDocumentLength}`)
  }
  if (!data.isWellFormed()) return error(at, "holds half of a surrogate pair")
  if (!suspicious.test(data)) return undefined
  try {
    if (isStorable(JSON.parse(data))) return undefined
  } catch {
    return error(at, "must be the JSON text of an object")
  }
  return error(at, "holds a NUL character or half of a surrogate pair")
}

const problemOfWrite = (at: string, write: Write): Problem => {
  const problem = problemOfCollection(write.collection) ?? problemOfText(`${at}.id`, write.id)
  if (problem !== undefined) return problem
  if (write.expected !== "any" && !isCount(write.expected)) {
    return error(`${at}.expected`, `must be "any" or a version from 0 on, not ${show(write.expected)}`)
  }
  if (write.op !== "put") return undefined
  if (!isCount(write.position)) {
    return error(`${at}.position`, `must be a position from 0 on, not ${show(write.position)}`)
  }
  if (write.expiresAt !== undefined && !isCount(write.expiresAt)) {
    return error(`${at}.expiresAt`, `must be whole milliseconds since 1970, not ${show(write.expiresAt)}`)
  }
  return problemOfData(`${at}.data`, write.data)
}

/** What is wrong with writes, if anything is. */
export const problemOfWrites = (writes: ReadonlyArray<Write>): Problem => {
  const seen = new Map<string, Set<string>>()
  for (let i = 0; i < writes.length; i++) {
    const write = writes[i]!
    const problem = problemOfWrite(`writes[${i}]`, write)
    if (problem !== undefined) return problem
    if (writes.length === 1) return undefined
    const name = write.collection.name.toLowerCase()
    const ids = seen.get(name) ?? new Set()
    if (ids.has(write.id)) {
      return error(`writes[${i}].id`, `names document "${write.id}" of "${write.collection.name}" again`)
    }
    seen.set(name, ids.add(write.id))
  }
}

const isOfKind = (kind: Kind, value: unknown): boolean =>
  kind === "text"
    ? typeof value === "string"
    : kind === "number"
    ? Number.isFinite(value)
    : kind === "boolean" && typeof value === "boolean"

const problemOfValue = (at: string, { kind, name }: Field, value: unknown): Problem =>
  !isOfKind(kind, value)
    ? error(
      at,
      `"${name}" is ${
        kind === "any" ? "not one text, number or boolean" : `a ${kind}`
      } and cannot be compared with ${show(value)}`
    )
    : typeof value === "string" && (!value.isWellFormed() || value.includes("\0"))
    ? error(at, "holds a NUL character or half of a surrogate pair")
    : undefined

const first = <A>(
  at: string,
  list: ReadonlyArray<A>,
  problem: (at: string, one: A) => Problem
): Problem => {
  for (const [i, one] of list.entries()) {
    const found = problem(`${at}[${i}]`, one)
    if (found !== undefined) return found
  }
}

const problemOfCondition = (at: string, condition: Condition): Problem => {
  if (condition.op === "and" || condition.op === "or") {
    return first(`${at}.${condition.op}`, condition.conditions, problemOfCondition)
  }
  const { field } = condition
  const problem = problemOfField(`${at}.field`, field)
  if (problem !== undefined) return problem
  switch (condition.op) {
    case "eq":
    case "neq":
    case "gt":
    case "gte":
    case "lt":
    case "lte":
      return problemOfValue(`${at}.${condition.op}`, field, condition.value)
    case "in":
    case "notIn":
      return first(`${at}.${condition.op}`, condition.values, (at, value) => problemOfValue(at, field, value))
    case "like":
      return field.kind !== "text"
        ? error(`${at}.like`, `"${field.name}" is no text, and only a text is like a pattern`)
        : problemOfValue(`${at}.like`, field, condition.pattern) ??
          (condition.pattern.length > maxPatternLength
            ? error(`${at}.like`, `has ${condition.pattern.length} characters, more than ${maxPatternLength}`)
            : undefined) ??
          (/^(?:[^\\]|\\.)*$/su.test(condition.pattern)
            ? undefined
            : error(`${at}.like`, `ends with "\\", which takes the meaning of the next`))
    case "isNull":
    case "isNotNull":
      return undefined
    default:
      return error(at, `has no operator ${show((condition as Condition).op)}`)
  }
}

const countOf = (condition: Condition): number =>
  condition.op === "and" || condition.op === "or"
    ? condition.conditions.reduce((sum, one) => sum + countOf(one), 1)
    : 1

/** What is wrong with a selection, if anything is. */
export const problemOfSelection = (
  { deleted, limit, offset, sort, where }: Selection
): Problem => {
  if (where !== undefined) {
    const count = countOf(where)
    if (count > maxConditions) {
      return error("where", `has ${count} conditions, more than ${maxConditions}; "in" takes many values`)
    }
    const problem = problemOfCondition("where", where)
    if (problem !== undefined) return problem
  }
  for (const [i, { direction, field }] of sort.entries()) {
    const problem = problemOfField(`sort[${i}].field`, field)
    if (problem !== undefined) return problem
    if (field.kind === "any") {
      return error(`sort[${i}].field`, `"${field.name}" is not one text, number or boolean`)
    }
    if (direction !== "asc" && direction !== "desc") {
      return error(`sort[${i}].direction`, `must be "asc" or "desc", not ${show(direction)}`)
    }
  }
  if (deleted !== "without" && deleted !== "with" && deleted !== "only") {
    return error("deleted", `must be "without", "with" or "only", not ${show(deleted)}`)
  }
  for (const [at, n] of Object.entries({ limit, offset })) {
    if (!isCount(n)) return error(at, `must be a whole number from 0 on, not ${show(n)}`)
  }
}
