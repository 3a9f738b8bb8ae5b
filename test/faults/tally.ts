/** A projection that shows whether every event came, once and in order. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as EventStore from "../../src/event/EventStore.ts"
import type { EventStoreError } from "../../src/event/EventStoreError.ts"
import * as Projection from "../../src/projection/Projection.ts"
import type { ProjectionError } from "../../src/projection/ProjectionError.ts"
import { DocumentStore } from "../../src/repository/DocumentStore.ts"
import type { DocumentStoreError } from "../../src/repository/DocumentStoreError.ts"
import { events } from "./writes.ts"

/** What the events of a fiber come to, in their order. */
const document = Schema.Struct({
  /** How many came. */
  count: Schema.Int,
  /** How many of them were not the next. */
  wrong: Schema.Int
})

type Document = typeof document.Type

/** The projection under a name, which tells of each event: a document for each stream that a fiber writes to. */
export const tally = <const Name extends string>(name: Name, told: () => void = () => {}) =>
  Projection.make(name, {
    version: 1,
    events,
    document,
    id: ({ data, stream }) => `${stream === "shared" ? "shared" : "own"}-${data.writer}-${data.fiber}`,
    lease: "300 millis",
    evolve: {
      Written: (tallied = { count: 0, wrong: 0 }, { data, stream }) => {
        told()
        const { count, wrong } = tallied
        // an append has one event for the shared stream, and two for the fiber's own
        const next = stream === "shared" ? count : Math.floor(count / 2)
        return { count: count + 1, wrong: data.n === next ? wrong : wrong + 1 }
      }
    }
  })

/** The documents that so many appends of each fiber of a writer come to, by their ids. */
export const expected = (
  writer: string,
  appends: ReadonlyArray<number>
): Readonly<Record<string, Document>> =>
  Object.fromEntries(
    appends.flatMap((count, fiber) => [
      [`own-${writer}-${fiber}`, { count: 2 * count, wrong: 0 }],
      [`shared-${writer}-${fiber}`, { count, wrong: 0 }]
    ])
  )

/** A row of the live generation, as it is stored. */
interface Row {
  readonly id: string
  readonly document: Document
  readonly position: number
}

/** Every row of a projection's live generation, as it is stored. */
export const rowsOf = <Name extends string>(
  { name, status }: ReturnType<typeof tally<Name>>
): Effect.Effect<
  ReadonlyArray<Row>,
  ProjectionError | EventStoreError | DocumentStoreError,
  DocumentStore | EventStore.EventStore | Projection.Service<Name>
> =>
  Effect.gen(function* () {
    const documents = yield* DocumentStore
    const { generation } = yield* status
    const rows = yield* documents.find({ name: `${name}__${generation}`, indexes: [] }, {
      where: undefined,
      sort: [],
      deleted: "with",
      limit: 100_000,
      offset: 0
    })
    return rows.map(({ data, id, position }) => ({ id, position, document: JSON.parse(data) }))
  })

/** Rows as `expected` gives them. */
export const byId = (rows: ReadonlyArray<Row>): Readonly<Record<string, Document>> =>
  Object.fromEntries(rows.map(({ document, id }) => [id, document]))
