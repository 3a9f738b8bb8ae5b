// The states of the aggregates that were lately used. Not public.

export interface Cache<A> {
  readonly has: (key: string) => boolean
  readonly get: (key: string) => A | undefined
  readonly set: (key: string, entry: A) => void
}

/**
 * A map of about `capacity` entries at most, in two halves: what is used goes to the young half, and when that is full
 * the old half is dropped and the young one grows old.
 */
export const make = <A>(capacity: number): Cache<A> => {
  const half = Math.ceil(capacity / 2)
  let young = new Map<string, A>()
  let old = new Map<string, A>()
  const set = (key: string, entry: A): void => {
    if (half === 0) return
    if (young.size >= half && !young.has(key)) {
      old = young
      young = new Map()
    }
    young.set(key, entry)
  }
  return {
    set,
    has: (key: string): boolean => young.has(key) || old.has(key),
    get: (key: string): A | undefined => {
      const entry = young.get(key)
      if (entry !== undefined) return entry
      const older = old.get(key)
      if (older !== undefined) set(key, older)
      return older
    }
  }
}
