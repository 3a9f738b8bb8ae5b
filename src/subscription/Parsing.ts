// Decodes the documents of subscriptions. Not public.
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import type { Collection, StoredDocument } from "../repository/DocumentStore.ts"
import { DocumentStoreError, Unreadable } from "../repository/DocumentStoreError.ts"
import { messageOf } from "../store/Problem.ts"

export const make = <A>(
  collection: Collection,
  schema: Schema.Codec<A, any>
): (document: StoredDocument) => Effect.Effect<A, DocumentStoreError> => {
  const decode = SchemaParser.decodeUnknownSync(schema)
  return ({ data, id, version }) =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(decode(JSON.parse(data)))
      } catch (error) {
        const reason = new Unreadable({ collection: collection.name, id, version, issue: messageOf(error) })
        return Effect.fail(new DocumentStoreError({ reason }))
      }
    })
}
