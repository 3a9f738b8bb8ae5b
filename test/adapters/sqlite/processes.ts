/** Processes that share a SQLite event store: what they are asked to do, and how a test starts and ends them. */
import * as Event from "dunnock/Event"
import * as EventStore from "dunnock/EventStore"
import type { EventStoreError } from "dunnock/EventStoreError"
import * as Sqlite from "dunnock/sqlite"
// Deep imports, since dozens of processes start up with them.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"

/** What a process does. */
export type Job =
  /** Each fiber makes so many appends, one after the other; says `[fiber, n, receipts]` of each. */
  | {
    readonly kind: "append"
    readonly filename: string
    readonly synchronous: "FULL" | "NORMAL"
    readonly name: string
    readonly fibers: number
    readonly appends: number
  }
  /** Creates the streams s-0, s-1 … in an order of its own, unless they exist; says `"open"`, waits, says what came of each. */
  | {
    readonly kind: "create"
    readonly filename: string
    readonly name: string
    readonly streams: number
    /** How far it is from one stream to the next that it creates; has no divisor in common with their number. */
    readonly stride: number
  }
  /** Appends single events without ids to a stream of its own, one after the other. */
  | { readonly kind: "single"; readonly filename: string; readonly name: string; readonly appends: number }
  /** Opens the files, one after the other, and makes one append to each. */
  | { readonly kind: "open"; readonly filenames: ReadonlyArray<string>; readonly name: string }
  /** Writes to the log in a transaction that is not committed; says `"held"`, and rolls back at the next line. */
  | { readonly kind: "hold"; readonly filename: string }

/** An event store on a file, closed with the scope. */
export const openStore = (
  options: Sqlite.Options
): Effect.Effect<EventStore.EventStore, EventStoreError, Scope.Scope> =>
  Effect.map(Layer.build(Sqlite.layer(options)), Context.get(EventStore.EventStore))

export const events = Event.set({ Written: { writer: Schema.String, fiber: Schema.Int, n: Schema.Int } })

/** The ids of a fiber's n-th append: two events of its own stream and one of a stream that all share. */
export const idsOf = (writer: string, fiber: number, n: number): ReadonlyArray<string> =>
  ["own-0", "own-1", "shared"].map((part) => `${writer}/${fiber}/${n}/${part}`)

/** Makes a fiber's n-th append, which is the same however often it is made. */
export const write = (store: EventStore.EventStore, writer: string, fiber: number, n: number) => {
  const event = { _tag: "Written", writer, fiber, n } as const
  const [first, second, shared] = idsOf(writer, fiber, n) as [string, string, string]
  return store.append(events, [
    { stream: `own-${writer}-${fiber}`, expected: 2 * n, events: [event, event], ids: [first, second] },
    { stream: "shared", events: [event], ids: [shared] }
  ])
}

/** A process that has been started and waits for `tell`. */
export interface Process {
  readonly tell: (line: string) => void
  readonly kill: () => void
  /** Every line it said so far, parsed. */
  readonly said: ReadonlyArray<unknown>
  /** Waits for the next line that nobody has waited for. */
  readonly hear: Effect.Effect<unknown>
  /** Waits for its end and for all it said; its exit code, or the signal that killed it. */
  readonly ended: Effect.Effect<number | string>
}

/** Starts a process and waits until it is ready to be told to begin. It is killed when the scope closes. */
export const start = (job: Job): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(() => run(job)), ({ ended, kill }) => {
    kill()
    return ended
  }).pipe(Effect.tap(({ hear }) => hear))

const run = (job: Job): Process => {
  const child = spawn(process.execPath, [
    join(import.meta.dirname, "processes.child.ts"),
    JSON.stringify(job)
  ], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const ended = new Promise<number | string>((resolve) => {
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"))
  })
  const said: Array<unknown> = []
  let heard = 0
  let listening: (() => void) | undefined
  createInterface({ input: child.stdout }).on("line", (line) => {
    // The last line of a process that was killed may be cut short.
    try {
      said.push(JSON.parse(line))
    } catch {
      return
    }
    listening?.()
  })
  return {
    tell: (line) => void child.stdin.write(`${line}\n`),
    kill: () => void child.kill("SIGKILL"),
    said,
    hear: Effect.raceFirst(
      Effect.callback<unknown>((resume) => {
        listening = () => {
          if (said.length <= heard) return
          listening = undefined
          resume(Effect.succeed(said[heard++]))
        }
        listening()
      }),
      Effect.flatMap(Effect.promise(() => ended), (how) => Effect.die(new Error(`the process ended: ${how}`)))
    ),
    ended: Effect.promise(() => ended)
  }
}
