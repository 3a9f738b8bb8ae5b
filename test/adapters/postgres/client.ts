import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted, type Scope } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { SqlError } from "effect/sql/SqlError"

/** A client of somebody else's, who works in this schema. */
export const client = (
  { schema, url }: { readonly url: string; readonly schema?: string }
): Effect.Effect<PgClient.PgClient, SqlError, Scope.Scope> =>
  Effect.provideServiceEffect(
    PgClient.make({
      url: Redacted.make(url),
      startupParameters: schema === undefined ? {} : { search_path: JSON.stringify(schema) },
      maxConnections: 3
    }),
    Reactivity.Reactivity,
    Reactivity.make
  )
