import type { Projection } from "dunnock"
import { Duration, Effect } from "effect"
import process from "node:process"

const width = 30

/** Draws how far a rebuild has come: again and again in the same line. */
export const drawProgress = ({ events, percent, rate, timeLeft }: Projection.Progress) => {
  const done = Math.round(percent / 100 * width)
  const bar = `[${"#".repeat(done)}${".".repeat(width - done)}]`
  const left = timeLeft === undefined ? "" : `, ${Duration.format(timeLeft)} left`
  const line = `  ${bar} ${percent.toFixed(0)} %, ${events} events, ${rate} a second${left}`
  return Effect.sync(() => process.stderr.write(`\r${line.padEnd(90)}`))
}
