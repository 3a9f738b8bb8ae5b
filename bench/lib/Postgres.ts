import { load } from "./Peers.ts"

/** A result of `pg`. */
export interface Result<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly rowCount: number | null
}

/** A statement; one with a name is prepared. */
export interface Statement {
  readonly text: string
  readonly values?: ReadonlyArray<unknown>
  readonly name?: string
}

/** What is used of a connection of `pg`. */
export interface Client {
  readonly connect: () => Promise<void>
  readonly query: <Row = Record<string, unknown>>(
    statement: string | Statement,
    values?: ReadonlyArray<unknown>
  ) => Promise<Result<Row>>
  readonly on: (event: "notification" | "error", listener: (message: unknown) => void) => unknown
  readonly end: () => Promise<void>
}

/** What is used of a pool of `pg`. */
export interface Pool {
  readonly connect: () => Promise<Client & { readonly release: () => void }>
  readonly on: (event: "error", listener: (error: unknown) => void) => unknown
  readonly end: () => Promise<void>
}

interface Pg {
  readonly default: {
    readonly Client: new (options: { readonly connectionString: string }) => Client
    readonly Pool: new (options: { readonly connectionString: string; readonly max: number }) => Pool
  }
}

/** Every contender may open so many connections: the default of `pg` and of most other pools. */
export const connections = 10

/** One connection. */
export const client = async (url: string): Promise<Client> => {
  const { Client } = (await load<Pg>("pg")).default
  const opened = new Client({ connectionString: url })
  await opened.connect()
  return opened
}

/** A pool of connections. */
export const pool = async (url: string): Promise<Pool> => {
  const { Pool } = (await load<Pg>("pg")).default
  const opened = new Pool({ connectionString: url, max: connections })
  opened.on("error", () => {})
  return opened
}

/** Uses a connection of a pool. Twice as fast under load as the pool's own `query`. */
export const use = async <A>(pool: Pool, work: (client: Client) => Promise<A>): Promise<A> => {
  const taken = await pool.connect()
  try {
    return await work(taken)
  } finally {
    taken.release()
  }
}

/** Whether a unique index refused a row. */
export const isDuplicate = (error: unknown): boolean => (error as { readonly code?: string }).code === "23505"

/** An own database on the server: a fresh one, or, if `keep` is set, the one of an earlier repetition. */
export const database = async (
  server: string,
  name: string,
  keep = false
): Promise<{ readonly url: string; readonly isNew: boolean }> => {
  const admin = await client(server)
  const found = await admin.query("select 1 from pg_database where datname = $1", [name])
  const isNew = !keep || found.rows.length === 0
  if (isNew) {
    await admin.query(`drop database if exists "${name}" with (force)`)
    await admin.query(`create database "${name}"`)
  }
  await admin.end()
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, isNew }
}

/** Runs statements on a connection of its own. */
export const once = async <Row = Record<string, unknown>>(
  url: string,
  text: string,
  values?: ReadonlyArray<unknown>
): Promise<ReadonlyArray<Row>> => {
  const opened = await client(url)
  try {
    return (await opened.query<Row>(text, values)).rows
  } finally {
    await opened.end()
  }
}
