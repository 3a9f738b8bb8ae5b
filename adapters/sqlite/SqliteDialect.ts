// How documents are asked for in SQLite's words.
import type { Kind } from "../../src/repository/DocumentStore.ts"
import type { DocumentDialect } from "../sql/Documents.ts"
import { following } from "../sql/patterns.ts"

/** The place of a field in a document, as a literal: an index on an expression is used by the same expression only. */
const pathOf = (name: string): string => `'${`$.${JSON.stringify(name)}`.replaceAll("'", "''")}'`

const field = (name: string, kind: Kind): string => {
  const path = pathOf(name)
  switch (kind) {
    case "text":
      return `case json_type(data, ${path}) when 'text' then data ->> ${path} end`
    case "number":
      return `case when json_type(data, ${path}) in ('integer', 'real') then cast(data ->> ${path} as real) end`
    case "boolean":
      return `case json_type(data, ${path}) when 'true' then 1 when 'false' then 0 end`
    case "any":
      return `data ->> ${path}`
  }
}

/** A pattern for GLOB, which tells capital letters from others where LIKE does not, and how it begins. */
const toGlob = (pattern: string): { readonly glob: string; readonly beginning: string } => {
  let glob = ""
  let beginning: string | undefined
  let literal = ""
  for (const [part] of pattern.matchAll(/\\.|./gsu)) {
    if (part === "%" || part === "_") {
      beginning ??= literal
      glob += part === "%" ? "*" : "?"
    } else {
      const character = part.length > 1 && part.startsWith("\\") ? part.slice(1) : part
      literal += character
      glob += "*?[".includes(character) ? `[${character}]` : character
    }
  }
  return { glob, beginning: beginning ?? literal }
}

/** A condition of which SQLite is told that it holds of few rows. */
const unlikely = (condition: string): string => `unlikely(${condition})`

/** The documents of SQLite. */
export const documents: DocumentDialect = {
  parameter: () => "?",
  types: { id: "text", integer: "integer", data: "text not null check (json_valid(data))", table: "strict" },
  data: "data",
  number: (expression) => expression,
  field: ({ kind, name }) => field(name, kind),
  column: (column) => column,
  // Read from its digits, as a number in a document is: so both become the same. With the "+" it has no affinity, as the
  // expression of an index has none, or that would not be used.
  value: (kind, parameter) => kind === "number" ? `+cast(${parameter} as real)` : parameter,
  toValue: (_, value) => typeof value === "boolean" ? Number(value) : String(value),
  // If not, the order by id is preferred to an index on anything that is not equal to one value.
  served: unlikely,
  inList: (expression, kind, parameter) =>
    `${expression} in (select ${
      kind === "number" ? "+cast(value as real)" : "value"
    } from json_each(${parameter}))`,
  toList: (_, values) => JSON.stringify(values),
  like: (expression, pattern, add) => {
    const { beginning, glob } = toGlob(pattern)
    const conditions = [`${expression} glob ${add(glob)}`]
    // An index serves these two.
    if (beginning !== "") {
      const end = following(beginning)
      conditions.push(unlikely(`${expression} >= ${add(beginning)}`))
      if (end !== undefined) conditions.push(unlikely(`${expression} < ${add(end)}`))
    }
    return `(${conditions.join(" and ")})`
  },
  order: (expression, direction) => `${expression} ${direction}`,
  index: (table, name, _, expression) => [
    `create index if not exists ${name} on ${table} (${expression}, id)`
  ],
  expiryIndex: (table, name) => [
    `create index if not exists ${name} on ${table} (expires_at) where expires_at is not null`
  ]
}
