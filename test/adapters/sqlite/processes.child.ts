/** A process that works on a SQLite event store for a test: it says a line of JSON for each thing it has done. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { DatabaseSync } from "node:sqlite"
import { child, type Parent } from "../../faults/Process.ts"
import { write } from "../../faults/writes.ts"
import { type Job, openStore } from "./processes.ts"

/** Appends, from several fibers, each its next when the one before has been acknowledged. */
const append = (
  { appends, fibers, filename, name, synchronous }: Extract<Job, { kind: "append" }>,
  { say }: Parent
) =>
  Effect.gen(function* () {
    const store = yield* openStore({ filename, synchronous, busyTimeout: "20 seconds" })
    const fiber = (f: number) =>
      Effect.gen(function* () {
        for (let n = 0; n < appends; n++) yield* say([f, n, yield* write(store, name, f, n)])
      })
    yield* Effect.forEach(Array.from({ length: fibers }, (_, f) => f), fiber, { concurrency: "unbounded" })
  })

/** An event without an id, so that it goes the way of a single insert. */
const created = (by: string) => ({
  id: undefined,
  type: "Created",
  version: 1,
  data: JSON.stringify({ by }),
  metadata: "{}",
  tags: []
})

/** Creates each of the streams, if nobody else has. */
const create = (
  { filename, name, stride, streams }: Extract<Job, { kind: "create" }>,
  { line, say }: Parent
) =>
  Effect.gen(function* () {
    const store = yield* openStore({ filename, synchronous: "NORMAL" })
    yield* say("open")
    yield* line
    const one = (i: number) =>
      Effect.result(
        store.commit({
          streams: [{
            stream: `s-${i}`,
            expected: "none",
            events: [created(name)]
          }],
          condition: undefined
        })
      )
    const outcomes: Array<string> = []
    yield* Effect.forEach(
      Array.from({ length: streams }, (_, i) => (i * stride) % streams),
      (i) =>
        Effect.map(one(i), (result) => {
          outcomes[i] = Result.isSuccess(result) ? "created" : result.failure.reason._tag
        }),
      { concurrency: 2, discard: true }
    )
    yield* say(outcomes)
  })

/** Appends one event at a time, each expected right after the one before. */
const single = ({ appends, filename, name }: Extract<Job, { kind: "single" }>) =>
  Effect.gen(function* () {
    const store = yield* openStore({ filename, synchronous: "NORMAL", busyTimeout: "20 seconds" })
    for (let n = 0; n < appends; n++) {
      const streams = [{ stream: name, expected: n, events: [created(name)] }]
      yield* store.commit({ streams, condition: undefined })
    }
  })

/** Opens each of the files, none of which exists, and writes once. */
const open = ({ filenames, name }: Extract<Job, { kind: "open" }>) =>
  Effect.forEach(
    filenames,
    (filename) => Effect.scoped(Effect.flatMap(openStore({ filename }), (store) => write(store, name, 0, 0))),
    { discard: true }
  )

/** Takes the write lock of a file and writes to it without committing; the lock is kept until the next line. */
const hold = ({ filename }: Extract<Job, { kind: "hold" }>, { line, say }: Parent) =>
  Effect.gen(function* () {
    const database = new DatabaseSync(filename)
    database.exec("begin immediate")
    database.exec(
      "insert into dunnock_events select 1000000, 'held', 1, 'held', 'Held', 1, '{}', '{}', '[]', max(recorded_at) " +
        "from dunnock_events"
    )
    yield* say("held")
    yield* line
    database.exec("rollback")
    database.close()
  })

await child<Job>((job, parent) => {
  switch (job.kind) {
    case "append":
      return append(job, parent)
    case "create":
      return create(job, parent)
    case "single":
      return single(job)
    case "open":
      return open(job)
    case "hold":
      return hold(job, parent)
  }
})
