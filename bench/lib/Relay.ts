import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { compiled } from "./Compiled.ts"
import type { Item } from "./Cart.ts"

/** The side of a contender of `delay` that appends. */
export interface Appender {
  /** Appends one event. */
  readonly append: (stream: string, item: Item) => Promise<unknown>
  /** The number of events stored. */
  readonly count: () => Promise<number>
  readonly close: () => Promise<void>
}

/** A contender of `delay`: the two sides run in two processes, the appender is opened first. */
export interface Relay {
  readonly open: (url: string) => Promise<Appender>
  /** Hands every event of the log to `handle`, also those to come; ready when the promise resolves. */
  readonly listen: (url: string, handle: (item: Item) => void) => Promise<void>
}

/** The contenders. */
export const relays: Readonly<Record<string, () => Promise<Relay>>> = {
  "raw": () => import("../relay/raw.ts"),
  "dunnock": () => compiled(() => import("../relay/dunnock.ts")),
  "@event-driven-io/emmett-postgresql": () => import("../relay/emmett.ts"),
  "@rotorsoft/act-pg": () => import("../relay/act.ts")
}

/** An event that a listener was given: its id, and the milliseconds since its append began. */
export type Delay = readonly [id: string, ms: number]

/** The other process, as the appender sees it. */
export interface Listening {
  /** The delays of the events it was given, as soon as there are so many, or after `patience` ms. */
  readonly delays: (events: number, patience: number) => Promise<ReadonlyArray<Delay>>
  readonly stop: () => void
}

const program = fileURLToPath(new URL("../listen.ts", import.meta.url))

/** Starts the process that listens. */
export const start = async (contender: string, url: string): Promise<Listening> => {
  const listener = spawn(process.execPath, [program, contender, url], { stdio: ["pipe", "pipe", "pipe"] })
  let errors = ""
  listener.stderr.on("data", (data) => errors += data)
  const lines = createInterface(listener.stdout)[Symbol.asyncIterator]()
  const answer = async (): Promise<unknown> => {
    for (;;) {
      const { done, value } = await lines.next()
      if (done === true) throw new Error(`the listener ended: ${errors.trim().slice(-300)}`)
      if (value.startsWith("@@")) return JSON.parse(value.slice(2))
    }
  }
  await answer()
  return {
    delays: async (events, patience) => {
      listener.stdin.write(`${JSON.stringify({ events, patience })}\n`)
      return await answer() as ReadonlyArray<Delay>
    },
    stop: () => listener.kill("SIGKILL")
  }
}
