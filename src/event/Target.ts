// What can be waited for: a place in the log, or what was appended. Not public, but for its type.

/** A position in the log, or what has one: a receipt, an event; or the list of receipts that an append gives. */
export type Target = number | Positioned | ReadonlyArray<Positioned>

/** What has a position in the log, such as a receipt or an event. */
export interface Positioned {
  readonly position: number
}

/** The position by which all of it is in the log. */
export const positionOf = (appended: Target): number =>
  typeof appended === "number"
    ? appended
    : "position" in appended
    ? appended.position
    : appended.reduce((last, { position }) => Math.max(last, position), 0)
