// The statements that write documents, few for many. Not public.
import type { Planned, StoredDocument, Write } from "../../src/repository/DocumentStore.ts"
import { tableOf } from "../sql/Collections.ts"
import { changesOf, inIdOrder } from "../sql/Commits.ts"
import { columns, type DocumentStatements, toRow } from "../sql/Documents.ts"
import type { Statement } from "../sql/EventLog.ts"
import { insertRows } from "./inserts.ts"
import type { Stored } from "./MysqlDocuments.ts"

const insert = (table: string): string => `insert into ${table} (${columns.join(", ")})`

const orReplace = `on duplicate key update ${
  columns.slice(1).map((column) => `${column} = values(${column})`).join(", ")
}`

/**
 * Writes documents whose rows, as far as there are any, are locked. A document that has no row is inserted and nothing
 * else: whoever has inserted it meanwhile must not be overwritten.
 */
export const changes = (
  sql: DocumentStatements,
  planned: ReadonlyArray<Planned>,
  stored: Stored,
  now: number
): ReadonlyArray<Statement> => {
  const found = ({ collection, id }: Pick<Write, "collection" | "id">) => stored.find(collection, id)
  return changesOf(planned, found).flatMap(({ collection, deletes, puts, removes }) => {
    const isThere = ({ id }: StoredDocument) => found({ collection, id }) !== undefined
    const sorted = inIdOrder(puts)
    const table = tableOf(collection)
    return [
      ...insertRows(insert(table), sorted.filter((document) => !isThere(document)).map(toRow)),
      ...insertRows(insert(table), sorted.filter(isThere).map(toRow), orReplace),
      ...(deletes.length === 0 ? [] : [sql.delete(collection, deletes, now)]),
      ...(removes.length === 0 ? [] : [sql.remove(collection, removes)])
    ]
  })
}
