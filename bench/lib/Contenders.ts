import { existsSync, rmSync } from "node:fs"
import type { File, Store } from "./Store.ts"
import { check, type Measure } from "./Workload.ts"

/** Opens a store in memory, after loading what it needs. */
export type OpenMemory = () => Promise<Store>

/** Opens a store on a file, after loading what it needs. */
export type OpenSqlite = (file: File) => Promise<Store>

/** Contenders by name. */
export type Contenders<Open> = Readonly<Record<string, Open>>

/** The stores in memory. */
export const memory: Contenders<OpenMemory> = {
  "raw": async () => (await import("../contender/rawMemory.ts")).open(),
  "@event-driven-io/emmett": async () => (await import("../contender/emmett.ts")).open(),
  "@castore/core": async () => (await import("../contender/castore.ts")).open(),
}

/** The stores on SQLite. */
export const sqlite: Contenders<OpenSqlite> = {
  "raw": async (file) => (await import("../contender/rawSqlite.ts")).open(file),
  "@event-driven-io/emmett-sqlite": async (file) => (await import("../contender/emmettSqlite.ts")).open(file),
}

/** The stores on SQLite for several callers, which can share a transaction. */
export const sqliteShared: Contenders<OpenSqlite> = {
  ...sqlite,
  "raw group commit": async (file) => (await import("../contender/rawSqlite.ts")).openGrouped(file),
}

/** Each contender, measured on the store it opens. */
export const measured = <Open>(
  contenders: Contenders<Open>,
  measure: (open: Open, contender: string) => Measure,
): Contenders<Measure> =>
  Object.fromEntries(
    Object.entries(contenders).map(([contender, open]) => [contender, measure(open, contender)]),
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
  each: number,
): Promise<void> => {
  if (existsSync(filename)) return
  const store = await open({ filename, synchronous: "NORMAL" })
  await store.seed(streams, each)
  const stored = await store.count()
  await store.close()
  check(
    stored === streams.length * each,
    `${stored} events written, ${streams.length * each} expected`,
  )
}
