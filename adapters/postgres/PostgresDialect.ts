// How PostgreSQL differs from the other databases.
import type { Kind } from "../../src/repository/DocumentStore.ts"
import type { DocumentDialect } from "../sql/Documents.ts"
import type * as EventLog from "../sql/EventLog.ts"
import { textArray } from "./values.ts"
import { beginningOf } from "../sql/patterns.ts"

const parameter = (n: number): string => `$${n}`

/** Integers of 64 bits come as bigint, which is slower by far; these are exact up to 2^53, as numbers are. */
const number = (expression: string): string => `(${expression})::float8`

/** The words of an event store. */
export const events: EventLog.Dialect = {
  parameter,
  inList: (expression, parameter) => `${expression} = any(${parameter})`,
  list: textArray,
  number,
  upsert: (table, key, columns) =>
    `insert into ${table} (${columns.join(", ")}) values (${columns.map((_, i) => `$${i + 1}`).join(", ")})
    on conflict (${key}) do update set ${
      columns.map((column) => `${column} = excluded.${column}`).join(", ")
    }`
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** What becomes a `numeric` without fail. No number of JavaScript is longer. */
const numerals = "'^-?[0-9.]{1,255}([eE][+-]?[0-9]{1,4})?$'"

const field = (name: string, kind: Kind): string => {
  const value = `data -> ${literal(name)}`
  const text = `data ->> ${literal(name)}`
  switch (kind) {
    case "text":
      return `(case json_typeof(${value}) when 'string' then ${text} end) collate "C"`
    case "number":
      return `(case when json_typeof(${value}) = 'number' and ${text} ~ ${numerals} then (${text})::numeric end)`
    case "boolean":
      return `(case json_typeof(${value}) when 'boolean' then (${text})::boolean end)`
    case "any":
      return `(${text})`
  }
}

/** How a kind is compared. Numbers are compared as they are written, digit by digit: so 0.1 is 0.1. */
const types: Readonly<Record<Kind, string>> = {
  text: "text",
  number: "numeric",
  boolean: "boolean",
  any: "text"
}

/** An entry of an index has at most 2,704 bytes: room for this many characters, and for an id. */
const beginning = 300

/** The first characters of a text; a pair of surrogates is one. */
const begin = (text: string, length: number): string =>
  text.length <= length ? text : Array.from(text.slice(0, 2 * length)).slice(0, length).join("")

/** Makes an index that is not there; where it is, no lock is taken. */
const creating = (name: string, index: string): ReadonlyArray<string> => [
  `do $do$ begin if to_regclass('${name}') is null then create index ${name} ${index}; end if; end $do$`
]

/** The words of a document store. */
export const documents: DocumentDialect = {
  parameter,
  types: { id: `text collate "C"`, integer: "bigint", data: "json not null", table: "" },
  data: "data::text",
  number,
  field: ({ kind, name }) => field(name, kind),
  column: (column, kind) => kind === "number" ? `${column}::numeric` : column,
  value: (kind, parameter) => `${parameter}::${types[kind]}`,
  toValue: (_, value) => String(value),
  inList: (expression, kind, parameter) => `${expression} = any(${parameter}::${types[kind]}[])`,
  toList: (_, values) => textArray(values.map(String)),
  like: (expression, pattern, add) => {
    const begun = begin(beginningOf(pattern), beginning)
    const like = `${expression} like ${add(pattern)}`
    // An index serves the second.
    return begun === "" ? like : `(${like} and left(${expression}, ${beginning}) >= ${add(begun)})`
  },
  order: (expression, direction) =>
    `${expression} ${direction} nulls ${direction === "asc" ? "first" : "last"}`,
  beginning: {
    of: (expression) => `left(${expression}, ${beginning})`,
    ofValue: (value) => begin(value, beginning)
  },
  index: (table, name, _, expression) => creating(name, `on ${table} ((${expression}) nulls first, id)`),
  expiryIndex: (table, name) => creating(name, `on ${table} (expires_at) where expires_at is not null`)
}
