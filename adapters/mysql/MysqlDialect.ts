// How events and documents are asked for in the words of MySQL and MariaDB. Not public.
import mysql from "mysql2"
import type { Field, Kind } from "../../src/repository/DocumentStore.ts"
import { hash } from "../sql/Collections.ts"
import type { DocumentDialect } from "../sql/Documents.ts"
import type { Dialect } from "../sql/EventLog.ts"
import { beginningOf, following } from "../sql/patterns.ts"

/** What the columns of tables are made of. */
export interface Types {
  /** The collation that tells all texts apart, also those that differ only in spaces at the end. */
  readonly collation: string
  readonly text: string
  readonly name: string
  readonly integer: string
  readonly table: string
}

export const typesOf = (collation: string): Types => ({
  collation,
  text: `longtext character set utf8mb4 collate ${collation}`,
  name: `varchar(255) character set utf8mb4 collate ${collation}`,
  integer: "bigint",
  table: `engine = InnoDB row_format = dynamic default character set utf8mb4 collate ${collation}`
})

/** The driver writes a list out, and an empty one would be no SQL. */
const list = (values: ReadonlyArray<unknown>): ReadonlyArray<unknown> => values.length === 0 ? [null] : values
const inList = (expression: string, parameter: string): string => `${expression} in (${parameter})`

export const events: Dialect = {
  parameter: () => "?",
  inList,
  list,
  number: (expression) => expression,
  upsert: (table, _, columns) =>
    `replace into ${table} (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")})`
}

/** The column that has the value of a field, where it is indexed. */
const columnOf = ({ kind, name }: Field): string => `field_${hash(JSON.stringify([name, kind]))}`

/** What a document has under a name. */
const placeOf = (name: string): string => {
  if (!name.startsWith("-")) return `json_extract(data, ${mysql.escape(`$.${JSON.stringify(name)}`)})`
  // MariaDB takes no path with such a name: this looks for its place among the names.
  const pattern = mysql.escape(name.replace(/[|%_]/g, "|$&"))
  return `json_extract(json_extract(data, '$.*'), json_unquote(json_search(json_keys(data), 'one', ${pattern}, '|')))`
}

/** The documents, where texts have these types. */
export const documents = ({ collation, integer, name, table, text }: Types): DocumentDialect => {
  // A generated column is compared under the collation of whoever uses it, unless one is named.
  const word = (text: string) => `_utf8mb4'${text}' collate ${collation}`
  const valueOf = (field: string, kind: Kind): string => {
    const found = placeOf(field)
    const type = `json_type(${found})`
    switch (kind) {
      case "text":
        return `case ${type} when ${word("STRING")} then json_unquote(${found}) collate ${collation} end`
      case "number": {
        const numbers = ["INTEGER", "UNSIGNED INTEGER", "DECIMAL", "DOUBLE"].map(word).join(", ")
        return `case when ${type} in (${numbers}) then 0e0 + ${found} end`
      }
      case "boolean":
        return `case ${type} when ${word("BOOLEAN")} then json_unquote(${found}) = ${word("true")} end`
      case "any":
        return `nullif(${type}, ${word("NULL")})`
    }
  }
  const types: Readonly<Record<Kind, string>> = { text, number: "double", boolean: "tinyint", any: text }
  return {
    parameter: () => "?",
    types: { id: name, integer, data: `${text} not null check (json_valid(data))`, table },
    data: "data",
    field: (field, indexed) => indexed ? columnOf(field) : valueOf(field.name, field.kind),
    number: (expression) => expression,
    column: (column) => column,
    value: (_, parameter) => parameter,
    toValue: (_, value) => value,
    inList: (expression, _, parameter) => inList(expression, parameter),
    toList: (_, values) => list(values),
    like: (expression, pattern, add) => {
      // Hidden from the index, which MariaDB uses for it in a way that leaves out what is beyond U+FFFF.
      const conditions = [`concat(${expression}) like ${add(pattern)}`]
      const beginning = beginningOf(pattern)
      const end = following(beginning)
      if (beginning !== "") conditions.push(`${expression} >= ${add(beginning)}`)
      if (end !== undefined) conditions.push(`${expression} < ${add(end)}`)
      return `(${conditions.join(" and ")})`
    },
    order: (expression, direction) => `${expression} ${direction}`,
    index: (table, name, field, expression) => {
      const column = columnOf(field)
      if (expression !== column) return [`create index ${name} on ${table} (${expression}, id)`]
      const value = valueOf(field.name, field.kind)
      return [
        `alter table ${table} add column ${column} ${
          types[field.kind]
        } generated always as (${value}) virtual`,
        // The longest beginning that is a key beside the longest id.
        `create index ${name} on ${table} (${field.kind === "text" ? `${column}(255)` : column}, id)`
      ]
    },
    expiryIndex: (table, name) => [`create index ${name} on ${table} (expires_at)`]
  }
}
