/** Ways to a server on which is listened, or that break. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

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
  const end = () => {
    for (const close of open) close()
  }
  const server = createServer((client) => {
    const target = connect(to.port, to.host)
    let left = patience()
    const close = () => {
      open.delete(close)
      client.destroy()
      target.destroy()
    }
    open.add(close)
    const pass = (from: Socket, other: Socket) => {
      from.on("error", close)
      from.on("close", close)
      from.on("data", (bytes: Buffer) => {
        if (left >= bytes.length) other.write(bytes)
        // what comes before the cut arrives
        else if (left >= 0) other.write(bytes.subarray(0, left), close)
        if (left >= 0 && left < bytes.length) cuts++
        left -= bytes.length
      })
    }
    pass(client, target)
    pass(target, client)
  })
  return Effect.addFinalizer(() => Effect.sync(end)).pipe(
    Effect.andThen(listen(() => server)),
    Effect.map((port) => ({
      port,
      cuts: () => cuts,
      cut: () => {
        cuts += open.size
        end()
      }
    }))
  )
}

/** The port of this machine on which a server listens, until the scope closes. */
export const listen = (make: () => Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = make().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(Effect.map((server) => (server.address() as AddressInfo).port))

/** What is made of what is said on a connection. */
export interface Ears {
  /** Told what the client says, and whether it is the first it says; whether it is passed on. */
  readonly asked?: (bytes: Buffer, isFirst: boolean) => boolean
  /** Told that the server has said something. */
  readonly answered?: () => void
}

/** A port that leads to another, on which is listened. Closed with the scope. */
export const relay = (
  to: { readonly host: string; readonly port: number },
  listening: (client: Socket) => Ears
): Effect.Effect<number, never, Scope.Scope> =>
  listen(() =>
    createServer((client) => {
      const target = connect(to.port, to.host)
      const { answered, asked } = listening(client)
      let isFirst = true
      client.on("data", (bytes: Buffer) => {
        const isPassed = asked?.(bytes, isFirst) ?? true
        isFirst = false
        if (isPassed) target.write(bytes)
      })
      target.on("data", (bytes) => {
        answered?.()
        client.write(bytes)
      })
      for (const [from, other] of [[client, target], [target, client]] as const) {
        from.on("error", () => {})
        from.on("close", () => other.destroy())
      }
    })
  )

/** A port that leads to another, and how often something has been asked on it after there was an answer. */
export const counting = (to: {
  readonly host: string
  readonly port: number
}): Effect.Effect<{ readonly port: number; readonly trips: () => number }, never, Scope.Scope> => {
  let trips = 0
  return Effect.map(
    relay(to, () => {
      // what is long comes in several parts
      let isAnswered = true
      return {
        asked: () => {
          if (isAnswered) trips++
          isAnswered = false
          return true
        },
        answered: () => {
          isAnswered = true
        }
      }
    }),
    (port) => ({ port, trips: () => trips })
  )
}

/** A URL that leads through a port of this machine. */
export const through = (url: string, port: number): string => {
  const changed = new URL(url)
  changed.host = `127.0.0.1:${port}`
  return changed.href
}
