// The statements that write documents, few for many. Not public.
import type { Planned, StoredDocument, Write } from "../../src/repository/DocumentStore.ts"
import { tableOf } from "../sql/Collections.ts"
import { changesOf, columns, type DocumentStatements, toRow } from "../sql/Documents.ts"
import type { Statement } from "../sql/EventLog.ts"
import { insertRows } from "./inserts.ts"
import type { Stored } from "./MysqlDocuments.ts"

const insert = (table: string): string => `insert into ${table} (${columns.join(", ")})`

const orReplace = `on duplicate key update ${
  columns.slice(1).map((column) => `${column} = values(${column})`).join(", ")
}`

/** Everybody takes locks in the same order, so that few wait for one another in a circle. */
export const inOrder = <A>(all: ReadonlyArray<A>, key: (one: A) => string): ReadonlyArray<A> =>
  all.toSorted((one, other) => key(one) < key(other) ? -1 : 1)

/**
 * Writes documents whose rows, as far as there are any, are locked. A document that has no row is inserted and nothing
 * else: whoever has inserted it meanwhile must not be overwritten.
 */
export const changes = (
  sql: DocumentStatements,
  planned: ReadonlyArray<Planned>,
  stored: Stored,
  now: number
): ReadonlyArray<Statement> => [
  ...inOrder(changesOf(planned), ({ collection }) => tableOf(collection)).flatMap((change) => {
    const { collection, deletes, removes } = change
    const puts = inOrder(change.puts, ({ id }) => id)
    const isThere = ({ id }: StoredDocument) => stored.find(collection, id) !== undefined
    const table = tableOf(collection)
    return [
      ...insertRows(insert(table), puts.filter((document) => !isThere(document)).map(toRow)),
      ...insertRows(insert(table), puts.filter(isThere).map(toRow), orReplace),
      ...(deletes.length === 0 ? [] : [sql.delete(collection, deletes, now)]),
      ...(removes.length === 0 ? [] : [sql.remove(collection, removes)])
    ]
  }),
  ...planned.flatMap(({ after, write }) =>
    write.expected === 0 && after === undefined && stored.find(write.collection, write.id) === undefined
      ? absence(write)
      : []
  )
]

/** Keeps a document that must be absent from being inserted by others until the commit: there is no row to lock. */
const absence = ({ collection, id }: Write): ReadonlyArray<Statement> => [
  [`${insert(tableOf(collection))} values (?, 0, '{}', 0, 0, 0, null, null)`, [id]],
  [`delete from ${tableOf(collection)} where id = ?`, [id]]
]
