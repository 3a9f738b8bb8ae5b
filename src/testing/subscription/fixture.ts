// What the cases of the subscription's contract share. Not public.
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Event from "../../event/Event.ts"
import { EventStore } from "../../event/EventStore.ts"
import { EventStoreError, Unavailable } from "../../event/EventStoreError.ts"
import { DocumentStore } from "../../repository/DocumentStore.ts"
import { DocumentStoreError } from "../../repository/DocumentStoreError.ts"
import * as Subscription from "../../subscription/Subscription.ts"
import { Broken, type Case } from "../Contract.ts"
import { type Open, type Services, withStores } from "../documentStore/fixture.ts"

export { type Open, type Services, withStores } from "../documentStore/fixture.ts"

/** An event with a number; and another type, which the subscription does not handle. */
export const counted: Event.Set<{ readonly _tag: "Counted"; readonly n: number }> = Event.set({
  Counted: Event.make({ n: Schema.Number }).pipe(Event.tagged(({ n }) => n % 2 === 0 ? ["even"] : []))
})
const others = Event.set({ Other: {} })

export type Counted = Event.Recorded<{ readonly _tag: "Counted"; readonly n: number }>

/** The cases of a topic: each gets empty stores. */
export const topic = (
  topic: string,
  cases: { readonly [name: string]: (open: Open) => Effect.Effect<void, unknown, Scope.Scope> }
): ReadonlyArray<Case<Services>> =>
  Object.entries(cases).map(([name, body]) => ({
    topic: `subscriptions, ${topic}`,
    name,
    needs: undefined,
    // What goes wrong on purpose is logged, and concerns nobody.
    run: (layer) => Effect.provideService(withStores(layer, body), References.MinimumLogLevel, "None")
  }))

/** Appends numbered events, from … to, to a stream; gives the last receipt. */
export const append = ({ events }: Open, stream: string, from: number, to = from) =>
  Effect.map(
    events.append(counted, [{
      stream,
      events: Array.from({ length: to - from + 1 }, (_, i) => ({ _tag: "Counted", n: from + i }) as const)
    }]),
    ([receipt]) => receipt!
  )

export const appendOther = ({ events }: Open, stream: string) =>
  Effect.map(
    events.append(others, [{ stream, events: [{ _tag: "Other" }] }]),
    ([receipt]) => receipt!
  )

/** Appends an event that the subscription cannot decode. */
export const appendBad = ({ events }: Open, stream: string) =>
  Effect.map(
    events.commit({
      condition: undefined,
      streams: [{
        stream,
        expected: "any",
        events: [{
          id: undefined,
          type: "Counted",
          version: 1,
          data: '{"n":"none"}',
          tags: [],
          metadata: "{}"
        }]
      }]
    }),
    ({ receipts }) => receipts[0]!
  )

/** A process of its own: it shares nothing with others but what is stored. */
export interface Process extends Open {
  /** Runs a layer over the stores of the process until it ends. */
  readonly run: <E>(layer: Layer.Layer<never, E, Services>) => Effect.Effect<void, E>
  /** What is asked of a subscription by this process. */
  readonly ask: <A, E>(effect: Effect.Effect<A, E, Services>) => Effect.Effect<A, E>
  /** Ends it as a program ends that is told to. */
  readonly close: Effect.Effect<void>
  /** Ends it as a crash does: nothing that it does from now on reaches the store. */
  readonly kill: Effect.Effect<void>
  /** Nothing that it does reaches the store while this is true. */
  readonly cut: (isCut: boolean) => void
}

/** A process over stores that are open. */
export const member = (open: Open): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.gen(function* () {
    let isCut = false
    const reason = new Unavailable({ store: "the process", problem: "was cut off" })
    const unlessCut = <A>(self: Effect.Effect<A, DocumentStoreError>): Effect.Effect<A, DocumentStoreError> =>
      Effect.suspend(() => isCut ? Effect.fail(new DocumentStoreError({ reason })) : self)
    const { documents } = open
    const { driver } = open.events
    const own: Open = {
      documents: {
        ...documents,
        commit: (writes) => unlessCut(documents.commit(writes)),
        get: (collection, ids) => unlessCut(documents.get(collection, ids)),
        find: (collection, selection) => unlessCut(documents.find(collection, selection))
      },
      events: {
        ...open.events,
        driver: {
          ...driver,
          readLog: (options) =>
            Effect.suspend(() =>
              isCut ? Effect.fail(new EventStoreError({ reason })) : driver.readLog(options)
            )
        }
      }
    }
    const services = Layer.merge(
      Layer.succeed(EventStore, own.events),
      Layer.succeed(DocumentStore, own.documents)
    )
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    return {
      ...own,
      run: (layer) => Effect.asVoid(Scope.provide(Layer.build(layer.pipe(Layer.provide(services))), scope)),
      ask: Effect.provide(services),
      close: Effect.suspend(() => Scope.close(scope, Exit.void)),
      kill: Effect.suspend(() => {
        isCut = true
        return Scope.close(scope, Exit.void)
      }),
      cut: (is) => {
        isCut = is
      }
    }
  })

/** Short, so that a dead process is missed soon. */
export const lease = "300 millis"

/** Runs a subscription that notes what it is given. */
export const noting = <E>(
  where: Process,
  subscription: Subscription.Subscription<string, { readonly _tag: "Counted"; readonly n: number }>,
  options: Subscription.LayerOptions & { readonly batch?: never } = {},
  handler: (event: Counted, context: Subscription.Context) => Effect.Effect<unknown, E> = () => Effect.void
): Effect.Effect<Array<Counted>, Subscription.StartError> => {
  const seen: Array<Counted> = []
  return Effect.as(
    where.run(
      subscription.toLayer((event, context) =>
        Effect.suspend(() => {
          seen.push(event)
          return handler(event, context)
        }), { lease, ...options })
    ),
    seen
  )
}

export const make = (
  name: string,
  options: Omit<Subscription.Options<never>, "events"> = {}
): Subscription.Subscription<string, { readonly _tag: "Counted"; readonly n: number }> =>
  Subscription.make(name, { events: counted, ...options })

export const numbers = (events: ReadonlyArray<Counted>): ReadonlyArray<number> =>
  events.map(({ data }) => data.n)

/** The numbers of each stream, in the order they were handled. */
export const byStream = (events: ReadonlyArray<Counted>): Record<string, ReadonlyArray<number>> => {
  const streams: Record<string, Array<number>> = {}
  for (const { data, stream } of events) (streams[stream] ??= []).push(data.n)
  return streams
}

export const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** Waits until something holds; fails after ten seconds. */
export const eventually = <E, R>(
  what: string,
  holds: Effect.Effect<boolean, E, R>
): Effect.Effect<void, E | Broken, R> =>
  Effect.gen(function* () {
    for (let i = 0; i < 1_000; i++) {
      if (yield* holds) return
      yield* Effect.sleep("10 millis")
    }
    return yield* Effect.fail(new Broken({ message: `it never was so: ${what}` }))
  })

export const never = Schedule.recurs(0)
