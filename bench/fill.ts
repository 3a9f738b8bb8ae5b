/**
 * Writes the log that the workload `memory` reads, in a process of its own, so that the memory it takes is not measured:
 * `bun bench/fill.ts <case> <contender> <address> <carts> <each>`.
 */
import { readers } from "./workload/memory.ts"

const [name = "", contender = "", address = "", carts = "0", each = "0"] = process.argv.slice(2)

const reader = await readers[name]![contender]!(address)
await reader.seed(Array.from({ length: Number(carts) }, (_, index) => `cart-${index}`), Number(each))
await reader.close()
process.exit(0)
