import type { Connection, Pool, RowDataPacket } from "mysql2/promise"
import { connections } from "./Postgres.ts"

/** A row with the columns that were asked for. */
export type Row<Columns> = Columns & RowDataPacket

/** A pool of connections. */
export const pool = async (url: string): Promise<Pool> => {
  const { createPool } = await import("mysql2/promise")
  return createPool({ uri: url, connectionLimit: connections, multipleStatements: true })
}

/** One connection. */
export const connect = async (url: string): Promise<Connection> => {
  const { createConnection } = await import("mysql2/promise")
  return createConnection({ uri: url, multipleStatements: true })
}

/** Whether a unique index refused a row. */
export const isDuplicate = (error: unknown): boolean => (error as { readonly errno?: number }).errno === 1062

/** An own database on the server: a fresh one, or, if `keep` is set, the one of an earlier repetition. */
export const database = async (
  server: string,
  name: string,
  keep = false
): Promise<{ readonly url: string; readonly isNew: boolean }> => {
  const admin = await connect(server)
  const [found] = await admin.query<Array<Row<object>>>("show databases like ?", [name])
  const isNew = !keep || found.length === 0
  if (isNew) await admin.query(`drop database if exists ${name}; create database ${name}`)
  await admin.end()
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, isNew }
}
