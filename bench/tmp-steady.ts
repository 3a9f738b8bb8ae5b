import { memory } from "./lib/Contenders.ts"
import { item } from "./lib/Cart.ts"
const store = await memory[process.argv[2]!]!()
let r = 0, t0 = performance.now(), acc = 0, n = 0, last = 0
while (performance.now() - t0 < 6000) {
  const ids = Array.from({ length: 1000 }, (_, i) => `c-${r}-${i}`)
  r++
  await store.seed(ids, 4)
  const a = performance.now()
  for (let i = 0; i < 3000; i++) await store.command(ids[Math.floor(Math.random() * 1000)]!, item(i))
  acc += performance.now() - a
  n += 3000
  if (acc - last > 0 && performance.now() - t0 > last + 500) {
    last = performance.now() - t0
    console.log(Math.round(last), Math.round(n / acc * 1000), r, Math.round(process.memoryUsage().rss / 1e6))
    n = 0
    acc = 0
  }
}
