import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("..", import.meta.url))

const ci = (...options: ReadonlyArray<string>): boolean =>
  spawnSync("npm", ["ci", "--no-audit", "--no-fund", ...options], {
    cwd: folder,
    stdio: ["ignore", 2, 2]
  }).status === 0

/** Installs the peers of `bench/package.json` on first use. Without a compiler for SQLite, the others still run. */
export const install = (): void => {
  if (existsSync(`${folder}node_modules/.package-lock.json`)) return
  console.error(
    "Installing the peers to compare with (once, about a minute) ..."
  )
  if (ci()) return
  console.error(
    "A native package did not build; installing without it. @event-driven-io/emmett-sqlite will fail."
  )
  if (!ci("--ignore-scripts")) throw new Error("npm ci failed in bench/")
}

/** Loads a peer, typed by what the caller uses of it. */
export const load = <Module>(name: string): Promise<Module> => import(name)
