// The statements that write documents. Ids come in order, so that those who write the same ones wait for each other
// instead of for ever.
import type { Collection, StoredDocument, Write } from "../../src/repository/DocumentStore.ts"
import { tableOf } from "../sql/Collections.ts"
import { inIdOrder } from "../sql/Commits.ts"
import type { Rows, Statement } from "../sql/EventLog.ts"
import { numberArray, textArray } from "./values.ts"

const alive = (table: string, now: string): string =>
  `(${table}.expires_at is null or ${table}.expires_at > ${now})`

/** Fails unless a statement that returns a row for each document has found all of them. */
const expecting = (statement: string, count: number, parameters: ReadonlyArray<unknown>): Statement => [
  `with written as (${statement}) select dunnock_expect((select count(*) from written), $${
    parameters.length + 1
  })`,
  [...parameters, count]
]

const set = ["version", "data", "position", "created_at", "updated_at", "deleted_at", "expires_at"]
  .map((column) => `${column} = excluded.${column}`).join(", ")

/** Inserts documents and replaces those that have the version before, or have expired; fails if one is other than that. */
export const putPlanned = (
  collection: Collection,
  documents: ReadonlyArray<StoredDocument>,
  now: number
): Statement => {
  const sorted = inIdOrder(documents)
  return expecting(
    `insert into ${tableOf(collection)} as stored
      (id, version, data, position, created_at, updated_at, deleted_at, expires_at)
    select e.id, e.version, e.data::json, e.position, e.created_at, $1, null, e.expires_at
    from unnest($2::text[], $3::float8[], $4::text[], $5::float8[], $6::float8[], $7::float8[])
      as e (id, version, data, position, created_at, expires_at)
    on conflict (id) do update set ${set}
    where stored.version = excluded.version - 1 or stored.expires_at <= $1
    returning 1`,
    documents.length,
    [
      now,
      textArray(sorted.map(({ id }) => id)),
      numberArray(sorted.map(({ version }) => version)),
      textArray(sorted.map(({ data }) => data)),
      numberArray(sorted.map(({ position }) => position)),
      numberArray(sorted.map(({ createdAt }) => createdAt)),
      numberArray(sorted.map(({ expiresAt }) => expiresAt ?? null))
    ]
  )
}

type Put = Extract<Write, { readonly op: "put" }>

const lists = (puts: ReadonlyArray<Put>): ReadonlyArray<unknown> => [
  textArray(puts.map(({ id }) => id)),
  textArray(puts.map(({ data }) => data)),
  numberArray(puts.map(({ position }) => position)),
  numberArray(puts.map(({ expiresAt }) => expiresAt ?? null))
]

/** Inserts documents that are absent; fails if one is there. */
const putAbsent = (collection: Collection, puts: ReadonlyArray<Put>, now: number): Statement =>
  putPlanned(
    collection,
    puts.map(({ data, expiresAt, id, position }) => ({
      id,
      version: 1,
      data,
      position,
      createdAt: now,
      updatedAt: now,
      deletedAt: undefined,
      expiresAt
    })),
    now
  )

/** Replaces documents that have the versions which are expected; fails if one has another. */
const replace = (collection: Collection, puts: ReadonlyArray<Put>, now: number): Statement => {
  const sorted = inIdOrder(puts)
  return expecting(
    `update ${tableOf(collection)} as stored set version = stored.version + 1, data = e.data::json,
      position = e.position, updated_at = $1, deleted_at = null, expires_at = e.expires_at
    from unnest($2::text[], $3::text[], $4::float8[], $5::float8[], $6::float8[])
      as e (id, data, position, expires_at, expected)
    where stored.id = e.id and stored.version = e.expected and ${alive("stored", "$1")}
    returning 1`,
    puts.length,
    [now, ...lists(sorted), numberArray(sorted.map(({ expected }) => expected as number))]
  )
}

/** Puts documents whatever they are now, and gives their ids and versions. */
const putAny = (collection: Collection, puts: ReadonlyArray<Put>, now: number): Statement => [
  `insert into ${tableOf(collection)} as stored
    (id, version, data, position, created_at, updated_at, deleted_at, expires_at)
  select e.id, 1, e.data::json, e.position, $1, $1, null, e.expires_at
  from unnest($2::text[], $3::text[], $4::float8[], $5::float8[]) as e (id, data, position, expires_at)
  on conflict (id) do update set
    version = case when ${alive("stored", "$1")} then stored.version + 1 else 1 end,
    created_at = case when ${alive("stored", "$1")} then stored.created_at else $1 end,
    data = excluded.data, position = excluded.position, updated_at = $1, deleted_at = null,
    expires_at = excluded.expires_at
  returning id, version::float8`,
  [now, ...lists(inIdOrder(puts))]
]

