// What the SQL document stores share: a table for each collection, its columns and indexes, the statements that read,
// and how rows become documents. An adapter adds its way to run statements.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type {
  Collection,
  Condition,
  DocumentStore,
  Field,
  Kind,
  Selection,
  StoredDocument
} from "../../src/repository/DocumentStore.ts"
import type { DocumentStoreError } from "../../src/repository/DocumentStoreError.ts"
import { indexOf, isIndexed, tableOf } from "./Collections.ts"
import { joined, type Rows, type Statement } from "./EventLog.ts"

/** How a database differs from the others where documents are concerned. */
export interface DocumentDialect {
  /** The n-th parameter of a statement, from 1 on. */
  readonly parameter: (n: number) => string
  /** What the columns of a table are made of. Ids are compared by code points, trailing spaces among them. */
  readonly types: {
    /** A text of at most 255 characters, for the primary key. */
    readonly id: string
    /** An integer of 64 bits. */
    readonly integer: string
    /** JSON text of up to 4,194,304 characters, or what the database keeps it as; it says that it is not null. */
    readonly data: string
    /** What goes behind the definition of a table. */
    readonly table: string
  }
  /** The column with its JSON text, as it is selected. */
  readonly data: string
  /** An integer, as it is selected to come as a number. */
  readonly number: (expression: string) => string
  /**
   * The value of a field in the column `data`; null where it is null, absent, or of another kind than declared, and where
   * the kind is `any`, anything that is null only for null and absence. Never an error, whatever is stored. `indexed` says
   * whether the collection declares an index on it.
   */
  readonly field: (field: Field, indexed: boolean) => string
  /** The value of a column, such as `created_at`, as a value of its kind. */
  readonly column: (column: string, kind: Kind) => string
  /** A parameter that is compared with values of a kind, and the value as it is passed. */
  readonly value: (kind: Kind, parameter: string) => string
  readonly toValue: (kind: Kind, value: string | number | boolean) => unknown
  /** A `<`, `<=`, `>` or `>=` that an index serves, where the database has to be told that it pays. */
  readonly served?: (comparison: string) => string
  /** A condition that holds if the expression is in a list, which is passed as one parameter, and the list. */
  readonly inList: (expression: string, kind: Kind, parameter: string) => string
  readonly toList: (kind: Kind, values: ReadonlyArray<string | number | boolean>) => unknown
  /** A condition that holds if a text is like a pattern; `add` adds a parameter and gives its name. */
  readonly like: (expression: string, pattern: string, add: (value: unknown) => string) => string
  /** Sorted with absent values first, upwards, and last, downwards. */
  readonly order: (expression: string, direction: "asc" | "desc") => string
  /**
   * The statements that make an index of this name, where there is none, on a field and then on `id`; `expression` is the
   * value of the field.
   */
  readonly index: (table: string, name: string, field: Field, expression: string) => ReadonlyArray<string>
  /**
   * Where an index does not take a long text: its beginning, which the index is on. Indexed texts are then compared and
   * sorted by it first.
   */
  readonly beginning?: {
    readonly of: (expression: string) => string
    readonly ofValue: (value: string) => string
  }
  /** The statements that make an index of this name, where there is none, on `expires_at`, for the rows that have one. */
  readonly expiryIndex: (table: string, name: string) => ReadonlyArray<string>
}

/** The columns of a document, in the order in which {@link toDocument} expects them. */
export const columns = [
  "id",
  "version",
  "data",
  "position",
  "created_at",
  "updated_at",
  "deleted_at",
  "expires_at"
] as const

/** The document of a row, whose integers are numbers. */
export const toDocument = (row: ReadonlyArray<unknown>): StoredDocument => ({
  id: row[0] as string,
  version: row[1] as number,
  data: row[2] as string,
  position: row[3] as number,
  createdAt: row[4] as number,
  updatedAt: row[5] as number,
  deletedAt: row[6] as number | null ?? undefined,
  expiresAt: row[7] as number | null ?? undefined
})

/** The row of a document, in the order of {@link columns}. */
export const toRow = (document: StoredDocument): ReadonlyArray<unknown> => [
  document.id,
  document.version,
  document.data,
  document.position,
  document.createdAt,
  document.updatedAt,
  document.deletedAt ?? null,
  document.expiresAt ?? null
]

/** The columns of what a store keeps with documents. */
const own: ReadonlyMap<string, string> = new Map([
  ["$id", "id"],
  ["$version", "version"],
  ["$createdAt", "created_at"],
  ["$updatedAt", "updated_at"]
])

type Add = (value: unknown) => string

const comparisons = { eq: "=", neq: "=", gt: ">", gte: ">=", lt: "<", lte: "<=" } as const

