/** A way to a server that breaks. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { connect, createServer, type Socket } from "node:net"

/** A port of this machine that leads to another. */
export interface Proxy {
  readonly port: number
  /** How many connections were cut. */
  readonly cuts: () => number
  /** Cuts those there are, now. */
  readonly cut: () => void
}

/**
 * Passes on what it is given, both ways, but cuts each connection, in the middle of whatever is said, after as many bytes
 * as `patience` gives for it. Closed with the scope.
 */
export const make = (
  to: { readonly host: string; readonly port: number },
  patience: () => number
): Effect.Effect<Proxy, never, Scope.Scope> => {
  const open = new Set<() => void>()
  let cuts = 0
  const server = createServer((client) => {
    const target = connect(to.port, to.host)
    let left = patience()
    const end = () => {
      open.delete(end)
      client.destroy()
      target.destroy()
    }
    open.add(end)
    const pass = (from: Socket, other: Socket) => {
      from.on("error", end)
      from.on("close", end)
      from.on("data", (bytes: Buffer) => {
        if (left >= bytes.length) other.write(bytes)
        // what comes before the cut arrives
        else if (left >= 0) other.write(bytes.subarray(0, left), end)
        if (left >= 0 && left < bytes.length) cuts++
        left -= bytes.length
      })
    }
    pass(client, target)
    pass(target, client)
  })
  return Effect.acquireRelease(
    Effect.callback<Proxy>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({
          port,
          cuts: () => cuts,
          cut: () => {
            cuts += open.size
            for (const end of open) end()
          }
        }))
      })
    }),
    () =>
      Effect.sync(() => {
        for (const end of open) end()
        server.close()
      })
  )
}
