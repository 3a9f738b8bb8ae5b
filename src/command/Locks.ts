// One command at a time for each id: those of a process need not race for the same revision. Not public.
import * as Effect from "effect/Effect"

export interface Locks {
  /** Runs the effect once those with the same id that came before are done. */
  readonly withLock: <A, E>(id: string, effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

interface Waiter {
  granted: boolean
  readonly resume: () => void
}

export const make = (): Locks => {
  /** Those who wait, for each id that is held. */
  const held = new Map<string, Array<Waiter>>()

  const release = (id: string) => {
    const next = held.get(id)!.shift()
    if (next === undefined) {
      held.delete(id)
    } else {
      next.granted = true
      next.resume()
    }
  }

  const wait = (id: string, waiting: Array<Waiter>): Effect.Effect<void> =>
    Effect.suspend(() => {
      let waiter: Waiter | undefined
      return Effect.onInterrupt(
        // Yields once it is granted: else every waiter would run inside the one before it, until the stack is full.
        Effect.andThen(
          Effect.callback<void>((resume) => {
            waiter = { granted: false, resume: () => resume(Effect.void) }
            waiting.push(waiter)
          }),
          Effect.yieldNow
        ),
        () =>
          Effect.sync(() => {
            if (waiter?.granted) release(id)
            else if (waiter !== undefined) waiting.splice(waiting.indexOf(waiter), 1)
          })
      )
    })

  return {
    withLock: (id, effect) =>
      Effect.uninterruptibleMask((restore) => {
        const locked = Effect.ensuring(restore(effect), Effect.sync(() => release(id)))
        const waiting = held.get(id)
        if (waiting !== undefined) return Effect.andThen(restore(wait(id, waiting)), locked)
        held.set(id, [])
        return locked
      })
  }
}
