/**
 * The time since 1970 in milliseconds with fractions, alike in every process of this machine: where `Date.now()` jumps to
 * its next millisecond, `performance.now()` says by how much the two differ.
 */
const offset = (): number => {
  let latest = -Infinity
  for (let ticks = 0; ticks < 20; ticks++) {
    const before = Date.now()
    while (Date.now() === before);
    latest = Math.max(latest, Date.now() - performance.now())
  }
  return latest
}

const difference = offset()

/** Now. */
export const now = (): number => performance.now() + difference

/** Waits for so many milliseconds. */
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
