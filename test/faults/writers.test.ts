import { Effect } from "effect"
import { join } from "node:path"
import { testsOn } from "../services/bun.ts"
import { postgres } from "../services/mod.ts"
import { execute } from "../services/Postgres.ts"
import { openStore } from "./postgres.ts"
import { seen } from "./writers.ts"
import { times } from "./writes.ts"

const test = testsOn("postgres, writers", postgres)

test(
  "3 subscribers see every event of 16 writers in each of 4 processes once and in order, whatever is delayed or rolled back",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const { url } = yield* postgres.database
      yield* execute(url, "create table elsewhere (note text)")
      yield* seen(openStore(url), { child: join(import.meta.dirname, "writers.child.ts"), url, writers: 16 })
    }))),
  times(60_000, 1_200_000)
)
