import { Effect } from "effect"
import { testsOn } from "../services/bun.ts"
import { mysql, postgres } from "../services/mod.ts"
import { places } from "./places.ts"
import * as Raw from "./Raw.ts"
import { seen } from "./writers.ts"
import { times } from "./writes.ts"

const services = { postgres, mysql }

for (const [adapter, count] of [["postgres", 16], ["mysql", 8]] as const) {
  testsOn(`${adapter}, writers`, services[adapter])(
    `${adapter}: 3 subscribers see every event of ${count} writers in each of 4 processes once and in order, whatever is delayed or rolled back`,
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const place = yield* places[adapter]
        yield* (yield* Raw.open(place)).run("create table elsewhere (note text)")
        yield* seen(place, count)
      }))),
    times(60_000, 1_200_000)
  )
}
