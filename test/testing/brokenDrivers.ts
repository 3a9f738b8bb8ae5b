// Drivers that break a promise of the event store, each made of one that keeps it.
import type { EventStoreDriver } from "dunnock"
import { Effect, Result } from "effect"

type Driver = EventStoreDriver.EventStoreDriver
type Stored = EventStoreDriver.StoredEvent

/** Changes every event that is read. */
const reading = (change: (event: Stored) => Stored) => (driver: Driver): Driver => ({
  ...driver,
  readStream: (options) => Effect.map(driver.readStream(options), (events) => events.map(change)),
  readLog: (options) =>
    Effect.map(driver.readLog(options), ({ events, upTo }) => ({ events: events.map(change), upTo })),
  find: (id) => Effect.map(driver.find(id), (event) => event && change(event))
})

/** Changes every append. */
const appending =
  (change: (append: EventStoreDriver.Append) => EventStoreDriver.Append) => (driver: Driver): Driver => ({
    ...driver,
    append: (appends) => driver.append(appends.map(change))
  })

const expecting = (change: (expected: EventStoreDriver.Expected) => EventStoreDriver.Expected) =>
  appending((append) => ({
    ...append,
    streams: append.streams.map((write) => ({ ...write, expected: change(write.expected) }))
  }))

type Condition = NonNullable<EventStoreDriver.Append["condition"]>

const condition = (change: (condition: Condition) => Condition | undefined) =>
  appending((append) => ({ ...append, condition: append.condition && change(append.condition) }))

/** Changes the queries for the log, or those of a condition. */
const querying =
  (change: (query: EventStoreDriver.Query) => ReadonlyArray<EventStoreDriver.Query>) =>
  (driver: Driver): Driver => ({
    ...driver,
    readLog: (options) => driver.readLog({ ...options, queries: options.queries.flatMap(change) })
  })

const without = <K extends "tags" | "types" | "streamPrefix">(key: K) =>
(
  { [key]: _, ...query }: EventStoreDriver.Query
) => [query]

const anyTag = ({ tags, ...query }: EventStoreDriver.Query) =>
  tags === undefined ? [query] : tags.map((tag) => ({ ...query, tags: [tag] }))

/** What happens to each outcome of a commit. */
const outcomes =
  (change: (outcomes: ReadonlyArray<EventStoreDriver.Outcome>) => ReadonlyArray<EventStoreDriver.Outcome>) =>
  (
    driver: Driver
  ): Driver => ({
    ...driver,
    groupCommit: true,
    append: (appends) => Effect.map(driver.append(appends), change)
  })

const receipts = (change: (receipt: EventStoreDriver.Receipt) => EventStoreDriver.Receipt) =>
  outcomes((all) =>
    all.map(Result.map(({ receipts, repeated }) => ({ receipts: receipts.map(change), repeated })))
  )

