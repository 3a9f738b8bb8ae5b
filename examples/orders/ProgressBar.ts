import type { Projection } from "dunnock"
import { Duration, Effect, Stream } from "effect"
import process from "node:process"

const width = 30

/** How far a rebuild has come, again and again in the same line. */
const draw = ({ events, percent, rate, timeLeft }: Projection.Progress) => {
  const done = Math.round(percent / 100 * width)
  const bar = `[${"#".repeat(done)}${".".repeat(width - done)}]`
  const left = timeLeft === undefined ? "" : `, ${Duration.format(timeLeft)} left`
  const line = `  ${bar} ${percent.toFixed(0)} %, ${events} events, ${rate} a second${left}`
  return Effect.sync(() => process.stderr.write(`\r${line.padEnd(90)}`))
}

/** Draws the progress of a rebuild until it is done. */
export const drawProgress = <E, R>(progress: Stream.Stream<Projection.Progress, E, R>) =>
  Effect.andThen(Stream.runForEach(progress, draw), Effect.sync(() => process.stderr.write("\n")))
