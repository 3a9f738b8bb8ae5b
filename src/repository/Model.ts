// What a schema says of documents: how they are encoded, and of which kind their fields are. Compiled once. Not public.
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaParser from "effect/SchemaParser"
import type { Field, Kind, StoredDocument } from "./DocumentStore.ts"
import { DocumentStoreError, Unreadable } from "./DocumentStoreError.ts"
import * as Input from "./Input.ts"
import type { Document } from "./Queries.ts"
import * as StoredNames from "./StoredNames.ts"
import { messageOf } from "../store/Problem.ts"

/** A field of documents, as conditions need to know it. */
export interface FieldModel {
  readonly field: Field
  /** Whether its values have the order of what is stored of them. */
  readonly ordered: boolean
  /** What is stored of a value; throws what {@link messageOf} puts in words. */
  readonly encode: (value: unknown) => unknown
}

/** A schema of documents, made ready. */
export interface Model<in out A> {
  readonly fields: ReadonlyMap<string, FieldModel>
  /** The JSON text of a value; throws a `DocumentStoreError`. */
  readonly encode: (at: string, value: A) => string
  readonly decode: (
    collection: string,
    stored: StoredDocument
  ) => Result.Result<Document<A>, DocumentStoreError>
}

export const make = <A>(schema: Schema.Codec<A, any>): Model<A> => {
  const codec = Schema.toCodecJson(schema)
  const encode = SchemaParser.encodeUnknownSync(codec)
  const decode = SchemaParser.decodeUnknownSync(codec)
  return {
    fields: fieldsOf(codec.ast),
    encode: (at, value) => {
      try {
        return JSON.stringify(encode(value))
      } catch (error) {
        throw Input.error(at, messageOf(error))
      }
    },
    decode: (collection, stored) => {
      const { createdAt, data, deletedAt, expiresAt, id, position, updatedAt, version } = stored
      try {
        const value = decode(JSON.parse(data)) as A
        return Result.succeed({ id, version, value, position, createdAt, updatedAt, deletedAt, expiresAt })
      } catch (error) {
        const reason = new Unreadable({ collection, id, version, issue: messageOf(error) })
        return Result.fail(new DocumentStoreError({ reason }))
      }
    }
  }
}

/** The fields of a struct, a class, or a union of such, by their names in a document. */
const fieldsOf = (ast: SchemaAST.AST): ReadonlyMap<string, FieldModel> => {
  const found = new Map<string, { readonly stored: string; readonly types: Array<SchemaAST.AST> }>()
  for (const [name, { stored, type }] of membersOf(ast).flatMap((member) => [...StoredNames.of(member)])) {
    for (const each of [name, stored]) {
      if (each.startsWith("$")) throw new Error(`a field's name must not begin with "$": "${each}"`)
    }
    const before = found.get(name)
    if (before === undefined) found.set(name, { stored, types: [type] })
    else if (before.stored === stored) before.types.push(type)
    else {throw new Error(
        `the field "${name}" is stored as "${before.stored}" and as "${stored}": it must be one`
      )}
  }
  return new Map([...found].map(([name, { stored, types }]) => [name, fieldOf(stored, types)]))
}

const membersOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  const to = ast.encoding?.[0].to
  return to?._tag === "Union"
    ? membersOf(to)
    : ast._tag === "Union" && to === undefined
    ? ast.types.flatMap(membersOf)
    : [ast]
}

const fieldOf = (name: string, types: ReadonlyArray<SchemaAST.AST>): FieldModel => {
  const parts = types.flatMap(partsOf)
  const kind = kindOf(parts.map(SchemaAST.toEncoded))
  const plain = parts.every((part) => SchemaAST.toType(part) === part)
  const own = kindOf(parts.map(SchemaAST.toType))
  return {
    field: { name, kind },
    ordered: kind !== "any" && (own === kind || parts.every(isInstant)),
    encode: plain ? (value) => value : SchemaParser.encodeUnknownSync(codecOf(types))
  }
}

const codecOf = (types: ReadonlyArray<SchemaAST.AST>): Schema.Codec<unknown, unknown> =>
  Schema.Union(types.map((type) => Schema.make<Schema.Codec<unknown, unknown>>(type)))

/** What a type is when it is neither null nor absent. */
const partsOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> =>
  ast._tag === "Union" && ast.encoding === undefined
    ? ast.types.flatMap(partsOf)
    : ast._tag === "Null" || ast._tag === "Undefined"
    ? []
    : [ast]

const kindOf = (asts: ReadonlyArray<SchemaAST.AST>): Kind => {
  const kinds = new Set(asts.flatMap(partsOf).map(kindOfOne))
  // A number that is none is stored as a text, which is then as good as null.
  if (kinds.has("number")) kinds.delete("no number")
  const [kind = "any", ...others] = kinds
  return others.length > 0 ? "any" : kind === "no number" ? "text" : kind
}

const kindOfOne = (ast: SchemaAST.AST): Kind | "no number" => {
  switch (ast._tag) {
    case "String":
    case "TemplateLiteral":
      return "text"
    case "Number":
      return "number"
    case "Boolean":
      return "boolean"
    case "Literal":
      return typeof ast.literal === "string" && ["NaN", "Infinity", "-Infinity"].includes(ast.literal)
        ? "no number"
        : kindOfValue(ast.literal)
    case "Enum": {
      const [kind = "any", ...others] = new Set(ast.enums.map(([, value]) => kindOfValue(value)))
      return others.length > 0 ? "any" : kind
    }
    default:
      return "any"
  }
}

const kindOfValue = (value: unknown): Kind =>
  typeof value === "string"
    ? "text"
    : typeof value === "number"
    ? "number"
    : typeof value === "boolean"
    ? "boolean"
    : "any"

/** Whether it is a point in time: its ISO text, like its milliseconds, has the order of time. */
const isInstant = (ast: SchemaAST.AST): boolean => {
  const { _tag, annotations } = SchemaAST.toType(ast)
  const id = (annotations?.representation as { readonly id?: unknown } | undefined)?.id
  return _tag === "Declaration" && (id === "effect/schema/Date" || id === "effect/schema/DateTimeUtc")
}
