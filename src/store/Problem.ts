// What went wrong, in words. Not public.
import { isIssue, makeFormatterDefault } from "effect/SchemaIssue"

const formatIssue = makeFormatterDefault()

/** What was thrown, in words: a value that does not fit a schema is told with what does not fit and where. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? isIssue(error.cause) ? formatIssue(error.cause) : error.message : String(error)
