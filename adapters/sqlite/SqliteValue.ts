/** What SQLite keeps and returns. */
/** A value as SQLite returns it. */
export type Value = null | number | bigint | string | Uint8Array

/** A row by column name. */
export type Row = { readonly [column: string]: Value }

/** What a statement changed. */
export interface Changes {
  /** Rows inserted, updated or deleted. */
  readonly changes: number | bigint
  /** Row id of the last insert on this connection. */
  readonly lastInsertRowid: number | bigint
}
