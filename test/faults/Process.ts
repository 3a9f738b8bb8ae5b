/** Processes of a test that can be killed, paused and listened to. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"

/** A process that has been started and waits for `tell`. */
export interface Process {
  readonly tell: (line: string) => void
  /** Ends it without a word, unless another signal is named. */
  readonly kill: (signal?: NodeJS.Signals) => void
  /** Every line it said so far, parsed. */
  readonly said: ReadonlyArray<unknown>
  /** Waits for the next line that nobody has waited for. */
  readonly hear: Effect.Effect<unknown>
  /** Waits for its end and for all it said; its exit code, or the signal that killed it. */
  readonly ended: Effect.Effect<number | string>
}

/** Starts a script that is a call of `child`, and waits until it is ready to begin. It is killed when the scope closes. */
export const start = (script: string, job: unknown): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(() => run(script, job)), ({ ended, kill }) => {
    kill()
    return ended
  }).pipe(Effect.tap(({ hear }) => hear))

const run = (script: string, job: unknown): Process => {
  const child = spawn(process.execPath, [script, JSON.stringify(job)], { stdio: ["pipe", "pipe", "inherit"] })
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
    kill: (signal = "SIGKILL") => void child.kill(signal),
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

/** What a process has to talk to the test that started it. */
export interface Parent {
  /** Says a value, at once, so that it is said even if the process is killed right after. */
  readonly say: (value: unknown) => Effect.Effect<void>
  /** Waits for the next line that the process is told. */
  readonly line: Effect.Effect<unknown>
}

/**
 * The whole of a script: says `ready`, waits for a line on its standard input, does its job, and ends. It also ends when
 * its input does.
 */
export const child = async <Job>(
  work: (job: Job, parent: Parent) => Effect.Effect<unknown, unknown, Scope.Scope>
): Promise<never> => {
  const input = createInterface({ input: process.stdin })
  input.on("close", () => process.exit())
  const lines = input[Symbol.asyncIterator]()
  const line = Effect.promise(() => lines.next())
  const say = (value: unknown) => Effect.sync(() => void writeSync(1, `${JSON.stringify(value)}\n`))
  await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    yield* say("ready")
    yield* line
    yield* work(JSON.parse(process.argv[2] ?? ""), { line, say })
  })))
  return process.exit()
}
