// Document stores that break a promise, each made of one that keeps it.
import { type DocumentStore, DocumentStoreError, type EventStoreDriver, type Stores } from "dunnock"
import { Clock, Effect } from "effect"

type Store = DocumentStore.DocumentStore
type Stored = DocumentStore.StoredDocument
type Condition = DocumentStore.Condition
type Change = (stores: Stores.Stores) => Stores.Stores

/** Changes the document store. */
const documents = (change: (store: Store) => Partial<Store>): Change => (stores) => ({
  ...stores,
  documents: { ...stores.documents, ...change(stores.documents) }
})

/** Changes every document that is read. */
const reading = (change: (document: Stored) => Stored): Change =>
  documents((store) => ({
    get: (collection, ids) =>
      Effect.map(store.get(collection, ids), (all) => all.map((one) => one && change(one))),
    find: (collection, selection) => Effect.map(store.find(collection, selection), (all) => all.map(change))
  }))

/** Changes every write; undefined leaves it out. */
const writing = (change: (write: DocumentStore.Write) => DocumentStore.Write): Change =>
  documents((store) => ({ commit: (writes) => store.commit(writes.map(change)) }))

const putting = (change: (put: DocumentStore.Put) => DocumentStore.Put): Change =>
  writing((write) => write.op === "put" ? change(write) : write)

/** Changes what is selected. */
const selecting = (change: (selection: DocumentStore.Selection) => DocumentStore.Selection): Change =>
  documents((store) => ({
    find: (collection, selection) => store.find(collection, change(selection)),
    count: (collection, selection) =>
      store.count(collection, change({ ...selection, sort: [], limit: 0, offset: 0 }))
  }))

/** Changes every condition, those within others first. */
const conditions = (change: (condition: Condition) => Condition): Change => {
  const deep = (condition: Condition): Condition =>
    change(
      condition.op === "and" || condition.op === "or"
        ? { ...condition, conditions: condition.conditions.map(deep) }
        : condition
    )
  return selecting((selection) => ({ ...selection, where: selection.where && deep(selection.where) }))
}

/** Changes the field of every condition. */
const fields = (change: (field: DocumentStore.Field) => DocumentStore.Field): Change =>
  conditions((condition) =>
    "field" in condition ? { ...condition, field: change(condition.field) } as Condition : condition
  )

const isNotNull = (field: DocumentStore.Field): Condition => ({ op: "isNotNull", field })
const and = (...conditions: ReadonlyArray<Condition>): Condition => ({ op: "and", conditions })

/** Replaces conditions of these operators. */
const operator = (
  ops: ReadonlyArray<Condition["op"]>,
  change: (condition: any) => Condition
): Change => conditions((condition) => ops.includes(condition.op) ? change(condition) : condition)

/** Changes what inline projections are. */
const inline = (
  change: (inline: EventStoreDriver.Inline, stores: Stores.Stores) => EventStoreDriver.Inline | undefined
): Change =>
(stores) => ({
  ...stores,
  events: {
    ...stores.events,
    append: (appends, given) => stores.events.append(appends, given && change(given, stores))
  }
})

/** Writes one by one, in place of all or nothing. */
const oneByOne = (store: Store): Store["commit"] => (writes) =>
  Effect.map(Effect.forEach(writes, (write) => store.commit([write])), (versions) => versions.flat())

const first = { limit: 1_000_000, offset: 0, sort: [], where: undefined } as const

