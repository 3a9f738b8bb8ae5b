/**
 * The servers that tests use. Each is started when it is first asked for, once in a process, unless an environment
 * variable names one that runs already; see README.md.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import process from "node:process"
import * as MariaDb from "./MariaDb.ts"
import * as Postgres from "./Postgres.ts"
import * as Server from "./Server.ts"

/** How to connect to a database. */
export interface Database {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly database: string
  /** All of it. */
  readonly url: string
}

/** A server, as tests see it. */
export interface Service {
  readonly name: string
  /** The environment variable with the URL of a server to use. Its user must be allowed to create databases. */
  readonly variable: string
  /** Why there is none on this machine. */
  readonly missing: string | undefined
  /** The URL of the server that all tests of this process share. */
  readonly url: Effect.Effect<string>
  /** An empty database of that server, dropped when the scope closes. */
  readonly database: Effect.Effect<Database, never, Scope.Scope>
  /** A server of the test's own, which it may stop and start; gone when the scope closes. */
  readonly own: Effect.Effect<Own, never, Scope.Scope>
}

/** A server of a test's own. */
export interface Own extends Server.Server {
  readonly url: string
  readonly database: Effect.Effect<Database, never, Scope.Scope>
}

/** What has to be known about a kind of server. */
interface Description {
  readonly kind: Server.Kind
  readonly missing: string | undefined
  readonly url: (port: number, password: string) => string
  readonly execute: (url: string, statement: string) => Effect.Effect<void>
  readonly create: (name: string) => string
  readonly drop: (name: string) => string
}

const withDatabase = (url: string, database: string): Database => {
  const parts = new URL(url)
  parts.pathname = `/${database}`
  return {
    host: parts.hostname,
    port: Number(parts.port),
    username: decodeURIComponent(parts.username),
    password: decodeURIComponent(parts.password),
    database,
    url: parts.href
  }
}

let databases = 0

const databaseOf = ({ create, drop, execute }: Description, url: string) =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const name = `dunnock_${process.pid}_${Date.now().toString(36)}_${databases++}`
      return Effect.as(execute(url, create(name)), name)
    }),
    // A test may have stopped the server.
    (name) => Effect.exit(execute(url, drop(name)))
  ).pipe(Effect.map((name) => withDatabase(url, name)))

const service = (description: Description): Service => {
  const { kind, missing, url } = description
  const variable = `DUNNOCK_${kind.name.toUpperCase()}_URL`
  const given = process.env[variable] || undefined
  let started: Promise<Server.Server> | undefined
  const shared = Effect.promise(async () => {
    if (given !== undefined) return given
    // Bun kills the processes of a test that takes too long, and this may be one of them.
    if (started !== undefined && !(await started).isRunning()) started = undefined
    const { place } = await (started ??= Server.start(kind))
    return url(place.port, place.password)
  })
  const own = Effect.acquireRelease(
    Effect.promise(() => Server.start(kind)),
    (server) => Effect.promise(server.stop)
  ).pipe(Effect.map((server): Own => {
    const own = url(server.place.port, server.place.password)
    return { ...server, url: own, database: databaseOf(description, own) }
  }))
  return {
    name: kind.name,
    variable,
    missing: given === undefined ? missing : undefined,
    url: shared,
    database: Effect.flatMap(shared, (url) => databaseOf(description, url)),
    own
  }
}

export const postgres: Service = service(Postgres)
export const mysql: Service = service(MariaDb)

/** All of them. */
export const services: ReadonlyArray<Service> = [postgres, mysql]

/**
 * What to print about tests that cannot run, if they cannot. It is an error where CI is set: there, every server has to
 * be found.
 */
export const skipped = (what: string, count: number, service: Service): string | undefined => {
  if (service.missing === undefined) return undefined
  const line = `${what}: ${count} tests skipped: ${service.missing}`
  if (process.env.CI) throw new Error(line)
  return line
}
