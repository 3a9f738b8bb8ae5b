/**
 * The process of the workload `delay` in which events are handled: `bun bench/listen.ts <contender> <url>`. Asked for so
 * many events, it answers with their delays.
 */
import { createInterface } from "node:readline"
import { now, sleep } from "./lib/Clock.ts"
import { type Delay, relays } from "./lib/Relay.ts"

const [contender = "", url = ""] = process.argv.slice(2)
const relay = await relays[contender]!()

const delays = new Array<Delay>()
await relay.listen(url, ({ at, id }) => void delays.push([id, now() - Number(at)]))

const say = (value: unknown) => process.stdout.write(`@@${JSON.stringify(value)}\n`)

console.log = () => {}
say("ready")
for await (const line of createInterface(process.stdin)) {
  const { events, patience }: { events: number; patience: number } = JSON.parse(line)
  const end = now() + patience
  while (delays.length < events && now() < end) await sleep(5)
  say(delays)
}
process.exit(0)