/** The statements of a document store. */
export const statements = (dialect: DocumentDialect) => {
  /** A statement, in the text of which parameters are added in their order. */
  const statement = (text: (add: Add) => string): Statement => {
    const parameters: Array<unknown> = []
    return [text((value) => dialect.parameter(parameters.push(value))), parameters]
  }

  const expression = (collection: Collection, field: Field): string => {
    const column = own.get(field.name)
    return column === undefined
      ? dialect.field(field, isIndexed(collection, field))
      : dialect.column(column, field.kind)
  }

  /** What is indexed of an indexed text, if that is not all of it. */
  const beginningOf = (collection: Collection, field: Field) =>
    field.kind === "text" && !own.has(field.name) && isIndexed(collection, field)
      ? dialect.beginning
      : undefined

  const comparing = (
    left: string,
    operator: string,
    kind: Kind,
    value: string | number | boolean,
    add: Add
  ) => `${left} ${operator} ${dialect.value(kind, add(dialect.toValue(kind, value)))}`

  const listing = (
    left: string,
    kind: Kind,
    values: ReadonlyArray<string | number | boolean>,
    add: Add
  ) => dialect.inList(left, kind, add(dialect.toList(kind, values)))

  const conditionOf = (collection: Collection, condition: Condition, add: Add): string => {
    if (condition.op === "and" || condition.op === "or") {
      const parts = flattened(condition.op, condition.conditions)
      if (parts.length === 0) return condition.op === "and" ? "1 = 1" : "1 = 0"
      return `(${joined(parts.map((part) => conditionOf(collection, part, add)), condition.op)})`
    }
    const { field } = condition
    const left = expression(collection, field)
    switch (condition.op) {
      case "in":
      case "notIn": {
        const list = listing(left, field.kind, condition.values, add)
        if (condition.op === "notIn") return `(${list}) is not true`
        const beginning = beginningOf(collection, field)
        if (beginning === undefined) return list
        const beginnings = condition.values.map((value) => beginning.ofValue(String(value)))
        return `(${listing(beginning.of(left), field.kind, beginnings, add)} and ${list})`
      }
      case "like":
        return dialect.like(left, condition.pattern, add)
      case "isNull":
        return `${left} is null`
      case "isNotNull":
        return `${left} is not null`
      default: {
        const operator = comparisons[condition.op]
        const compared = comparing(left, operator, field.kind, condition.value, add)
        if (condition.op === "neq") return `(${compared}) is not true`
        if (operator !== "=" && isIndexed(collection, field) && dialect.served !== undefined) {
          return dialect.served(compared)
        }
        const beginning = beginningOf(collection, field)
        if (beginning === undefined) return compared
        const orEqual = operator === "=" ? "=" : `${operator[0]}=`
        const begun = beginning.ofValue(String(condition.value))
        return `(${comparing(beginning.of(left), orEqual, field.kind, begun, add)} and ${compared})`
      }
    }
  }

  const whereOf = (
    collection: Collection,
    { deleted, where }: Pick<Selection, "where" | "deleted">,
    now: number,
    add: Add
  ): string => {
    // A condition of the selection comes first: it may be served by an index.
    const conditions = where === undefined ? [] : [conditionOf(collection, where, add)]
    if (deleted !== "with") conditions.push(`deleted_at is ${deleted === "only" ? "not " : ""}null`)
    conditions.push(alive(add(now)))
    return `where ${conditions.join(" and ")}`
  }

  /** Sorted by id in the end, so that the order is always the same. */
  const orderOf = (collection: Collection, sort: Selection["sort"]): string => {
    const last = sort.findIndex(({ field }) => field.name === "$id")
    const sorts = (last === -1 ? sort : sort.slice(0, last + 1)).flatMap(({ direction, field }) => {
      if (field.name === "$id") return [`id ${direction}`]
      const whole = expression(collection, field)
      const beginning = beginningOf(collection, field)?.of(whole)
      return [...(beginning === undefined ? [] : [beginning]), whole].map((each) =>
        dialect.order(each, direction)
      )
    })
    return `order by ${[...sorts, ...(last === -1 ? ["id"] : [])].join(", ")}`
  }

  const indexed = (collection: Collection, field: Field): string => {
    const whole = expression(collection, field)
    return beginningOf(collection, field)?.of(whole) ?? whole
  }

  const among = (ids: ReadonlyArray<string>, add: Add): string =>
    ids.length === 1 ? `id = ${add(ids[0])}` : dialect.inList("id", "text", add(dialect.toList("text", ids)))

  const selected = (column: string, data: string): string =>
    column === "id" ? column : column === "data" ? data : dialect.number(column)
  const select = columns.map((column) => selected(column, dialect.data)).join(", ")

  return {
    /** What brings a collection into being, in their order; each of them does nothing if it is there. */
    create: (collection: Collection): ReadonlyArray<string> => {
      const { data, id, integer, table } = dialect.types
      const name = tableOf(collection)
      return [
        `create table if not exists ${name} (
          id ${id} primary key not null,
          version ${integer} not null,
          data ${data},
          position ${integer} not null,
          created_at ${integer} not null,
          updated_at ${integer} not null,
          deleted_at ${integer},
          expires_at ${integer}
        ) ${table}`,
        ...dialect.expiryIndex(name, indexOf(collection, { name: "$expiresAt", kind: "number" })),
        ...collection.indexes
          // There is one anyway, by the primary key.
          .filter(({ name }) => name !== "$id")
          .flatMap((field) =>
            dialect.index(name, indexOf(collection, field), field, indexed(collection, field))
          )
      ]
    },
    drop: (collection: Collection): string => `drop table if exists ${tableOf(collection)}`,
    /** The documents with these ids, in no order. */
    get: (collection: Collection, ids: ReadonlyArray<string>, now: number): Statement =>
      statement((add) =>
        `select ${select} from ${tableOf(collection)} where ${among(ids, add)} and ${alive(add(now))}`
      ),
    find: (collection: Collection, selection: Selection, now: number): Statement =>
      statement((add) => {
        const { limit, offset, sort } = selection
        const where = whereOf(collection, selection, now, add)
        const page = `limit ${add(limit)}${offset === 0 ? "" : ` offset ${add(offset)}`}`
        return `select ${select} from ${tableOf(collection)} ${where} ${orderOf(collection, sort)} ${page}`
      }),
    count: (
      collection: Collection,
      selection: Pick<Selection, "where" | "deleted">,
      now: number
    ): Statement =>
      statement((add) =>
        `select ${dialect.number("count(*)")} from ${tableOf(collection)} ${
          whereOf(collection, selection, now, add)
        }`
      ),
    clearExpired: (collection: Collection, now: number): Statement =>
      statement((add) => `delete from ${tableOf(collection)} where expires_at <= ${add(now)}`),
    /**
     * What is to be known of the documents with these ids before they are written: all but their data; in no order, with
     * those that have expired. What `locking` says, such as `for update`, goes behind.
     */
    states: (collection: Collection, ids: ReadonlyArray<string>, locking = ""): Statement =>
      statement((add) =>
        `select ${columns.map((column) => selected(column, "''")).join(", ")} from ${
          tableOf(collection)
        } where ${among(ids, add)} ${locking}`
      ),
    /** Deletes softly the documents with these ids, which are there. */
    delete: (collection: Collection, ids: ReadonlyArray<string>, now: number): Statement =>
      statement((add) =>
        `update ${tableOf(collection)} set version = version + 1, updated_at = ${add(now)}, deleted_at = ${
          add(now)
        } where ${among(ids, add)}`
      ),
    /** Removes the documents with these ids. */
    remove: (collection: Collection, ids: ReadonlyArray<string>): Statement =>
      statement((add) => `delete from ${tableOf(collection)} where ${among(ids, add)}`)
  }
}

