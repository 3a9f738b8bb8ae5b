// What the cases of the event store's contract share. Not public.
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Event from "../../event/Event.ts"
import * as EventStore from "../../event/EventStore.ts"
import type { Case } from "../Contract.ts"

export { refused } from "../Contract.ts"

type Store = EventStore.EventStore

export const events: Event.Set<
  | { readonly _tag: "Opened"; readonly name: string }
  | { readonly _tag: "Counted"; readonly n: number }
  | { readonly _tag: "Labelled"; readonly labels: ReadonlyArray<string> }
> = Event.set({
  Opened: { name: Schema.String },
  Counted: { n: Schema.Number },
  Labelled: Event.make({ labels: Schema.Array(Schema.String) }).pipe(Event.tagged(({ labels }) => labels))
})

export const opened = (name: string) => ({ _tag: "Opened", name }) as const
export const counted = (n: number) => ({ _tag: "Counted", n }) as const
export const labelled = (...labels: ReadonlyArray<string>) => ({ _tag: "Labelled", labels }) as const
/** Events counted from … to, both included. */
export const count = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => counted(from + i))

/** The cases of a topic: each gets an empty store. */
export const topic = (
  topic: string,
  cases: { readonly [name: string]: (store: Store) => Effect.Effect<void, unknown, Scope.Scope> }
): ReadonlyArray<Case<Store>> =>
  Object.entries(cases).map(([name, body]) => ({
    topic,
    name,
    needs: undefined,
    run: (layer) => withStore(layer, body)
  }))

/** Opens the store, uses it, closes it. */
export const withStore = <A>(
  layer: Layer.Layer<Store, unknown>,
  body: (store: Store) => Effect.Effect<A, unknown, Scope.Scope>
): Effect.Effect<A, unknown> =>
  EventStore.EventStore.pipe(Effect.flatMap(body), Effect.scoped, Effect.provide(layer, { local: true }))

export const append = (
  store: Store,
  stream: string,
  values: ReadonlyArray<typeof events extends Event.Set<infer E> ? E : never>,
  options: { readonly expected?: EventStore.Expected; readonly ids?: ReadonlyArray<string> } = {}
) => Effect.map(store.append(events, [{ stream, events: values, ...options }]), ([receipt]) => receipt!)

export const read = (store: Store, stream: string, options?: EventStore.ReadOptions) =>
  Stream.runCollect(store.read(events, stream, options))

export const log = (store: Store, options?: Parameters<Store["log"]>[1]) =>
  Stream.runCollect(store.log(events, options))

/** The values that were counted, in the order they were read. */
export const numbers = (recorded: ReadonlyArray<Event.Recorded<unknown>>): ReadonlyArray<number> =>
  recorded.map(({ data }) => (data as { readonly n: number }).n)
