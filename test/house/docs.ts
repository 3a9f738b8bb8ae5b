/**
 * Checks what the documentation claims: README.md, docs/*.md and the doc comments of the sources.
 *
 * - Every ```ts block compiles, as a module of its own. A block whose first line is a comment with a file name
 *   (`// account.ts`) is that file, and the other blocks of the same page may import it (`./account.ts`).
 * - A ```ts block followed by a ```text block, with only blank lines between, is a program that prints that text: it
 *   is run, in an empty folder, and compared.
 */
import { Glob } from "bun"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { type Check, difference, inEmptyFolder, report, root, run } from "./check.ts"

interface Fence {
  readonly language: string
  /** The line its content starts on, from 1. */
  readonly line: number
  readonly lines: ReadonlyArray<string>
  /** Whether only blank lines stand between the fence before and this one. */
  readonly adjoins: boolean
}

/** The fenced blocks of a page, or of the doc comments of a source. */
const fences = (text: string, isSource: boolean): ReadonlyArray<Fence> => {
  const found: Array<Fence> = []
  let open: { language: string; line: number; lines: Array<string>; adjoins: boolean } | undefined
  let adjoins = false
  text.split("\n").forEach((raw, index) => {
    // In a source only the lines of a doc comment count, without their stars.
    const line = isSource ? /^\s*\* ?(.*)$/.exec(raw)?.[1] : raw
    if (line === undefined) return
    const fence = /^\s*```(\w*)/.exec(line)
    if (open === undefined && fence) {
      open = { language: fence[1] ?? "", line: index + 2, lines: [], adjoins }
    } else if (open !== undefined && fence) {
      found.push(open)
      open = undefined
      adjoins = true
    } else if (open !== undefined) {
      open.lines.push(line)
    } else if (line.trim() !== "") {
      adjoins = false
    }
  })
  return found
}

interface Program {
  readonly title: string
  /** Where it is written, so that line numbers are those of the page. */
  readonly file: string
  readonly prints: string | undefined
}

const scratch = join(root, ".cache/docs")

/** Writes the programs of a page below the scratch folder. */
const extract = (page: string): ReadonlyArray<Program> => {
  const blocks = fences(readFileSync(join(root, page), "utf8"), page.endsWith(".ts"))
  return blocks.flatMap((block, index) => {
    if (block.language !== "ts") return []
    const name = /^\/\/ ([\w.-]+\.ts)$/.exec(block.lines[0] ?? "")?.[1] ?? `line-${block.line}.ts`
    const file = join(scratch, page, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, "\n".repeat(block.line - 1) + block.lines.join("\n") + "\n")
    const next = blocks[index + 1]
    const prints = next?.language === "text" && next.adjoins ? next.lines.join("\n") : undefined
    return [{ title: `${page}:${block.line}`, file, prints }]
  })
}

/** Compiles all programs at once; the errors of each file. */
const compile = (): ReadonlyMap<string, string> => {
  writeFileSync(
    join(scratch, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["."]
    })
  )
  const errors = new Map<string, string>()
  const { ok, stdout, stderr } = run(["tsc", "--pretty", "false", "--project", scratch], root)
  let file = ""
  for (const line of stdout.split("\n")) {
    file = /^(\S.*?)\(\d+,\d+\): /.exec(line)?.[1] ?? file
    if (line !== "") errors.set(join(root, file), `${errors.get(join(root, file)) ?? ""}\n  ${line}`)
  }
  if (!ok && errors.size === 0) throw new Error(stderr)
  return errors
}

const runs = ({ file, prints }: Program): string | undefined =>
  inEmptyFolder((folder) => {
    const { ok, stderr, stdout } = run(["bun", file], folder)
    return ok ? difference(prints ?? "", stdout) : `it failed\n${stdout}${stderr}`
  })

const checks = function* (): Iterable<Check> {
  rmSync(scratch, { recursive: true, force: true })
  const pages = ["README.md", "docs/**/*.md", "mod.ts", "src/**/*.ts", "adapters/**/*.ts"]
    .flatMap((pattern) => [...new Glob(pattern).scanSync(root)].toSorted())
  const programs = pages.flatMap(extract)
  if (programs.length === 0) return
  const errors = compile()
  const files = new Set(programs.map(({ file }) => file))
  for (const program of programs) {
    yield [`${program.title} compiles`, errors.get(program.file)]
    if (program.prints !== undefined) yield [`${program.title} prints what it says`, runs(program)]
  }
  for (const [file, problem] of errors) {
    if (!files.has(file)) yield [relative(root, file), problem]
  }
}

report(checks())
