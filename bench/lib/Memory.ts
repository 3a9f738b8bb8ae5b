/** What reading a long log takes of memory. */
export interface Sampler {
  /** To be called for each event. */
  readonly event: () => void
  /** How many there were. */
  readonly events: () => number
  /** Bytes by which the resident memory of the process grew at most, since the sampler was made. */
  readonly growth: () => number
  /** The resident memory in megabytes at the start and after each tenth of the events. */
  readonly series: () => string
}

const everyEvents = 5000

/** Samples the resident memory of this process while it reads `total` events. */
export const sampler = (total: number): Sampler => {
  const start = process.memoryUsage.rss()
  const tenth = total / 10
  const series = [start]
  let events = 0
  let peak = start
  return {
    event: () => {
      if (++events % everyEvents !== 0) return
      const rss = process.memoryUsage.rss()
      peak = Math.max(peak, rss)
      if (events % tenth === 0) series.push(rss)
    },
    events: () => events,
    growth: () => peak - start,
    series: () =>
      `MB resident at the start and after each ${tenth.toLocaleString("en")} events: ${
        series.map((bytes) => Math.round(bytes / 1e6)).join(" ")
      }`
  }
}

/** A contender of `memory`. */
export interface Reader {
  /** The number of events in the log. */
  readonly count: () => Promise<number>
  /** Writes the log: `each` events to each cart. */
  readonly seed: (carts: ReadonlyArray<string>, each: number) => Promise<void>
  /** Reads all of the log, and tells of each event. */
  readonly read: (event: () => void) => Promise<void>
  readonly close: () => Promise<void>
}
