/** The contract of the event store on PostgreSQL, as a worker: asked with a database's URL, it answers with the outcomes. */
import * as Postgres from "dunnock/postgres"
import { EventStoreContract } from "dunnock/testing"
import * as Effect from "effect/Effect"
import { outcomes } from "./outcomes.ts"

// Each case has a schema of its own in the one database that there is.
const all = (url: string) =>
  outcomes(
    "postgres",
    EventStoreContract.cases,
    Postgres.guarantees,
    (n) => Postgres.layer({ url, schema: `case_${n}` })
  )

export default {
  fetch: async (request: Request): Promise<Response> =>
    Response.json(await Effect.runPromise(all(await request.text())))
}
