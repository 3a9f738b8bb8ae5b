/**
 * A process that keeps a projection up to date, or waits to take it over, and handles a subscription. It says `working`
 * when it takes in its first event of the projection, and the id of each event that its subscription handles.
 */
import { Subscription } from "dunnock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeSync } from "node:fs"
import { type Place, stores } from "./places.ts"
import { child } from "./Process.ts"
import { tally } from "./tally.ts"
import { events } from "./writes.ts"

await child<Place>((place, { say }) => {
  let isWorking = false
  const Tally = tally("Tally", () => {
    if (!isWorking) writeSync(1, '"working"\n')
    isWorking = true
  })
  const Handled = Subscription.make("handled", { events, shards: 4 })
    .toLayer(({ id }) => say({ handled: id }), { concurrency: 4, lease: "300 millis" })
  return Effect.never.pipe(Effect.provide(Layer.provide(Layer.merge(Tally.layer, Handled), stores(place))))
})