type Versioned = Pick<Write, "id" | "expected">

const among = (writes: ReadonlyArray<Versioned>): ReadonlyArray<unknown> => {
  const sorted = inIdOrder(writes)
  return [
    textArray(sorted.map(({ id }) => id)),
    numberArray(sorted.map(({ expected }) => expected as number))
  ]
}

const asExpected = `stored.id = e.id and stored.version = e.expected and ${alive("stored", "$1")}`

const removeExpected = (collection: Collection, removes: ReadonlyArray<Versioned>, now: number): Statement =>
  expecting(
    `delete from ${tableOf(collection)} as stored using unnest($2::text[], $3::float8[]) as e (id, expected)
    where ${asExpected} returning 1`,
    removes.length,
    [now, ...among(removes)]
  )

const removeAny = (collection: Collection, removes: ReadonlyArray<Versioned>): Statement => [
  `delete from ${tableOf(collection)} where id = any($1)`,
  [textArray(inIdOrder(removes).map(({ id }) => id))]
]

const check = (collection: Collection, checks: ReadonlyArray<Versioned>, now: number): Statement =>
  expecting(
    `select 1 from ${tableOf(collection)} as stored, unnest($2::text[], $3::float8[]) as e (id, expected)
    where ${asExpected} for share of stored`,
    checks.length,
    [now, ...among(checks)]
  )

type Kind = "any" | "absent" | "replace" | "removeAny" | "remove" | "check"

/** How a write is made without a look at what is there; undefined if it cannot be. */
const kindOf = ({ expected, op }: Write): Kind | undefined => {
  switch (op) {
    case "put":
      return expected === "any" ? "any" : expected === 0 ? "absent" : "replace"
    case "remove":
      return expected === "any" ? "removeAny" : expected === 0 ? undefined : "remove"
    case "check":
      return expected === "any" || expected === 0 ? undefined : "check"
    case "delete":
      return undefined
  }
}

const toStatement = (
  kind: Kind,
  collection: Collection,
  writes: ReadonlyArray<Write>,
  now: number
): Statement => {
  switch (kind) {
    case "any":
      return putAny(collection, writes as ReadonlyArray<Put>, now)
    case "absent":
      return putAbsent(collection, writes as ReadonlyArray<Put>, now)
    case "replace":
      return replace(collection, writes as ReadonlyArray<Put>, now)
    case "removeAny":
      return removeAny(collection, writes)
    case "remove":
      return removeExpected(collection, writes, now)
    case "check":
      return check(collection, writes, now)
  }
}

/** Statements that make writes without a look at what is there; they fail if one is not as expected. */
export interface Blind {
  readonly statements: ReadonlyArray<Statement>
  /** The new versions, given the rows of each statement. */
  readonly versions: (rows: ReadonlyArray<Rows>) => ReadonlyArray<number>
}

/** Undefined if the writes cannot be made so. */
export const blind = (writes: ReadonlyArray<Write>, now: number): Blind | undefined => {
  const groups = new Map<string, { kind: Kind; collection: Collection; writes: Array<Write> }>()
  for (const write of writes) {
    const kind = kindOf(write)
    if (kind === undefined) return undefined
    const { collection } = write
    const key = `${tableOf(collection)} ${kind}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { kind, collection, writes: [write] })
    else group.writes.push(write)
  }
  const keys = [...groups.keys()].toSorted()
  const sorted = keys.map((key) => groups.get(key)!)
  return {
    statements: sorted.map(({ collection, kind, writes }) => toStatement(kind, collection, writes, now)),
    versions: (rows) => {
      const given = new Map<Write, number>()
      for (const [i, { kind, writes }] of sorted.entries()) {
        if (kind !== "any") continue
        const versions = new Map(rows[i] as ReadonlyArray<[string, number]>)
        for (const write of writes) given.set(write, versions.get(write.id)!)
      }
      return writes.map((write) => given.get(write) ?? expectedNext(write))
    }
  }
}

const expectedNext = ({ expected, op }: Write): number =>
  op === "remove" ? 0 : op === "check" ? expected as number : (expected as number) + 1