/** By what is wrong with it: the topic of the contract that shows it, and what breaks a store so. */
export const broken: { readonly [fault: string]: readonly [topic: string, Change] } = {
  "keeps the time of the last change for that of the creation": [
    "documents",
    reading((document) => ({ ...document, createdAt: document.updatedAt }))
  ],
  "merges what is put into what is there": [
    "documents",
    documents((store) => ({
      commit: (writes) =>
        Effect.flatMap(
          Effect.forEach(writes, (write) =>
            Effect.map(store.get(write.collection, [write.id]), ([old]) =>
              write.op !== "put" || old === undefined ? write : {
                ...write,
                data: JSON.stringify({ ...JSON.parse(old.data), ...JSON.parse(write.data) })
              })),
          store
            .commit
        )
    }))
  ],
  "forgets positions": ["documents", putting((put) => ({ ...put, position: 0 }))],
  "gives documents in an order of its own": [
    "documents",
    documents((store) => ({
      get: (collection, ids) => Effect.map(store.get(collection, ids.toSorted()), (all) => all)
    }))
  ],
  "leaves out what is absent": [
    "documents",
    documents((store) => ({
      get: (collection, ids) =>
        Effect.map(store.get(collection, ids), (all) => all.filter((one) => one !== undefined))
    }))
  ],
  "takes capitals in ids for small letters": [
    "documents",
    documents((store) => ({
      commit: (writes) => store.commit(writes.map((write) => ({ ...write, id: write.id.toLowerCase() }))),
      get: (collection, ids) => store.get(collection, ids.map((id) => id.toLowerCase()))
    }))
  ],
  "cuts blanks from ids": [
    "documents",
    documents((store) => ({
      commit: (writes) =>
        store.commit(writes.map((write) => ({ ...write, id: write.id.trimEnd() || write.id }))),
      get: (collection, ids) => store.get(collection, ids.map((id) => id.trimEnd() || id))
    }))
  ],
  "keeps numbers in 32 bits": [
    "documents",
    putting((put) => ({
      ...put,
      data: JSON.stringify(
        JSON.parse(put.data),
        (_, value) => typeof value === "number" ? Math.fround(value) : value
      )
    }))
  ],
  "cannot keep what is not ASCII": [
    "documents",
    reading((document) => ({ ...document, data: document.data.replaceAll(/[^\x20-\x7f]/g, "?") }))
  ],
  "cuts large documents": [
    "documents",
    putting((put) => put.data.length > 65_535 ? { ...put, data: "{}" } : put)
  ],
  "keeps all collections in one": [
    "documents",
    documents((store) => {
      const all = { name: "all", indexes: [] }
      return {
        commit: (writes) => store.commit(writes.map((write) => ({ ...write, collection: all }))),
        get: (_, ids) => store.get(all, ids)
      }
    })
  ],
  "does not drop": ["documents", documents(() => ({ drop: () => Effect.void }))],
  "ignores what is expected": ["versions", writing((write) => ({ ...write, expected: "any" }))],
  "takes 0 for any": [
    "versions",
    writing((write) => ({ ...write, expected: write.expected === 0 ? "any" : write.expected }))
  ],
  "ignores what is expected of removals": [
    "versions",
    writing((write) => write.op === "remove" ? { ...write, expected: "any" } : write)
  ],
  "takes a check for nothing": [
    "versions",
    writing((write) => write.op === "check" ? { ...write, expected: "any" } : write)
  ],
  "names another version in a conflict": [
    "versions",
    documents((store) => ({
      commit: (writes) =>
        Effect.mapError(store.commit(writes), (error) => {
          const { reason } = error
          return reason._tag === "VersionConflict"
            ? new DocumentStoreError.DocumentStoreError({
              reason: new DocumentStoreError.VersionConflict({ ...reason, actual: reason.actual + 1 })
            })
            : error
        })
    }))
  ],
  "looks at versions before it writes, not while": [
    "versions",
    documents((store) => ({
      commit: (writes) =>
        Effect.gen(function* () {
          const blind = writes.map((write) => ({ ...write, expected: "any" }) as const)
          const checks = writes.map(({ collection, expected, id }) =>
            ({ op: "check", collection, id, expected }) as const
          )
          yield* store.commit(checks)
          yield* Effect.yieldNow
          return yield* store.commit(blind)
        })
    }))
  ],
  "gives the versions from before": [
    "batches",
    documents((store) => ({
      commit: (writes) =>
        Effect.map(store.commit(writes), (versions) => versions.map((version) => version - 1))
    }))
  ],
  "gives versions in another order": [
    "batches",
    documents((store) => ({
      commit: (writes) => Effect.map(store.commit(writes), (versions) => versions.toReversed())
    }))
  ],
  "writes one by one": ["batches", documents((store) => ({ commit: oneByOne(store) }))],
  "writes a thousand at once at most": [
    "batches",
    documents((store) => ({
      commit: (writes) =>
        Effect.map(store.commit(writes.slice(0, 1_000)), (versions) => writes.map((_, i) => versions[i] ?? 1))
    }))
  ],
  "removes what is to be deleted": [
    "soft deletion",
    writing((write) => write.op === "delete" ? { ...write, op: "remove" } : write)
  ],
  "finds what was deleted": [
    "soft deletion",
    selecting((selection) => ({
      ...selection,
      deleted: selection.deleted === "without" ? "with" : selection.deleted
    }))
  ],
  "does not find what was deleted when asked": [
    "soft deletion",
    selecting((selection) => ({ ...selection, deleted: "without" }))
  ],
  "does not say since when something is deleted": [
    "soft deletion",
    reading((document) => ({ ...document, deletedAt: document.deletedAt && 0 }))
  ],
  "ignores expiry": ["expiry", putting((put) => ({ ...put, expiresAt: undefined }))],
  "counts what has expired": [
    "expiry",
    documents((store) => ({
      count: (collection, selection) =>
        Effect.provideService(store.count(collection, selection), Clock.Clock, {
          ...Effect.runSync(Clock.Clock),
          currentTimeMillis: Effect.succeed(0),
          currentTimeMillisUnsafe: () => 0
        })
    }))
  ],
  "clears what has not expired": [
    "expiry",
    documents((store) => ({
      clearExpired: (collection) =>
        Effect.gen(function* () {
          const all = yield* store.find(collection, { ...first, deleted: "with" })
          yield* store.commit(
            all.map(({ id }) => ({ op: "remove", collection, id, expected: "any" }) as const)
          )
          return all.length
        })
    }))
  ],
  "clears nothing": ["expiry", documents(() => ({ clearExpired: () => Effect.succeed(0) }))],
  "takes neq for not to hold of null": [
    "conditions",
    operator(["neq"], (condition) => and(condition, isNotNull(condition.field)))
  ],
  "takes notIn for not to hold of null": [
    "conditions",
    operator(["notIn"], (condition) => and(condition, isNotNull(condition.field)))
  ],
  "takes an empty list for any": [
    "conditions",
    operator(["in"], (condition) => condition.values.length === 0 ? and() : condition)
  ],
  "looks at a hundred values of a list": [
    "conditions",
    operator(["in"], (condition) => ({ ...condition, values: condition.values.slice(0, 100) }))
  ],
  "takes gte for gt": ["conditions", operator(["gte"], (condition) => ({ ...condition, op: "gt" }))],
  "takes lt for lte": ["conditions", operator(["lt"], (condition) => ({ ...condition, op: "lte" }))],
  "takes or for and": ["conditions", operator(["or"], (condition) => ({ ...condition, op: "and" }))],
  "takes an empty or for true": [
    "conditions",
    operator(["or"], (condition) => condition.conditions.length === 0 ? and() : condition)
  ],
  "does not know escapes in patterns": [
    "conditions",
    operator(["like"], (condition) => ({ ...condition, pattern: condition.pattern.replaceAll("\\", "\\\\") }))
  ],
  "takes patterns for texts to be equal to": [
    "conditions",
    operator(["like"], ({ field, pattern }) => ({ op: "eq", field, value: pattern }))
  ],
  "takes a star in a pattern for any text": [
    "conditions",
    operator(["like"], (condition) => ({ ...condition, pattern: condition.pattern.replaceAll("*", "%") }))
  ],
  "takes a dot in the name of a field for a path": [
    "conditions",
    fields((field) => ({ ...field, name: field.name.split(".")[0]! }))
  ],
  "takes a quote out of the name of a field": [
    "conditions",
    fields((field) => ({ ...field, name: field.name.replaceAll('"', "") }))
  ],
  "takes values of any kind for those of the field's": [
    "conditions",
    operator(
      ["isNull", "isNotNull"],
      (condition) => ({ ...condition, field: { ...condition.field, kind: "any" } })
    )
  ],
  "does not index what is too long": [
    "indexes",
    documents((store) => ({
      find: (collection, selection) =>
        Effect.map(
          store.find(collection, selection),
          (all) => collection.indexes.length > 0 ? all.filter(({ data }) => data.length < 3_000) : all
        )
    }))
  ],
  "gives indexes on the first documents only": [
    "indexes",
    documents((store) => ({
      find: (collection, selection) =>
        Effect.map(
          store.find(collection, selection),
          (all) => collection.indexes.length > 1 ? all.slice(0, 1) : all
        )
    }))
  ],
  "does not sort": ["sorting", selecting((selection) => ({ ...selection, sort: [] }))],
  "sorts by the first field only": [
    "sorting",
    selecting((selection) => ({ ...selection, sort: selection.sort.slice(0, 1) }))
  ],
  "sorts upwards only": [
    "sorting",
    selecting((selection) => ({
      ...selection,
      sort: selection.sort.map(({ field }) => ({ field, direction: "asc" }))
    }))
  ],
  "sorts alike documents downwards as well": [
    "sorting",
    selecting((selection) => ({
      ...selection,
      sort: [
        ...selection.sort,
        ...selection.sort.slice(0, 1).map(({ direction }) => ({
          field: { name: "$id", kind: "text" } as const,
          direction
        }))
      ]
    }))
  ],
  "sorts numbers as texts": [
    "sorting",
    selecting((selection) => ({
      ...selection,
      sort: selection.sort.map(({ direction, field }) => ({ direction, field: { ...field, kind: "text" } }))
    }))
  ],
  "sorts ids by UTF-16 units": [
    "sorting",
    documents((store) => ({
      find: (collection, selection) =>
        Effect.map(
          store.find(collection, selection),
          // oxlint-disable-next-line require-array-sort-compare
          (all) => selection.sort.length > 0 ? all : all.toSorted((a, b) => a.id < b.id ? -1 : 1)
        )
    }))
  ],
  "ignores a limit": ["paging", selecting((selection) => ({ ...selection, limit: 1_000_000 }))],
  "ignores an offset": ["paging", selecting((selection) => ({ ...selection, offset: 0 }))],
  "gives a thousand documents at most": [
    "paging",
    selecting((selection) => ({ ...selection, limit: Math.min(selection.limit, 1_000) }))
  ],
  "counts one too many": [
    "paging",
    documents((store) => ({
      count: (collection, selection) => Effect.map(store.count(collection, selection), (count) => count + 1)
    }))
  ],
  "writes nothing inline": ["inline", inline(() => undefined)],
  "reads nothing for an inline projection": [
    "inline",
    inline(({ read, write }) => ({
      read,
      write: (events, documents, before) =>
        write(events, documents.map((each) => each.map(() => undefined)), before)
    }))
  ],
  "gives no position before": [
    "inline",
    inline(({ read, write }) => ({ read, write: (events, documents) => write(events, documents, 0) }))
  ],
  "writes inline apart from the append": ["inline", (stores) => ({
    ...stores,
    events: {
      ...stores.events,
      append: (appends, given) =>
        Effect.gen(function* () {
          const before = yield* stores.events.head
          const outcomes = yield* stores.events.append(appends)
          if (given === undefined) return outcomes
          const { events } = yield* stores.events.readLog({ after: before, limit: 1_000, queries: [] })
          const documents = yield* Effect.forEach(
            given.read(events),
            ({ collection, ids }) => Effect.orDie(stores.documents.get(collection, ids))
          )
          yield* Effect.orDie(stores.documents.commit(given.write(events, documents, before)))
          return outcomes
        })
    }
  })],
  "writes inline what is refused": ["inline", (stores) => ({
    ...stores,
    events: {
      ...stores.events,
      append: (appends, given) =>
        Effect.flatMap(
          stores.events.append(appends, given),
          (outcomes) =>
            given === undefined || outcomes.every(({ _tag }) => _tag === "Success")
              ? Effect.succeed(outcomes)
              : Effect.gen(function* () {
                const event = yield* Effect.map(
                  stores.events.readLog({ after: 0, limit: 1, queries: [] }),
                  ({ events }) => events
                )
                const documents = yield* Effect.forEach(
                  given.read(event),
                  ({ collection, ids }) => Effect.orDie(stores.documents.get(collection, ids))
                )
                yield* Effect.orDie(stores.documents.commit(given.write(event, documents, 0)))
                return outcomes
              })
        )
    }
  })]
}
