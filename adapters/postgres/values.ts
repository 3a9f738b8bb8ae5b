// Lists as parameters. Their type is said, since it cannot be seen where all of their values are null.
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"

const list = (oid: number) => (values: ReadonlyArray<unknown>): unknown =>
  Result.getOrThrow(PgTypes.array(values, oid))

export const textArray: (values: ReadonlyArray<string | null>) => unknown = list(PgTypes.OID.text)

/** Integers of 32 bits. */
export const integerArray: (values: ReadonlyArray<number | null>) => unknown = list(PgTypes.OID.int4)

/** Numbers; integers are exact up to 2^53. */
export const numberArray: (values: ReadonlyArray<number | null>) => unknown = list(PgTypes.OID.float8)
