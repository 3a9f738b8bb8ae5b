// What checking a program with dunnock costs, beside the same program by hand: `bun test/types/cost.ts`.
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root, run } from "../house/check.ts"

const folder = join(root, ".cache/cost")
const tsc = join(root, "node_modules/.bin/tsc")

const compile = (...args: ReadonlyArray<string>): string => {
  const { ok, stderr, stdout } = run([tsc, "--pretty", "false", ...args], root)
  if (!ok) throw new Error(`${stdout}${stderr}`)
  return stdout
}

// What a user's compiler reads: declarations, not sources.
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
compile("-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", join(folder, "types"))

/** The instantiations of types, and the milliseconds of checking: the least of some runs. */
const measure = (program: string): { readonly instantiations: number; readonly ms: number } => {
  const config = join(folder, `${program}.json`)
  writeFileSync(
    config,
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions: {
        types: [],
        paths: { dunnock: ["./types/mod.d.ts"], "dunnock/memory": ["./types/adapters/memory/mod.d.ts"] }
      },
      include: [`../../test/types/cost/${program}.ts`]
    })
  )
  const runs = Array.from({ length: 3 }, () => {
    const figures = compile("-p", config, "--extendedDiagnostics", "--singleThreaded")
    const figure = (name: string) => Number(new RegExp(`^${name}:\\s+([\\d.]+)`, "m").exec(figures)?.[1])
    return { instantiations: figure("Instantiations"), ms: figure("Check time") * 1_000 }
  })
  return { instantiations: runs[0]!.instantiations, ms: Math.min(...runs.map(({ ms }) => ms)) }
}

const [effect, dunnock] = [measure("effect"), measure("dunnock")]
const row = (name: string, count: unknown, ms: unknown) =>
  console.log(name.padEnd(20), `${count}`.padStart(16), `${ms}`.padStart(12))
row("", "instantiations", "check, ms")
row("by hand", effect.instantiations, Math.round(effect.ms))
row("with dunnock", dunnock.instantiations, Math.round(dunnock.ms))
row(
  "ratio",
  (dunnock.instantiations / effect.instantiations).toFixed(2),
  (dunnock.ms / effect.ms).toFixed(2)
)
