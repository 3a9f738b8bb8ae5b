/** One measurement, in the unit of its case. */
export interface Sample {
  /** The rate, the median latency or the size. */
  readonly value: number
  /** The 99th percentile of a latency, in milliseconds. */
  readonly p99?: number
  /** Processor time of an operation, in microseconds; hardly depends on what else the machine does. */
  readonly cpu?: number
  /** What else is worth knowing of it, for the reader of the table. */
  readonly note?: string
}

/** A database server that cases run on. */
export type Server = "postgres" | "mysql"

/** How one measurement is made. */
export interface Settings {
  /** Make it short. */
  readonly quick: boolean
  /** A folder for files; those that stay in it are found again by the next repetition. */
  readonly folder: string
  /** The addresses of the servers that were started, or found, for this run. */
  readonly servers: Readonly<Partial<Record<Server, string>>>
}

/** Makes one measurement. */
export type Measure = (settings: Settings) => Promise<Sample>

/** The contenders that do the same work; `raw` is the one that the others are divided by. */
export interface Case {
  readonly name: string
  readonly unit: "opsPerSec" | "ms" | "bytes"
  /** The server that it needs; without it the case is left out. */
  readonly server?: Server
  /** Repetitions of a run that is not quick. */
  readonly repetitions: number
  /** By name, in the order in which they are printed. */
  readonly contenders: Readonly<Record<string, Measure>>
  /** Those that a quick run leaves out. */
  readonly inFullOnly?: ReadonlyArray<string>
}

/** Fails the measurement when a contender did not do the work it was timed for. */
export const check = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Error(`check failed: ${otherwise}`)
}

/**
 * The rate of rounds of work that took `ms` together. `prepare` is not timed; the round it gives is, and says how many
 * operations it did.
 */
export const rate = async (
  ms: number,
  prepare: () => Promise<() => Promise<number>>
): Promise<Sample> => {
  let spent = 0
  let cpu = 0
  let done = 0
  while (spent < ms) {
    const round = await prepare()
    const used = process.cpuUsage()
    const start = performance.now()
    done += await round()
    spent += performance.now() - start
    const { user, system } = process.cpuUsage(used)
    cpu += user + system
  }
  return { value: (done / spent) * 1000, cpu: cpu / done }
}

/** The `share` quantile of `values`. */
export const quantile = (
  values: ReadonlyArray<number>,
  share: number
): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ??
    Number.NaN
