import { afterAll, beforeAll, test } from "bun:test"
import { Effect } from "effect"
import { type Service, skipped } from "./mod.ts"

/** `test` of `bun:test` for tests that need a service: they are skipped, with a printed count, if it is not there. */
export const testsOn = (
  what: string,
  service: Service
): (name: string, body: () => Promise<unknown>, timeout?: number) => void => {
  if (skipped(what, 0, service) === undefined) {
    // a server may take longer to start than a test may take
    beforeAll(() => Effect.runPromise(service.url), 60_000)
    return (name, body, timeout) => test(name, body, timeout)
  }
  let count = 0
  afterAll(() => console.log(skipped(what, count, service)))
  return (name, body) => {
    count++
    test.skip(name, body)
  }
}
