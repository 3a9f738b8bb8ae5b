import type { Outcome } from "./Child.ts"
import { type Case, quantile, type Sample } from "./Workload.ts"

/** What the repetitions of one contender say together. */
export interface Result {
  readonly contender: string
  readonly value: number
  readonly p99: number | undefined
  readonly cpu: number | undefined
  /** The value divided by that of raw in the same repetition: the median, the least and the most. */
  readonly ratio: number
  readonly min: number
  readonly max: number
  readonly notes: ReadonlyArray<string>
}

/** A contender that failed has no result. */
export interface Failure {
  readonly contender: string
  readonly error: string
}

/** The outcomes of one contender, one for each repetition. */
export type Outcomes = ReadonlyArray<Outcome>

const isSample = (outcome: Outcome): outcome is Sample => !("error" in outcome)

const medianOf = (
  samples: ReadonlyArray<Sample>,
  key: "value" | "p99" | "cpu"
): number | undefined => {
  const values = samples.map((sample) => sample[key]).filter((value) => value !== undefined)
  return values.length === 0 ? undefined : quantile(values, 0.5)
}

/** Sums up the repetitions of a contender; one that failed once has failed. */
export const summarise = (
  contender: string,
  outcomes: Outcomes,
  raw: Outcomes
): Result | Failure => {
  const failed = outcomes.find((outcome) => "error" in outcome)
  if (failed !== undefined) return { contender, error: failed.error }
  const samples = outcomes.filter(isSample)
  const ratios = raw.filter(isSample).flatMap((base, repetition) => {
    const sample = samples[repetition]
    return sample === undefined ? [] : [sample.value / base.value]
  })
  if (ratios.length === 0) return { contender, error: "raw failed" }
  return {
    contender,
    value: medianOf(samples, "value") ?? Number.NaN,
    p99: medianOf(samples, "p99"),
    cpu: medianOf(samples, "cpu"),
    ratio: quantile(ratios, 0.5),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
    notes: samples.flatMap(({ note }) => note ?? [])
  }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

/** One line of JSON for one contender. */
export const json = (
  workload: string,
  { name, unit }: Case,
  result: Result | Failure
): string => {
  const subject = { workload, case: name, contender: result.contender }
  if ("error" in result) {
    return JSON.stringify({ ...subject, error: result.error })
  }
  return JSON.stringify({
    ...subject,
    [unit]: round(result.value, unit === "ms" ? 2 : 0),
    ...(result.p99 === undefined ? {} : { p99: round(result.p99, 2) }),
    ratio: round(result.ratio, 3),
    min: round(result.min, 3),
    max: round(result.max, 3),
    ...(result.notes.length === 0 ? {} : { notes: result.notes })
  })
}

/** Says that a case is left out, and why. */
export const leftOut = (workload: string, { name }: Case, reason: string): string =>
  `${workload}: ${name}\n  left out: ${reason}\n`

/** The same as a line of JSON. */
export const jsonLeftOut = (workload: string, { name }: Case, reason: string): string =>
  JSON.stringify({ workload, case: name, leftOut: reason })

const number = (value: number | undefined, digits: number): string =>
  value === undefined ? "" : value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits
  })

const headings: Record<Case["unit"], readonly [string, string]> = {
  opsPerSec: ["per second", "cpu us"],
  ms: ["ms (p50)", "ms (p99)"],
  bytes: ["bytes", ""]
}

const cells = ({ unit }: Case, result: Result): ReadonlyArray<string> => [
  number(result.value, unit === "ms" ? 2 : 0),
  number(result.ratio, 3),
  `${number(result.min, 3)} - ${number(result.max, 3)}`,
  unit === "ms" ? number(result.p99, 2) : number(result.cpu, 2)
]

const widest = (texts: ReadonlyArray<string>): number => Math.max(...texts.map((text) => text.length))

/** A plain table of one case. */
export const table = (
  workload: string,
  subject: Case,
  results: ReadonlyArray<Result | Failure>
): string => {
  const [value, last] = headings[subject.unit]
  const heading = [value, "ratio", "min - max", last]
  const numbers = [
    heading,
    ...results.flatMap((
      result
    ) => ("error" in result ? [] : [cells(subject, result)]))
  ]
  const widths = heading.map((_, column) => widest(numbers.map((row) => row[column] ?? "")))
  const name = widest([
    "contender",
    ...results.map(({ contender }) => contender)
  ])
  const line = (contender: string, row: ReadonlyArray<string>) =>
    `  ${
      [
        contender.padEnd(name),
        ...row.map((cell, column) => cell.padStart(widths[column] ?? 0))
      ].join("  ")
    }`.trimEnd()
  return [
    `${workload}: ${subject.name}`,
    line("contender", heading),
    ...results.map((result) =>
      "error" in result
        ? `  ${result.contender.padEnd(name)}  failed: ${result.error}`
        : line(result.contender, cells(subject, result))
    ),
    ...results.flatMap((result) =>
      "error" in result ? [] : result.notes.map((note) => `  ${result.contender}: ${note}`)
    ),
    ""
  ].join("\n")
}
