// What the tests of projections share: parcels that move between places, documents made of their events, and the same
// made by hand.
import { Event, type EventStore, Projection } from "dunnock"
import { Effect, Schema } from "effect"
import type { DocumentStore } from "../../src/repository/DocumentStore.ts"

export const events = Event.set({
  Put: { place: Schema.String, weight: Schema.Int },
  Moved: { from: Schema.String, to: Schema.String, weight: Schema.Int },
  Emptied: { place: Schema.String },
  Noted: { text: Schema.String }
})

export type Parcel = typeof events extends Event.Set<infer E> ? E : never

const Place = Schema.Struct({ weight: Schema.Int, log: Schema.Array(Schema.String) })

type Place = typeof Place.Type

const empty: Place = { weight: 0, log: [] }

const add = (place: Place = empty, weight: number, what: string): Place => ({
  weight: place.weight + weight,
  log: [...place.log, what].slice(-20)
})

/** A document for each place that is not empty. An event concerns none, one or two of them. */
export const makePlaces = (version = 1, unit = 1) =>
  Projection.make("Places", {
    version,
    events,
    document: Place,
    lease: "1 second",
    id: ({ data }) => {
      if (data._tag === "Noted") throw new Error("of no concern: there is no function for it")
      return data._tag === "Moved" ? [data.from, data.to] : data.place
    },
    evolve: {
      Put: (place, { data, position }) => add(place, unit * data.weight, `put at ${position}`),
      Moved: (place, { data, position }, id) =>
        add(
          place,
          (id === data.from ? -unit : 0) * data.weight + (id === data.to ? unit : 0) * data.weight,
          `moved at ${position}`
        ),
      Emptied: () => undefined
    }
  })

export const Places = makePlaces()

export type Docs = Readonly<Record<string, Place>>

/** What the events make of the documents, by hand. */
export const byHand = (log: ReadonlyArray<Event.Recorded<Parcel>>, unit = 1): Docs => {
  const docs: Record<string, Place> = {}
  for (const { data, position } of log) {
    switch (data._tag) {
      case "Put":
        docs[data.place] = add(docs[data.place], unit * data.weight, `put at ${position}`)
        break
      case "Moved":
        if (data.from === data.to) docs[data.to] = add(docs[data.to], 0, `moved at ${position}`)
        else {
          docs[data.from] = add(docs[data.from], -unit * data.weight, `moved at ${position}`)
          docs[data.to] = add(docs[data.to], unit * data.weight, `moved at ${position}`)
        }
        break
      case "Emptied":
        delete docs[data.place]
    }
  }
  return docs
}

/** Every document that is stored of a generation. */
export const stored = (documents: DocumentStore, generation: number) =>
  Effect.map(
    documents.find({ name: `Places__${generation}`, indexes: [] }, {
      where: undefined,
      sort: [],
      deleted: "with",
      limit: 1_000_000,
      offset: 0
    }),
    (found): Docs => Object.fromEntries(found.map(({ data, id }) => [id, JSON.parse(data)]))
  )

/** Appends each list of events to a stream of its own choice. */
export const append = (store: EventStore.EventStore, all: ReadonlyArray<Parcel>) =>
  Effect.forEach(all, (event, i) => store.append(events, [{ stream: `Parcel-${i % 7}`, events: [event] }]))
