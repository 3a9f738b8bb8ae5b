/**
 * Reads a long log in a process of its own, and prints the resident memory after each tenth, in bytes:
 * `bun longLog.ts <file> <events> <log | projection>`. The first call writes the log.
 */
import { Event, EventStore, Projection } from "dunnock"
import * as Sqlite from "dunnock/sqlite"
import { Effect, Schema, Stream } from "effect"

const [filename = "", count = "0", how = "log"] = process.argv.slice(2)
const total = Number(count)
const events = Event.set({ Noted: { text: Schema.String } })
const text = "x".repeat(250)
const together = 1000

const sizes = new Array<number>()
let seen = 0
const see = () => {
  if (++seen % (total / 10) === 0) sizes.push(process.memoryUsage.rss())
}

const write = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  for (let at = yield* store.head; at < total; at += together) {
    const noted = Array.from({ length: together }, () => ({ _tag: "Noted" as const, text }))
    yield* store.append(events, [{ stream: `notes-${(at / together) % 100}`, events: noted }])
  }
})

const Notes = Projection.make("Notes", {
  version: 1,
  events,
  document: Schema.Struct({ notes: Schema.Int }),
  id: ({ stream }) => stream,
  evolve: {
    Noted: (document = { notes: 0 }) => {
      see()
      return { notes: document.notes + 1 }
    }
  }
})

const read = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  if (how === "log") return yield* Stream.runForEach(store.log(events), () => Effect.sync(see))
  return yield* Effect.provide(Notes.status, Notes.layer)
})

await Effect.runPromise(
  Effect.provide(Effect.andThen(write, read), Sqlite.layer({ filename, synchronous: "NORMAL" }))
)
console.log(JSON.stringify(sizes))
