import { afterAll } from "bun:test"
import { Effect, Exit, Scope } from "effect"
import { type Database, postgres } from "../../services/mod.ts"

/** Where the tests of a file have their stores. */
export interface Places {
  /** A database for all of them: to create one takes longer than most tests. */
  readonly database: Effect.Effect<Database>
  /** A fresh place in it: a schema of its own. */
  readonly fresh: Effect.Effect<{ readonly url: string; readonly schema: string }>
}

/** Called once in a file; what it makes is gone after its tests. */
export const places = (): Places => {
  const scope = Effect.runSync(Scope.make())
  const database = Effect.runSync(Effect.cached(Scope.provide(postgres.database, scope)))
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  let count = 0
  return { database, fresh: Effect.map(database, ({ url }) => ({ url, schema: `Place ${++count}` })) }
}
