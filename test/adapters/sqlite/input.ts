/** What the tests of files that are not as they should be share. */
import { expect } from "bun:test"
import type { EventStore, EventStoreError } from "dunnock"
import type * as Sqlite from "dunnock/sqlite"
import { Effect, type Scope, Stream } from "effect"
import { DatabaseSync } from "node:sqlite"
import { file } from "../../contract/scratch.ts"
import { events, idsOf, write } from "../../faults/writes.ts"
import { openStore } from "./processes.ts"

export const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => () =>
  Effect.runPromise(Effect.scoped(effect))

export const logged = (store: EventStore.EventStore) =>
  Effect.map(Stream.runCollect(store.log(events)), (all) => all.map(({ id }) => id))

/** What a file holds, whoever made it. */
export const rows = (filename: string, sql: string): ReadonlyArray<unknown> => {
  const database = new DatabaseSync(filename)
  try {
    return database.prepare(sql).all().map((row) => Object.values(row))
  } finally {
    database.close()
  }
}

export const change = (filename: string, sql: string): void => {
  const database = new DatabaseSync(filename)
  try {
    database.exec(sql)
  } finally {
    database.close()
  }
}

/** Why a store cannot be opened: the reason, whose message names the file. */
export const refusal = (options: Sqlite.Options) =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(openStore({ busyTimeout: "100 millis", ...options }))
    expect(error._tag).toBe("EventStoreError")
    expect(error.message).toContain(`sqlite ${options.filename}`)
    return error.reason
  })

/** A file with the two appends of a writer, closed. */
export const written = Effect.gen(function* () {
  const filename = yield* file
  yield* Effect.scoped(Effect.gen(function* () {
    const store = yield* openStore({ filename })
    yield* write(store, "w", 0, 0)
    yield* write(store, "w", 0, 1)
  }))
  return filename
})

export const ids = [...idsOf("w", 0, 0), ...idsOf("w", 0, 1)]

/** The store works, and has all that was written. */
export const works = (filename: string) =>
  Effect.scoped(Effect.gen(function* () {
    const store = yield* openStore({ filename })
    expect(yield* logged(store)).toEqual(ids)
    yield* write(store, "w", 0, 2)
    expect((yield* logged(store)).length).toBe(9)
  }))

export const cannotOpen = (reason: EventStoreError.Reason, ...problem: ReadonlyArray<string>) => {
  expect(reason._tag).toBe("CannotOpen")
  for (const part of problem) expect(reason.message).toContain(part)
}
