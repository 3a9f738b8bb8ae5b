import { Effect, Exit, Scope } from "effect"
import { afterAll } from "bun:test"
import { postgres } from "../../services/mod.ts"

/** One database for all tests of a file: to create one takes longer than most of them. */
const scope = Effect.runSync(Scope.make())
const database = Effect.runSync(Effect.cached(Scope.provide(postgres.database, scope)))
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

let places = 0

/** A fresh place in it: a schema of its own. */
export const onPostgres: Effect.Effect<{ readonly url: string; readonly schema: string }> = Effect.map(
  database,
  ({ url }) => ({ url, schema: `Place ${++places}` })
)
