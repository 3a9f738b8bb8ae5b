/**
 * The database servers of a run. One that is given by `DUNNOCK_POSTGRES_URL` or `DUNNOCK_MYSQL_URL` is used as it is;
 * others are started for the run, on this machine, with commits that wait for the disk.
 */
import * as Mysql from "../../test/services/MariaDb.ts"
import * as Postgres from "../../test/services/Postgres.ts"
import * as Process from "../../test/services/Server.ts"
import type { Server } from "./Workload.ts"

/** A server that runs, or why there is none. */
export type Started =
  | { readonly url: string; readonly stop: () => Promise<void> }
  | { readonly missing: string }

interface Description {
  readonly variable: string
  readonly service: typeof Postgres | typeof Mysql
  /** More memory than for tests, and what durability needs, said aloud. */
  readonly settings: ReadonlyArray<string>
}

const descriptions: Record<Server, Description> = {
  postgres: {
    variable: "DUNNOCK_POSTGRES_URL",
    service: Postgres,
    settings: ["shared_buffers=512MB", "max_wal_size=4GB", "fsync=on", "synchronous_commit=on"]
      .flatMap((setting) => ["-c", setting])
  },
  mysql: {
    variable: "DUNNOCK_MYSQL_URL",
    service: Mysql,
    settings: [
      "--innodb-buffer-pool-size=512M",
      "--innodb-log-file-size=1G",
      "--max-allowed-packet=64M",
      "--innodb-flush-log-at-trx-commit=1"
    ]
  }
}

/** Finds or starts a server. */
export const start = async (server: Server): Promise<Started> => {
  const { service: { kind, missing, url }, settings, variable } = descriptions[server]
  const given = process.env[variable]
  if (given !== undefined && given !== "") return { url: given, stop: async () => {} }
  if (missing !== undefined) return { missing }
  try {
    const { place, stop } = await Process.start({
      ...kind,
      command: (place) => [...kind.command(place), ...settings]
    })
    return { url: url(place.port, place.password), stop }
  } catch (error) {
    return { missing: String(error) }
  }
}
