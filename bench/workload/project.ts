import { compiled } from "../lib/Compiled.ts"
import { items } from "../lib/Cart.ts"
import { fileIn } from "../lib/Contenders.ts"
import type { Open, Projector } from "../lib/Projector.ts"
import * as View from "../lib/View.ts"
import { type Case, check, type Measure, rate, type Settings } from "../lib/Workload.ts"

const carts = Array.from({ length: 5000 }, (_, index) => `cart-${index}`)

/** Who has projected everything must have it right; who was stopped may be up to two batches ahead of its count. */
const verify = async (projector: Projector, each: number, projected: number, isWhole: boolean) => {
  const { carts: seen, count, total } = await projector.view()
  const said = `${seen} carts with ${count} events of ${total} projected, ${projected} events handed out`
  if (isWhole) {
    const expected = items(each).reduce(View.apply, View.empty)
    check(seen === carts.length && count === projected && total === carts.length * expected.total, said)
  } else {
    check(count > 0 && Math.abs(count - projected) <= 10_000, said)
  }
}

/** Projects the log from nothing; who cannot do it in `patience` ms is stopped there. */
const measure = async (projector: Projector, settings: Settings) => {
  const each = settings.quick ? 10 : 100
  const total = carts.length * each
  const patience = settings.quick ? 1500 : 6000
  const stored = await projector.count()
  if (stored !== total) {
    check(stored === 0, `${stored} events stored, ${total} expected`)
    await projector.seed(carts, each)
    check(await projector.count() === total, `${await projector.count()} events written, ${total} expected`)
  }
  await projector.forget()
  let projected = 0
  const sample = await rate(1, async () => async () => {
    const end = performance.now() + patience
    const isExpired = () => performance.now() > end
    projected = await projector.project(total, isExpired)
    check(
      projected > 0 && (projected === total || isExpired()),
      `${projected} events projected, ${total} expected`
    )
    return projected
  })
  await verify(projector, each, projected, projected === total)
  await projector.close()
  return projected === total ? sample : { ...sample, note: `stopped after ${projected} events` }
}

const contender =
  (address: (settings: Settings) => string, open: () => Promise<Open>): Measure => async (settings) =>
    measure(await (await open())(address(settings)), settings)

const inFile = (name: string, open: () => Promise<Open>): Measure =>
  contender(({ folder }) => fileIn(folder, `project-${name}`), open)

const onPostgres = (open: () => Promise<Open>): Measure =>
  contender(({ servers }) => servers.postgres ?? "", open)

const onMysql = (open: () => Promise<Open>): Measure => contender(({ servers }) => servers.mysql ?? "", open)

/** A projection of 500,000 events of 5,000 carts, from nothing until it has caught up; an operation is one event. */
export const cases: ReadonlyArray<Case> = [
  {
    name: "sqlite",
    unit: "opsPerSec",
    repetitions: 3,
    contenders: {
      "raw": inFile("raw", async () => (await import("../projector/rawSqlite.ts")).open),
      "dunnock": inFile(
        "dunnock",
        async () => (await compiled(() => import("../projector/dunnock.ts"))).openSqlite
      ),
      "@event-driven-io/emmett-sqlite": inFile(
        "emmett",
        async () => (await import("../projector/emmettSqlite.ts")).open
      )
    }
  },
  {
    name: "postgres",
    unit: "opsPerSec",
    server: "postgres",
    repetitions: 3,
    contenders: {
      "raw": onPostgres(async () => (await import("../projector/rawPostgres.ts")).open),
      "dunnock": onPostgres(async () =>
        (await compiled(() => import("../projector/dunnock.ts"))).openPostgres
      ),
      "@event-driven-io/emmett-postgresql": onPostgres(
        async () => (await import("../projector/emmettPostgres.ts")).open
      ),
      "@rotorsoft/act-pg": onPostgres(async () => (await import("../projector/actPostgres.ts")).open)
    }
  },
  {
    name: "mysql",
    unit: "opsPerSec",
    server: "mysql",
    repetitions: 3,
    contenders: {
      "raw": onMysql(async () => (await import("../projector/rawMysql.ts")).open),
      "dunnock": onMysql(async () => (await compiled(() => import("../projector/dunnock.ts"))).openMysql)
    }
  }
]