/** By what is wrong with it: the topic of the contract that shows it, and what breaks a driver so. */
export const broken: { readonly [fault: string]: readonly [topic: string, (driver: Driver) => Driver] } = {
  "ignores what is expected": ["conditional", expecting(() => "any")],
  "ignores that a stream must not exist": [
    "conditional",
    expecting((expected) => expected === "none" ? "any" : expected)
  ],
  "ignores that a stream must exist": [
    "conditional",
    expecting((expected) => expected === "exists" ? "any" : expected)
  ],
  "takes an exact revision for any": [
    "conditional",
    expecting((expected) => typeof expected === "number" ? "any" : expected)
  ],
  "takes an exact revision for existence": [
    "conditional",
    expecting((expected) => typeof expected === "number" && expected > 0 ? "exists" : expected)
  ],
  "writes the streams of an append one by one": ["atomic", (driver) => ({
    ...driver,
    append: (appends) =>
      Effect.forEach(appends, ({ condition, streams }) =>
        Effect.map(
          Effect.forEach(streams, (write) => driver.append([{ streams: [write], condition }])),
          (each) =>
            Result.map(Result.all(each.map(([outcome]) => outcome!)), (all) => ({
              receipts: all.flatMap(({ receipts }) => receipts),
              repeated: all.every(({ repeated }) => repeated)
            }))
        ))
  })],
  "gives the receipts of an append in another order": [
    "atomic",
    outcomes((all) =>
      all.map(Result.map(({ receipts, repeated }) => ({ receipts: receipts.toReversed(), repeated })))
    )
  ],
  "mixes up the outcomes of a group": ["atomic", outcomes((all) => all.toReversed())],
  "lets one refused append refuse its group": ["atomic", (driver) => ({
    ...driver,
    groupCommit: true,
    append: (appends) =>
      Effect.map(driver.append(appends), (all) => {
        const refused = all.find(Result.isFailure)
        return refused === undefined ? all : all.map(() => refused)
      })
  })],
  "loses the last append of a group": ["atomic", (driver) => ({
    ...driver,
    groupCommit: true,
    append: (appends) =>
      appends.length === 1
        ? driver.append(appends)
        : Effect.map(driver.append(appends.slice(0, -1)), (all) => [...all, all[all.length - 1]!])
  })],
  "ignores conditions": ["conditional", condition(() => undefined)],
  "ignores where a condition begins": ["conditional", condition((condition) => ({ ...condition, after: 0 }))],
  "begins a condition one too late": [
    "conditional",
    condition(({ after, queries }) => ({ queries, after: after + 1 }))
  ],
  "looks for any tag of a condition in place of all": [
    "conditional",
    condition(({ after, queries }) => ({ after, queries: queries.flatMap(anyTag) }))
  ],
  "looks at the first query of a condition only": [
    "conditional",
    condition(({ after, queries }) => ({ after, queries: queries.slice(0, 1) }))
  ],
  "ignores the types of a condition": [
    "conditional",
    condition(({ after, queries }) => ({ after, queries: queries.flatMap(without("types")) }))
  ],
  "ignores the prefix of a condition": [
    "conditional",
    condition(({ after, queries }) => ({ after, queries: queries.flatMap(without("streamPrefix")) }))
  ],
  "does not see under a condition what the same group writes": ["conditional", (driver) => ({
    ...driver,
    groupCommit: true,
    append: (appends) =>
      Effect.gen(function* () {
        const head = yield* driver.head
        const late = (append: EventStoreDriver.Append) => ({
          ...append,
          condition: append.condition &&
            (yieldsNothing(append.condition, head) ? undefined : append.condition)
        })
        return yield* driver.append(appends.map(late))
      })
  })],
  "loses the ids of events": [
    "idempotent",
    appending((append) => ({
      ...append,
      streams: append.streams.map((write) => ({
        ...write,
        events: write.events.map((event) => ({ ...event, id: undefined }))
      }))
    }))
  ],
  "refuses a repeat": [
    "idempotent",
    (driver) => ({
      ...driver,
      append: (appends) =>
        Effect.gen(function* () {
          const used = yield* driver.find(appends[0]?.streams[0]?.events[0]?.id ?? "-")
          return yield* driver.append(
            used === undefined ? appends : appends.map((append) => ({
              ...append,
              streams: append.streams.map((write) => ({ ...write, expected: used.revision + 1_000 }))
            }))
          )
        })
    })
  ],
  "does not find events by id": [
    "idempotent",
    (driver) => ({ ...driver, find: () => Effect.succeed(undefined) })
  ],
  "gives every event the same id": ["idempotent", reading((event) => ({ ...event, id: "id" }))],
  "repeats positions": [
    "ordered",
    reading((event) => ({ ...event, position: Math.ceil(event.position / 2) }))
  ],
  "numbers revisions from 0": ["ordered", reading((event) => ({ ...event, revision: event.revision - 1 }))],
  "gives the first position of an append in its receipt": [
    "ordered",
    receipts((receipt) => ({ ...receipt, position: receipt.position - 1 }))
  ],
  "gives the revision before in its receipt": [
    "ordered",
    receipts((receipt) => ({ ...receipt, revision: receipt.revision - 1 }))
  ],
  "mixes the events of appends": ["ordered", (driver) => ({
    ...driver,
    append: (appends) =>
      Effect.gen(function* () {
        const all = []
        for (const { condition, streams } of appends) {
          const parts = []
          for (const { events, expected, stream } of streams) {
            for (const event of events) {
              parts.push(
                yield* driver.append([{ streams: [{ stream, expected, events: [event] }], condition }])
              )
              yield* Effect.yieldNow
            }
          }
          all.push(parts[parts.length - 1]![0]!)
        }
        return all
      })
  })],
  "drops the last event of a full page of a stream": ["reading a stream", (driver) => ({
    ...driver,
    readStream: (options) =>
      Effect.map(driver.readStream(options), (events) => events.length < 512 ? events : events.slice(0, -1))
  })],
  "repeats the first event of a page of a stream": ["reading a stream", (driver) => ({
    ...driver,
    readStream: (options) => driver.readStream({ ...options, from: Math.max(options.from - 1, 1) })
  })],
  "reads forwards only": ["reading a stream", (driver) => ({
    ...driver,
    readStream: (options) => driver.readStream({ ...options, direction: "forwards" })
  })],
  "ignores a limit": ["reading a stream", (driver) => ({
    ...driver,
    readStream: (options) => driver.readStream({ ...options, limit: Infinity })
  })],
  "gives the events of other streams as well": ["reading a stream", (driver) => ({
    ...driver,
    readStream: ({ limit }) =>
      Effect.map(driver.readLog({ after: 0, limit, queries: [] }), ({ events }) => events)
  })],
  "lets time fall": [
    "reading a stream",
    reading((event) => ({ ...event, recordedAt: 1e12 - event.position }))
  ],
  "cannot keep a NUL": [
    "reading a stream",
    reading((event) => ({ ...event, data: event.data.replaceAll("\\u0000", "") }))
  ],
  "cannot keep what is not ASCII": [
    "reading a stream",
    reading((event) => ({ ...event, data: event.data.replaceAll(/[^\x20-\x7f]/g, "?") }))
  ],
  "cuts long data": [
    "reading a stream",
    reading((event) => ({
      ...event,
      data: event.data.length > 65_535 ? "{}" : event.data
    }))
  ],
  "loses metadata": ["reading a stream", reading((event) => ({ ...event, metadata: "{}" }))],
  "sorts tags": ["reading a stream", reading((event) => ({ ...event, tags: event.tags.toSorted() }))],
  "drops the last event of a full page of the log": ["reading the log", (driver) => ({
    ...driver,
    readLog: (options) =>
      Effect.map(driver.readLog(options), ({ events, upTo }) => ({
        events: events.length < 512 ? events : events.slice(0, -1),
        upTo
      }))
  })],
  "gives the event at the position to begin after": ["reading the log", (driver) => ({
    ...driver,
    readLog: (options) => driver.readLog({ ...options, after: Math.max(options.after - 1, 0) })
  })],
  "reads the whole log whatever is asked": ["reading the log", (driver) => ({
    ...driver,
    readLog: (options) => driver.readLog({ ...options, queries: [] })
  })],
  "ignores types": ["reading the log", querying(without("types"))],
  "ignores tags": ["reading the log", querying(without("tags"))],
  "ignores the prefix": ["reading the log", querying(without("streamPrefix"))],
  "takes the prefix for a pattern": [
    "reading the log",
    querying(({ streamPrefix, ...query }) => [
      streamPrefix?.startsWith("_") === true
        ? query
        : { ...query, ...(streamPrefix === undefined ? {} : { streamPrefix }) }
    ])
  ],
  "reads any of the tags in place of all": ["reading the log", querying(anyTag)],
  "has a head that stands still": ["reading the log", (driver) => ({ ...driver, head: Effect.succeed(1) })],
  "stops a subscription at the first page": ["subscription", (driver) => ({
    ...driver,
    readLog: (options) =>
      options.after > 0 ? Effect.succeed({ events: [], upTo: options.after }) : driver.readLog(options)
  })],
  "repeats events of a subscription": ["subscription", (driver) => ({
    ...driver,
    readLog: (options) =>
      Effect.map(driver.readLog(options), ({ events, upTo }) => ({
        events,
        upTo: upTo - options.after > 2 ? upTo - 1 : upTo
      }))
  })],
  "skips events of a subscription": ["subscription", (driver) => ({
    ...driver,
    readLog: (options) =>
      Effect.map(
        driver.readLog(options),
        ({ events, upTo }) => ({ events, upTo: upTo > options.after ? upTo + 1 : upTo })
      )
  })],
  "forgets the version of an event": ["evolution", reading((event) => ({ ...event, version: 1 }))],
  "leaves out what it does not know": ["undecodable", (driver) => ({
    ...driver,
    readStream: (options) =>
      Effect.map(driver.readStream(options), (events) => events.filter(({ type }) => type !== "Vanished"))
  })],
  "names another revision of an event that cannot be read": [
    "undecodable",
    reading((event) => ({ ...event, revision: event.revision + 1 }))
  ],
  "keeps no snapshot": ["snapshots", (driver) => ({ ...driver, writeSnapshot: () => Effect.void })],
  "keeps the first snapshot": ["snapshots", (driver) => ({
    ...driver,
    writeSnapshot: (stream, snapshot) =>
      Effect.flatMap(
        driver.readSnapshot(stream),
        (kept) => kept === undefined ? driver.writeSnapshot(stream, snapshot) : Effect.void
      )
  })],
  "keeps one snapshot for all streams": ["snapshots", (driver) => ({
    ...driver,
    readSnapshot: () => driver.readSnapshot("s"),
    writeSnapshot: (_, snapshot) => driver.writeSnapshot("s", snapshot)
  })],
  "damages a snapshot": ["snapshots", (driver) => ({
    ...driver,
    writeSnapshot: (stream, snapshot) => driver.writeSnapshot(stream, { ...snapshot, state: "{}" })
  })]
}

/** Whether nothing in the log was written after the position, as of this head. */
const yieldsNothing = ({ after }: Condition, head: number) => head <= after
