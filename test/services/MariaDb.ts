/** MariaDB as the system's package `mariadb-server` installs it. */
import * as Effect from "effect/Effect"
import { existsSync, readdirSync } from "node:fs"
import { delimiter, join } from "node:path"
import process from "node:process"
import type { Kind } from "./Server.ts"

/** Where it was unpacked, if not by the system's package manager: the folder that would be `/usr`. */
const home = process.env.DUNNOCK_MARIADB_HOME

/** Where a program is. The PATH of people who are not root often leaves some folders out. */
const find = (program: string): string | undefined =>
  (home === undefined
    ? [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"]
    : [`${home}/bin`, `${home}/sbin`])
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path))

export const missing: string | undefined = find("mariadbd") && find("mariadb-install-db")
  ? undefined
  : "no mariadbd on this machine (apt-get install mariadb-server)"

const base = home === undefined ? [] : [`--basedir=${home}`]

/** The libraries that were unpacked with it. */
const environment = (): Record<string, string> =>
  home === undefined ? {} : {
    LD_LIBRARY_PATH: [`${home}/lib`, `${home}/../lib`].flatMap((lib) =>
      existsSync(lib)
        ? readdirSync(lib).filter((name) => name.endsWith("-linux-gnu")).map((name) => join(lib, name))
        : []
    ).join(delimiter)
  }

/** What every start runs: the only user is ours, by password. */
const initial = (password: string) =>
  [
    "delete from mysql.global_priv where user = 'root'",
    "flush privileges",
    `create or replace user dunnock@'%' identified by '${password}'`,
    "grant all on *.* to dunnock@'%' with grant option"
  ].map((statement) => `${statement};\n`).join("")

export const kind: Kind = {
  name: "mysql",
  environment,
  files: ({ password }) => ({ "init.sql": initial(password) }),
  setUp: ({ folder }) => [[
    find("mariadb-install-db")!,
    "--no-defaults",
    ...base,
    `--datadir=${folder}/data`,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    "--skip-name-resolve"
  ]],
  command: ({ folder, port }) => [
    find("mariadbd")!,
    "--no-defaults",
    ...base,
    `--datadir=${folder}/data`,
    `--port=${port}`,
    `--socket=${folder}/socket`,
    `--pid-file=${folder}/pid`,
    "--bind-address=127.0.0.1",
    `--init-file=${folder}/init.sql`,
    "--skip-name-resolve",
    "--performance-schema=off",
    "--innodb-buffer-pool-size=128M",
    "--max-connections=300"
  ],
  ready: /ready for connections/,
  // Nobody needs its data any more, and asked in a kinder way it takes its time.
  stop: "SIGKILL"
}

/** Runs one statement on the database of a URL. */
export const execute = (url: string, statement: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    const { createConnection } = await import("mysql2/promise")
    const connection = await createConnection(url)
    await connection.query(statement)
    await connection.end()
  })

export const url = (port: number, password: string): string =>
  `mysql://dunnock:${password}@127.0.0.1:${port}/`

export const create = (name: string): string => `create database ${name}`
export const drop = (name: string): string => `drop database if exists ${name}`
