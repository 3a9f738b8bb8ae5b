import { Effect } from "effect"
import { join } from "node:path"
import { seen } from "../../faults/writers.ts"
import { times } from "../../faults/writes.ts"
import { testsOn } from "../../services/bun.ts"
import { mysql } from "../../services/mod.ts"
import { connect, openStore, query } from "./store.ts"

const test = testsOn("mysql, writers", mysql)

test(
  "3 subscribers see every event of 8 writers in each of 4 processes once and in order, whatever is delayed or rolled back",
  () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const { url } = yield* mysql.database
      yield* query(yield* connect(url), "create table elsewhere (note text)")
      yield* seen(openStore(url), { child: join(import.meta.dirname, "writers.child.ts"), url, writers: 8 })
    }))),
  times(60_000, 1_200_000)
)
