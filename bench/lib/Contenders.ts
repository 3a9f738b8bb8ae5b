import { existsSync, rmSync } from "node:fs"
import type { EventStore } from "dunnock/EventStore"
import type { Layer } from "effect/Layer"
import type { Commands, File, Store } from "./Store.ts"
import { check, type Measure } from "./Workload.ts"

/** Opens a store in memory, after loading what it needs. */
export type OpenMemory = () => Promise<Store>

/** Opens a store on a file, after loading what it needs. */
export type OpenSqlite = (file: File) => Promise<Store>

/** Opens a store in a new database of a server, after loading what it needs. */
export type OpenDatabase = (url: string) => Promise<Commands>

/** Contenders by name. */
export type Contenders<Open> = Readonly<Record<string, Open>>

interface Options {
  /** Interpret schemas, where dunnock runs with Effect's compiler for them. */
  readonly interpreted?: boolean
  /** Keep no state between commands, so that each of them loads its cart, as with the other contenders. */
  readonly uncached?: boolean
}

const dunnock = async <E>(
  layer: Layer<EventStore, E>,
  { interpreted, uncached }: Options
): Promise<Store> => {
  // Before the first schema is made, which is when the contender is imported.
  if (interpreted !== true) {
    await import("effect/schema/SchemaJITCompiler/enable")
  }
  const { open } = await import("../contender/dunnock.ts")
  return open(layer, uncached === true ? { cache: 0 } : {})
}

const dunnockMemory = (options: Options = {}): OpenMemory => async () =>
  dunnock((await import("dunnock/memory")).layer, options)

const dunnockSqlite = (options: Options = {}): OpenSqlite => async (file) =>
  dunnock((await import("dunnock/sqlite")).layer(file), options)

const dunnockPostgres = (options: Options = {}): OpenDatabase => async (url) =>
  dunnock((await import("dunnock/postgres")).layer({ url }), options)

const dunnockMysql = (options: Options = {}): OpenDatabase => async (url) =>
  dunnock((await import("dunnock/mysql")).layer({ url }), options)

/** The stores in memory. */
export const memory: Contenders<OpenMemory> = {
  "raw": async () => (await import("../contender/rawMemory.ts")).open(),
  "raw JSON": async () => (await import("../contender/rawMemory.ts")).openText(),
  "dunnock": dunnockMemory(),
  "dunnock, no JIT": dunnockMemory({ interpreted: true }),
  "@event-driven-io/emmett": async () => (await import("../contender/emmett.ts")).open(),
  "@castore/core": async () => (await import("../contender/castore.ts")).open()
}

/** The stores on SQLite. */
export const sqlite: Contenders<OpenSqlite> = {
  "raw": async (file) => (await import("../contender/rawSqlite.ts")).open(file),
  "dunnock": dunnockSqlite(),
  "dunnock, no JIT": dunnockSqlite({ interpreted: true }),
  "@event-driven-io/emmett-sqlite": async (file) => (await import("../contender/emmettSqlite.ts")).open(file)
}

/** More of them for commands: dunnock without the states that it remembers. */
export const uncachedMemory: Contenders<OpenMemory> = {
  "dunnock, no cache": dunnockMemory({ uncached: true })
}

/** The same on SQLite. */
export const uncachedSqlite: Contenders<OpenSqlite> = {
  "dunnock, no cache": dunnockSqlite({ uncached: true })
}

/** For several callers: their commands share transactions. */
export const groupedSqlite: Contenders<OpenSqlite> = {
  "raw group commit": async (file) => (await import("../contender/rawSqlite.ts")).openGrouped(file)
}

/** The stores on PostgreSQL. */
export const postgres: Contenders<OpenDatabase> = {
  "raw": async (url) => (await import("../contender/rawPostgres.ts")).open(url),
  "dunnock": dunnockPostgres(),
  "@event-driven-io/emmett-postgresql": async (url) =>
    (await import("../contender/emmettPostgres.ts")).open(url),
  "@rotorsoft/act-pg": async (url) => (await import("../contender/actPostgres.ts")).open(url),
  "dunnock, no cache": dunnockPostgres({ uncached: true })
}

/** For several callers on PostgreSQL. */
export const groupedPostgres: Contenders<OpenDatabase> = {
  "raw group commit": async (url) => (await import("../contender/rawPostgres.ts")).openGrouped(url)
}

/** The stores on MySQL or MariaDB. */
export const mysql: Contenders<OpenDatabase> = {
  "raw": async (url) => (await import("../contender/rawMysql.ts")).open(url),
  "dunnock": dunnockMysql(),
  "dunnock, no cache": dunnockMysql({ uncached: true })
}

/** Those that show what a part of dunnock or of the work by hand is worth. */
export const inFullOnly: ReadonlyArray<string> = [
  "raw JSON",
  "raw group commit",
  "dunnock, no JIT",
  "dunnock, no cache"
]

/** Each contender, measured on the store it opens. */
export const measured = <Open>(
  contenders: Contenders<Open>,
  measure: (open: Open, contender: string) => Measure
): Contenders<Measure> =>
  Object.fromEntries(
    Object.entries(contenders).map((
      [contender, open]
    ) => [contender, measure(open, contender)])
  )

/** A database file in the folder of the run. */
export const fileIn = (folder: string, name: string): string => `${folder}/${name.replaceAll(/\W+/g, "-")}.db`

/** Removes a database and what SQLite keeps beside it. */
export const remove = (filename: string): void => {
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(filename + suffix, { force: true })
  }
}

/** Writes the events that a workload reads, unless an earlier repetition did. */
export const seeded = async (
  open: OpenSqlite,
  filename: string,
  streams: ReadonlyArray<string>,
  each: number
): Promise<void> => {
  if (existsSync(filename)) return
  const store = await open({ filename, synchronous: "NORMAL" })
  await store.seed(streams, each)
  const stored = await store.count()
  await store.close()
  check(
    stored === streams.length * each,
    `${stored} events written, ${streams.length * each} expected`
  )
}
