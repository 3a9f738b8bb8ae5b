/**
 * A server that tests start for themselves: on a free port of the loopback address, with a folder of its own, and gone
 * with the process that started it, however that ends.
 */
import { spawn, spawnSync } from "node:child_process"
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import process from "node:process"

/** Where a server runs. */
export interface Place {
  readonly folder: string
  readonly port: number
  /** The password of the server's only user, its own. */
  readonly password: string
}

/** How a server of some kind is run. */
export interface Kind {
  readonly name: string
  /** The commands, each ending by itself, that set up the folder before the first start. */
  readonly setUp: (place: Place) => ReadonlyArray<ReadonlyArray<string>>
  /** Files of the folder that are written before that. */
  readonly files: (place: Place) => Readonly<Record<string, string>>
  /** The command that is the server: it stays in the foreground. */
  readonly command: (place: Place) => ReadonlyArray<string>
  /** Environment variables for all of these. */
  readonly environment?: () => Readonly<Record<string, string>>
  /** What the server writes when it can be used. */
  readonly ready: RegExp
  /** Asks it to end soon, without care for its data. */
  readonly stop: NodeJS.Signals
}

/** A server that runs. */
export interface Server {
  readonly place: Place
  readonly isRunning: () => boolean
  /** Ends the process by a signal, and waits until it has ended. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>
  /** Starts it again after `end`, on the same port and data, and waits until it can be used. */
  readonly startAgain: () => Promise<void>
  /** Ends it and removes its folder. */
  readonly stop: () => Promise<void>
}

/** Servers refuse to run as root: then they run as this user, which every system has. */
const nobody = userInfo().uid === 0 ? { uid: 65534, gid: 65534 } : {}

/** A port that is free now. */
const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const probe = createServer().on("error", reject).listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const own = (path: string) => "uid" in nobody ? chownSync(path, nobody.uid!, nobody.gid!) : undefined

/**
 * Outlives its parent: it reads the server's process id from each line of its input, and when that ends, which is when
 * the parent has, it ends the server and removes the folder. It is a process group of its own, as is the server, so that
 * what ends the tests ends neither.
 */
const guardScript = `
trap "" INT TERM HUP
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -s "$2" "$pid" 2>/dev/null
  n=0
  # one that has ended may stay listed, as a zombie
  while kill -0 "$pid" 2>/dev/null && ! grep -q ") Z " "/proc/$pid/stat" 2>/dev/null && [ $n -lt 50 ]; do
    sleep 0.1
    n=$((n + 1))
  done
  kill -s KILL "$pid" 2>/dev/null
fi
rm -rf "$1"
`

const guard = (folder: string, signal: string) => {
  const child = spawn("sh", ["-c", guardScript, "guard", folder, signal], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true
  })
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()))
  // neither it nor the pipe to it keeps the tests from ending
  child.unref()
  ;(child.stdin as unknown as { unref?: () => void }).unref?.()
  return {
    watch: (pid: number | "") => void child.stdin.write(`${pid}\n`),
    release: () => {
      child.ref()
      child.stdin.end()
      return ended
    }
  }
}

const environment = (kind: Kind, { folder }: Place) => ({
  ...process.env,
  ...kind.environment?.(),
  HOME: folder,
  LC_ALL: "C"
})

/** Runs a command of the set-up to its end. */
const setUp = (kind: Kind, place: Place, [program = "", ...args]: ReadonlyArray<string>) => {
  const { error, status, stderr, stdout } = spawnSync(program, args, {
    ...nobody,
    cwd: place.folder,
    encoding: "utf8",
    env: environment(kind, place)
  })
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${error ?? ""}${stderr}${stdout}`)
}

const read = (path: string) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Starts the server's process, tells `watch` its id at once, and waits until it can be used. */
const launch = async (kind: Kind, place: Place, watch: (pid: number) => void) => {
  const log = join(place.folder, "log")
  rmSync(log, { force: true })
  const child = spawn("sh", ["-c", `exec "$@" >"$0" 2>&1`, log, ...kind.command(place)], {
    ...nobody,
    cwd: place.folder,
    stdio: "ignore",
    detached: true,
    env: environment(kind, place)
  })
  if (child.pid !== undefined) watch(child.pid)
  let running = true
  const ended = new Promise<void>((resolve) => {
    child.on("error", () => resolve())
    child.on("exit", () => resolve())
  }).then(() => {
    running = false
  })
  for (let waited = 0; !kind.ready.test(read(log)); waited += 20) {
    if (!running || waited > 60_000) {
      child.kill("SIGKILL")
      throw new Error(`${kind.name} did not start: ${read(log).slice(-2_000)}`)
    }
    await sleep(20)
  }
  child.unref()
  return {
    isRunning: () => running,
    end: async (signal: NodeJS.Signals) => {
      child.ref()
      if (running) child.kill(signal)
      await ended
    }
  }
}

/** Starts a server with new, empty data. */
export const start = async (kind: Kind): Promise<Server> => {
  const folder = mkdtempSync(join(tmpdir(), `dunnock-${kind.name}-`))
  chmodSync(folder, 0o755)
  own(folder)
  const place: Place = { folder, port: await freePort(), password: crypto.randomUUID() }
  const { release, watch } = guard(folder, kind.stop.slice(3))
  try {
    for (const [name, text] of Object.entries(kind.files(place))) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, name), text, { mode: 0o600 })
      own(join(folder, name))
    }
    for (const command of kind.setUp(place)) setUp(kind, place, command)
    let process = await launch(kind, place, watch)
    const end = async (signal: NodeJS.Signals) => {
      await process.end(signal)
      watch("")
    }
    return {
      place,
      isRunning: () => process.isRunning(),
      end,
      startAgain: async () => {
        process = await launch(kind, place, watch)
      },
      stop: async () => {
        await end(kind.stop)
        await release()
      }
    }
  } catch (error) {
    await release()
    throw error
  }
}
