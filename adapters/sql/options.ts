// What is said of a server, looked at before it is asked: a wrong number would make it wait for ever.
import * as Effect from "effect/Effect"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import { cannotOpen } from "./migrations.ts"

/** Fails with `CannotOpen` if a server cannot be reached so. */
export const check = (
  store: string,
  options: { readonly url?: unknown; readonly host?: unknown; readonly maxConnections?: number | undefined }
): Effect.Effect<void, EventStoreError> => {
  const { host, maxConnections = 1, url } = options
  if ("url" in options && url === undefined && host === undefined) {
    return Effect.fail(cannotOpen(store, "the url is undefined: is a variable of the environment not set?"))
  }
  return Number.isSafeInteger(maxConnections) && maxConnections > 0
    ? Effect.void
    : Effect.fail(cannotOpen(store, `maxConnections must be a whole number from 1 on, not ${maxConnections}`))
}
