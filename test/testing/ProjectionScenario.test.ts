import { expect, test } from "bun:test"
import { ProjectionScenario } from "dunnock/testing"
import { Effect } from "effect"
import { type Parcel, Places } from "../projection/fixture.ts"

const put: Parcel = { _tag: "Put", place: "oslo", weight: 3 }
const moved: Parcel = { _tag: "Moved", from: "oslo", to: "rome", weight: 1 }

const failure = <E>(self: Effect.Effect<void, E>) => Effect.runPromise(Effect.flip(self))

test("given events, then there are documents", () =>
  Effect.runPromise(
    ProjectionScenario.given(Places, put, moved).then({
      oslo: { weight: 2, log: ["put at 1", "moved at 2"] },
      rome: { weight: 1, log: ["moved at 2"] }
    })
  ))

test("given the last of them are removed, then there are none", () =>
  Effect.runPromise(
    ProjectionScenario.given(Places, put).andOf("Parcel-2", { _tag: "Emptied", place: "oslo" }).then({})
  ))

test("a document too many, too few or another is told", async () => {
  const given = ProjectionScenario.given(Places, put)
  const oslo = { weight: 3, log: ["put at 1"] }
  for (const documents of [{}, { oslo, rome: oslo }, { oslo: { ...oslo, weight: 4 } }]) {
    expect((await failure(given.then(documents))).message).toContain("documents")
  }
})

test("an event that is none is told", async () => {
  const { message } = await failure(ProjectionScenario.given(Places, { ...put, weight: 0.5 }).then({}))
  expect(message).toContain("Put")
})
