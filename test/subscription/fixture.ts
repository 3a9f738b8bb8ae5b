import { Event, EventStore, Subscription } from "dunnock"
import * as Memory from "dunnock/memory"
import { Effect, References, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { DocumentStore } from "../../src/repository/DocumentStore.ts"

export const events = Event.set({ Counted: { n: Schema.Int } })

export const subscription = (name: string, options: Partial<Subscription.Options<never>> = {}) =>
  Subscription.make(name, { ...options, events })

/** Appends events counted from … to. */
export const append = (stream: string, from: number, to = from) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append(events, [{
      stream,
      events: Array.from({ length: to - from + 1 }, (_, i) => ({ _tag: "Counted", n: from + i }) as const)
    }]))

/** Runs a test over empty stores in memory, in a time that only goes on when it is told to. */
export const run =
  <A, E>(effect: Effect.Effect<A, E, EventStore.EventStore | DocumentStore | Scope.Scope>) => () =>
    Effect.runPromise(
      Effect.scoped(effect).pipe(
        Effect.provide(Memory.layer),
        Effect.provide(TestClock.layer()),
        Effect.provideService(References.MinimumLogLevel, "None")
      )
    )

/** Lets time pass in small steps, so that whatever waits in between gets its turn. */
export const pass = (millis: number) =>
  Effect.forEach(Array.from({ length: Math.ceil(millis / 50) }), () => TestClock.adjust("50 millis"), {
    discard: true
  })

/** The same stores, with what is done to documents counted or changed. */
export const spying = (f: (documents: DocumentStore) => Partial<DocumentStore>) =>
  Effect.map(DocumentStore, (documents) => ({ ...documents, ...f(documents) }))
