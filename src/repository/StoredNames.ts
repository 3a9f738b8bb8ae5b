// Under which names the fields of a document are stored: a schema may rename them (`Schema.encodeKeys`). Not public.
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaGetter from "effect/SchemaGetter"

/** A field: the name it is stored under, and a type that is encoded to what is stored. */
export interface Stored {
  readonly stored: string
  readonly type: SchemaAST.AST
}

type Fields = ReadonlyMap<string, Stored>

/**
 * The fields of a struct or a class that is encoded to JSON, by their names in a document. Those which a transformation
 * makes of others, so that they are not stored as they are, are left out.
 */
export const of = (ast: SchemaAST.AST): Fields => through(undefined, ast) ?? new Map()

/** The fields after one more step on the way to what is stored; undefined as long as there was none that has fields. */
const through = (before: Fields | undefined, ast: SchemaAST.AST): Fields | undefined => {
  const here = ast._tag === "Objects" ? joined(before, ast) : before
  return (ast.encoding ?? []).reduce<Fields | undefined>(
    (fields, { to, transformation }) => through(fields && renamed(fields, transformation), to),
    here
  )
}

const joined = (before: Fields | undefined, { propertySignatures }: SchemaAST.Objects): Fields => {
  const types = new Map(
    propertySignatures.flatMap(({ name, type }) => typeof name === "string" ? [[name, type] as const] : [])
  )
  if (before === undefined) return new Map([...types].map(([name, type]) => [name, { stored: name, type }]))
  return new Map(
    [...before].flatMap(([name, { stored, type }]) => {
      const next = types.get(stored)
      return next === undefined ? [] : [[name, { stored, type: chained(type, next) }] as const]
    })
  )
}

const isPlain = (ast: SchemaAST.AST): boolean => SchemaAST.toType(ast) === ast

/** A type whose values are encoded by the one, and what comes of that by the other. */
const chained = (one: SchemaAST.AST, other: SchemaAST.AST): SchemaAST.AST =>
  isPlain(other) ? one : isPlain(one) ? other : Schema.make<Schema.Codec<unknown, unknown>>(other).pipe(
    Schema.decodeTo(Schema.make<Schema.Codec<unknown, unknown>>(one))
  ).ast

/** Finds out what a transformation renames, with an object that has something of its own in each field. */
const renamed = (fields: Fields, transformation: SchemaAST.Link["transformation"]): Fields => {
  if (transformation._tag !== "Transformation") return fields
  const marks = new Map([...fields.values()].map(({ stored }) => [stored, { stored }]))
  const exit = Effect.runSyncExit(
    Effect.suspend(() =>
      SchemaGetter.run(transformation.encode, Option.some(Object.fromEntries(marks)), {})
    ) as Effect.Effect<Option.Option<unknown>, unknown>
  )
  const encoded = Exit.isSuccess(exit) ? Option.getOrUndefined(exit.value) : undefined
  const names = new Map(Object.entries(encoded ?? {}).map(([name, mark]) => [mark, name]))
  return new Map(
    [...fields].flatMap(([name, { stored, type }]) => {
      const next = names.get(marks.get(stored))
      return next === undefined ? [] : [[name, { stored: next, type }] as const]
    })
  )
}
