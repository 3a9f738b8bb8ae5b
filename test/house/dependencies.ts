/**
 * The direction of dependencies, as a check over the text of files:
 *
 * - `src` and `mod.ts` import their own files and modules of effect, and use no global of a runtime;
 * - an adapter imports its own files, `adapters/sql`, public modules of `src`, modules of effect and its driver;
 * - an example imports its own files, and dunnock, effect and Node's modules by name.
 *
 * In `src` and adapters effect is imported module by module (`effect/Effect`, `effect/sql/SqlClient`): bundlers do not
 * shake its barrels (`effect`, `effect/sql`).
 */
import { posix } from "node:path"
import { parseSync } from "oxc-parser"

/** A file: its path from the root, with slashes, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** What the project declares: from deno.json and package.json. */
export interface House {
  /** Entry name (`dunnock/Event`) to the file behind it (`src/event/Event.ts`). */
  readonly entries: ReadonlyMap<string, string>
  /** Packages that adapters may import. */
  readonly drivers: ReadonlySet<string>
}

/** Globals that some runtime lacks, or that tie code to the outside world: Effect has a service for each. */
const runtimeGlobals: ReadonlySet<string> = new Set(
  (
    "process Bun Deno Buffer global globalThis window navigator require __dirname __filename " +
    "console performance crypto fetch XMLHttpRequest WebSocket EventSource localStorage sessionStorage caches " +
    "setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate"
  ).split(" ")
)

/** One line a violation, `path:line message`, in the order of the sources. */
export const violations = (sources: ReadonlyArray<Source>, house: House): ReadonlyArray<string> =>
  sources.flatMap((source) => {
    const area = source.path === "mod.ts" ? "src" : source.path.split("/")[0]
    const rule = rules[area ?? ""]
    if (rule === undefined) return []
    const { imports, globals } = references(source)
    const wrongImports = imports
      .filter(({ name }) => !rule(source.path, name, house))
      .map(({ line, name }) => `${source.path}:${line} must not import "${name}"`)
    const wrongGlobals = (area === "src" ? globals : [])
      .map(({ line, name }) => `${source.path}:${line} must not use ${name}`)
    return [...wrongImports, ...wrongGlobals]
  })

type Rule = (from: string, specifier: string, house: House) => boolean

const rules: Record<string, Rule> = {
  src: (from, specifier) =>
    isEffectModule(specifier) || (target(from, specifier)?.startsWith("src/") ?? false),

  adapters: (from, specifier, { drivers, entries }) => {
    const file = target(from, specifier)
    if (file === undefined) {
      return isEffectModule(specifier) || specifier.startsWith("node:") || drivers.has(packageOf(specifier))
    }
    return file.startsWith(`${folder(from)}/`) || file.startsWith("adapters/sql/") ||
      (file.startsWith("src/") && [...entries.values()].includes(file))
  },

  examples: (from, specifier, { entries }) => {
    const file = target(from, specifier)
    if (file !== undefined) return file.startsWith(`${folder(from)}/`)
    return entries.has(specifier) || packageOf(specifier) === "effect" || specifier.startsWith("node:")
  }
}

/** The file a relative specifier means, from the root; undefined for a package. */
const target = (from: string, specifier: string): string | undefined =>
  specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : undefined

/** `adapters/sqlite` of `adapters/sqlite/mod.ts`. */
const folder = (path: string): string => path.split("/").slice(0, 2).join("/")

const packageOf = (specifier: string): string =>
  specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")

/** Effect's modules are in PascalCase, its barrels are not. */
const isEffectModule = (specifier: string): boolean => /^effect\/(?:[\w-]+\/)*[A-Z]\w*$/.test(specifier)

interface Reference {
  readonly name: string
  readonly line: number
}

interface Node {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

/** What a file imports, also as a type and dynamically, and which runtime globals it names. */
const references = ({ path, text }: Source): { imports: Array<Reference>; globals: Array<Reference> } => {
  const parsed = parseSync(path, text)
  if (parsed.errors.length > 0) throw new Error(`${path}: ${parsed.errors[0]?.message}`)
  const imports: Array<Reference> = []
  const globals: Array<Reference> = []
  const at = (node: Node, name: string): Reference => ({
    name,
    line: text.slice(0, node.start).split("\n").length
  })
  const visit = (node: Node): void => {
    const source = importSource(node)
    if (source !== undefined) imports.push(at(node, source))
    if (node.type === "MetaProperty") globals.push(at(node, "import.meta"))
    if (node.type === "Identifier" && runtimeGlobals.has(node["name"] as string)) {
      globals.push(at(node, node["name"] as string))
    }
    for (const [key, child] of Object.entries(node)) {
      if (!isNameOnly(node, key)) [child].flat().filter(isNode).forEach(visit)
    }
  }
  visit(parsed.program as unknown as Node)
  return { imports, globals }
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value

/** The module that an import, a re-export, an `import()` or an `import("…")` type names. */
const importSource = (node: Node): string | undefined => {
  const source = node["source"]
  if (!isNode(source)) return undefined
  return typeof source["value"] === "string" ? source["value"] : "<computed>"
}

/** Identifiers that are names of members, not references: `.fetch`, `{ fetch: … }`, `Type.fetch`. */
const isNameOnly = (node: Node, key: string): boolean => {
  // of `globalThis.Set` only `Set` counts
  if (isGlobalThisMember(node)) return key === "object" || key === "left"
  return (key === "property" || key === "key") && node["computed"] !== true ||
    node.type === "MetaProperty" ||
    node.type === "TSQualifiedName" && key === "right" ||
    node.type === "ImportSpecifier" && key === "imported" ||
    node.type === "ExportSpecifier" && key === "exported"
}

/** `globalThis.x`, as a value or a type. */
const isGlobalThisMember = (node: Node): boolean => {
  const owner = node["object"] ?? node["left"]
  return isNode(owner) && owner["name"] === "globalThis" &&
    (node.type === "MemberExpression" && node["computed"] !== true || node.type === "TSQualifiedName")
}
