/** Processes that share a SQLite event store: what they are asked to do, and how a test starts and ends them. */
import * as EventStore from "dunnock/EventStore"
import type { EventStoreError } from "dunnock/EventStoreError"
import * as Sqlite from "dunnock/sqlite"
// Deep imports, since dozens of processes start up with them.
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import * as Process from "../../faults/Process.ts"

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

/** Starts a process and waits until it is ready to be told to begin. It is killed when the scope closes. */
export const start = (job: Job): Effect.Effect<Process.Process, never, Scope.Scope> =>
  Process.start(join(import.meta.dirname, "processes.child.ts"), job)