/** The statements of a document store. */
export type DocumentStatements = ReturnType<typeof statements>

/** Holds of a row that has not expired. */
const alive = (now: string): string => `(expires_at is null or expires_at > ${now})`

/** Conditions that are nested to no effect, such as an `and` in an `and`, put side by side. */
const flattened = (op: "and" | "or", conditions: ReadonlyArray<Condition>): ReadonlyArray<Condition> =>
  conditions.flatMap((condition) =>
    condition.op !== "and" && condition.op !== "or"
      ? [condition]
      : condition.op === op || condition.conditions.length === 1
      ? flattened(op, condition.conditions)
      : [condition]
  )

/** The reading half of a document store, given how a statement is run on a collection that is there. */
export const reading = (
  sql: DocumentStatements,
  /** Gives the rows of a statement; none if the collection is not there. */
  query: (collection: Collection, statement: Statement) => Effect.Effect<Rows, DocumentStoreError>,
  /** Gives the number of rows that a statement changed. */
  change: (collection: Collection, statement: Statement) => Effect.Effect<number, DocumentStoreError>
): Pick<DocumentStore, "get" | "find" | "count" | "clearExpired"> => {
  const now = <A, E>(then: (now: number) => Effect.Effect<A, E>) =>
    Effect.flatMap(Clock.currentTimeMillis, then)
  return {
    get: (collection, ids) =>
      now((now) =>
        Effect.map(query(collection, sql.get(collection, ids, now)), (rows) => inOrder(ids, rows))
      ),
    find: (collection, selection) =>
      now((now) =>
        Effect.map(query(collection, sql.find(collection, selection, now)), (rows) => rows.map(toDocument))
      ),
    count: (collection, selection) =>
      now((now) =>
        Effect.map(
          query(collection, sql.count(collection, selection, now)),
          ([row]) => (row?.[0] ?? 0) as number
        )
      ),
    clearExpired: (collection) => now((now) => change(collection, sql.clearExpired(collection, now)))
  }
}

/** Rows as the documents of these ids, in their order. */
export const inOrder = (
  ids: ReadonlyArray<string>,
  rows: Rows
): ReadonlyArray<StoredDocument | undefined> => {
  const found = new Map(rows.map((row) => [row[0] as string, row]))
  return ids.map((id) => {
    const row = found.get(id)
    return row && toDocument(row)
  })
}
