// What an editor shows: TypeScript's language server, asked over its standard input and output.
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { root } from "../house/check.ts"

const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc")

/** What an editor shows when the pointer rests on these words of a file, each where it stands first after "// hover". */
export const hovers = async (file: string, words: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const server = spawn(process.execPath, [tsc, "--lsp", "--stdio"], { stdio: ["pipe", "pipe", "ignore"] })
  const answers = new Map<number, (result: any) => void>()
  let received = Buffer.alloc(0)
  server.stdout.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    while (true) {
      const header = /^Content-Length: (\d+)\r\n(?:.*\r\n)*?\r\n/.exec(received.toString("latin1"))
      const end = (header?.[0].length ?? 0) + Number(header?.[1])
      if (header === null || received.length < end) return
      const message = JSON.parse(received.subarray(header[0].length, end).toString())
      received = received.subarray(end)
      if (message.method === undefined) answers.get(message.id)?.(message.result)
      // the server asks for settings and the like: it gets none
      else if (message.id !== undefined) send({ id: message.id, result: null })
    }
  })
  const send = (message: object) => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message })
    server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }
  let requests = 0
  const ask = (method: string, params: object) =>
    new Promise<any>((resolve) => {
      answers.set(++requests, resolve)
      send({ id: requests, method, params })
    })

  try {
    const uri = pathToFileURL(file).href
    const text = readFileSync(file, "utf8")
    const start = text.indexOf("// hover")
    await ask("initialize", { processId: process.pid, rootUri: pathToFileURL(root).href, capabilities: {} })
    send({ method: "initialized", params: {} })
    send({
      method: "textDocument/didOpen",
      params: { textDocument: { uri, languageId: "typescript", version: 1, text } }
    })
    const shown: Array<string> = []
    for (const word of words) {
      const before = text.slice(0, text.indexOf(word, start)).split("\n")
      const position = { line: before.length - 1, character: before[before.length - 1]!.length }
      const { contents } = await ask("textDocument/hover", { textDocument: { uri }, position })
      shown.push(contents.value ?? contents)
    }
    return shown
  } finally {
    server.kill()
  }
}
