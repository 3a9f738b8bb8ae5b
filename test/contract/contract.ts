/**
 * Runs contracts against an adapter, as tests of `bun:test`. A test file of an adapter is one call:
 *
 *     contracts("memory", Memory.guarantees, Effect.succeed(Memory.layer))
 */
import { beforeAll, describe, test } from "bun:test"
import type { Guarantees } from "../../src/event/EventStoreDriver.ts"
import type { DocumentStore, EventStore } from "dunnock"
import { Contract, DocumentStoreContract, EventStoreContract, SubscriptionContract } from "dunnock/testing"
import { Effect, type Layer, type Scope } from "effect"
import { type Service, skipped } from "../services/mod.ts"
import { leftOut } from "./leftOut.ts"

/** The promise of the event store that a topic shows, where it is one of the numbered eight. */
const promises: Readonly<Record<string, string>> = {
  atomic: "promise 1: atomic",
  conditional: "promise 2: conditional",
  idempotent: "promise 3: idempotent",
  ordered: "promise 4: ordered and gap-safe",
  durable: "promise 5: durable",
  subscription: "promise 6: subscriptions",
  undecodable: "promise 7: undecodable or unknown events",
  evolution: "promise 8: evolution"
}

/**
 * Registers the cases that an adapter's guarantees call for, a `describe` each topic, and prints those they leave out.
 * `place` gives the layer of a fresh place, which is gone when its scope closes. If it needs a service that is not there,
 * the cases are skipped.
 */
export const contract = <S>(
  adapter: string,
  cases: ReadonlyArray<Contract.Case<S>>,
  guarantees: Guarantees,
  place: Effect.Effect<Layer.Layer<S, unknown>, unknown, Scope.Scope>,
  service?: Service
): void => {
  const { left, run } = Contract.select(cases, guarantees)
  const missing = service && skipped(adapter, run.length, service)
  if (missing !== undefined) console.log(missing)
  // a server may take longer to start than a test may take
  else if (service !== undefined) beforeAll(() => Effect.runPromise(service.url), 60_000)
  for (const line of leftOut(adapter, left)) console.log(line)
  for (const [topic, ofTopic] of Map.groupBy(run, ({ topic }) => topic)) {
    describe(`${adapter}, ${promises[topic] ?? topic}`, () => {
      for (const { name, run } of ofTopic) {
        test.skipIf(missing !== undefined)(
          name,
          () => Effect.runPromise(Effect.scoped(Effect.flatMap(place, run)))
        )
      }
    })
  }
}

/** The same with every contract of an adapter that has events and documents. */
export const contracts = (
  adapter: string,
  guarantees: Guarantees,
  place: Effect.Effect<
    Layer.Layer<EventStore.EventStore | DocumentStore.DocumentStore, unknown>,
    unknown,
    Scope.Scope
  >,
  service?: Service
): void => {
  contract<EventStore.EventStore | DocumentStore.DocumentStore>(
    adapter,
    [
      ...EventStoreContract.cases as ReadonlyArray<Contract.Case<any>>,
      ...DocumentStoreContract.cases,
      ...SubscriptionContract.cases
    ],
    guarantees,
    place,
    service
  )
}
