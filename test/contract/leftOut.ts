import type { Contract } from "dunnock/testing"

/** What is said of the cases that an adapter's guarantees leave out: a line each reason, with their count and names. */
export const leftOut = (
  adapter: string,
  left: ReadonlyArray<Pick<Contract.Case<never>, "name" | "needs">>
): ReadonlyArray<string> =>
  [...Map.groupBy(left, ({ needs }) => needs)].map(([needs, cases]) =>
    `${adapter}: ${cases.length} left out, as it does not declare to be ${needs}: ${
      cases.map(({ name }) => `"${name}"`).join(", ")
    }`
  )
