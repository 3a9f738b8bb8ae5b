import { item } from "../lib/Cart.ts"
import { now, sleep } from "../lib/Clock.ts"
import { database } from "../lib/Postgres.ts"
import { type Appender, relays, start } from "../lib/Relay.ts"
import { type Case, check, type Measure, quantile, type Settings } from "../lib/Workload.ts"

const warmUp = 20

/** Appends one event that says when it was appended. */
const append = (appender: Appender, index: number) =>
  appender.append(`cart-${index % 100}`, { ...item(index), id: String(index), at: String(now()) })

/** One append after another, with pauses in which the listener falls asleep. */
const idle = async (appender: Appender, { quick }: Settings): Promise<number> => {
  const events = warmUp + (quick ? 50 : 300)
  for (let index = 0; index < events; index++) {
    await append(appender, index)
    await sleep(10 + (index * 7) % 20)
  }
  return events
}

/** 400 appends a second, four each 10 ms, whether or not those before are done. */
const load = async (appender: Appender, { quick }: Settings): Promise<number> => {
  const events = warmUp + (quick ? 800 : 4000)
  const begin = now()
  const appends = []
  for (let index = 0; index < events; index++) {
    if (index % 4 === 0) await sleep(Math.max(0, begin + index * 2.5 - now()))
    appends.push(append(appender, index))
  }
  await Promise.all(appends)
  return events
}

const patience = ({ quick }: Settings) => quick ? 3000 : 20_000

const measure = (contender: string, drive: typeof idle): Measure => async (settings) => {
  const relay = await relays[contender]!()
  const { url } = await database(settings.servers.postgres ?? "", "bench_delay")
  const appender = await relay.open(url)
  const listener = await start(contender, url)
  const events = await drive(appender, settings)
  const delays = await listener.delays(events, patience(settings))
  const stored = await appender.count()
  listener.stop()
  await appender.close()
  const handled = new Set(delays.map(([id]) => id)).size
  check(stored === events, `${stored} events stored, ${events} expected`)
  check(handled === events, `${handled} events handled, ${events} expected`)
  const values = delays.flatMap(([id, ms]) => Number(id) < warmUp ? [] : [ms])
  const sample = { value: quantile(values, 0.5), p99: quantile(values, 0.99) }
  return delays.length === events
    ? sample
    : { ...sample, note: `${delays.length - events} events came twice` }
}

const inCase = (name: string, drive: typeof idle): Case => ({
  name,
  unit: "ms",
  server: "postgres",
  repetitions: 3,
  contenders: Object.fromEntries(
    Object.keys(relays).map((contender) => [contender, measure(contender, drive)])
  )
})

/** From the start of an append to a handler of the event in another process. */
export const cases: ReadonlyArray<Case> = [inCase("postgres idle", idle), inCase("postgres load", load)]
