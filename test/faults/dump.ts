/** What `pg_dump` and a restore do, as far as these tests need it: the npm package of PostgreSQL comes without. */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { client } from "../services/Postgres.ts"

/** The statements that make a database again; the data is in a folder of files. */
export type Dump = ReadonlyArray<string>

const inPublic = "'public'::regnamespace"

/** The definitions of functions, and of tables without what is made when they are full. */
const before = `
  select pg_get_functiondef(oid) as statement from pg_proc where pronamespace = ${inPublic}
  union all
  select format('create table %I (%s)', relname, (
    select string_agg(format('%I %s %s %s %s', attname, format_type(atttypid, atttypmod),
      (select 'collate ' || quote_ident(collname) from pg_collation
        where pg_collation.oid = attcollation and collname <> 'default'),
      case when attnotnull then 'not null' end,
      case attgenerated when 's' then format('generated always as (%s) stored', pg_get_expr(adbin, adrelid))
        when '' then 'default ' || pg_get_expr(adbin, adrelid) end
    ), ', ' order by attnum)
    from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where attrelid = pg_class.oid and attnum > 0 and not attisdropped
  )) from pg_class where relnamespace = ${inPublic} and relkind = 'r'`

/** The tables, and their columns that hold data. */
const tables = `
  select quote_ident(relname) as name, (
    select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
    where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = ''
  ) as columns from pg_class where relnamespace = ${inPublic} and relkind = 'r'`

const after = `
  select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    as statement
  from pg_constraint where connamespace = ${inPublic} and conrelid <> 0 and contype <> 'n'
  union all
  select pg_get_indexdef(indexrelid) from pg_index join pg_class on pg_class.oid = indrelid
  where relnamespace = ${inPublic} and not exists (select from pg_constraint where conindid = indexrelid)
  union all
  select pg_get_triggerdef(pg_trigger.oid) from pg_trigger join pg_class on pg_class.oid = tgrelid
  where relnamespace = ${inPublic} and not tgisinternal`

/** Dumps a database as of one moment. The folder is one that the server can write to. */
export const dump = (url: string, folder: string): Effect.Effect<Dump, SqlError> =>
  Effect.scoped(Effect.gen(function* () {
    const sql = yield* client(url)
    const statements = (query: string) =>
      Effect.map(
        sql.unsafe<{ readonly statement: string }>(query),
        (rows) => rows.map(({ statement }) => statement)
      )
    return yield* sql.withTransaction(Effect.gen(function* () {
      yield* sql.unsafe("set transaction isolation level repeatable read")
      const made = yield* statements(before)
      const copies: Array<string> = []
      for (const { columns, name } of yield* sql.unsafe<{ name: string; columns: string }>(tables)) {
        const file = `'${folder}/${name}.copy'`
        yield* sql.unsafe(`copy ${name} (${columns}) to ${file}`)
        copies.push(`copy ${name} (${columns}) from ${file}`)
      }
      return ["set check_function_bodies = off", ...made, ...copies, ...yield* statements(after)]
    }))
  }))

/** Makes, in an empty database, what a dump holds. */
export const restore = (url: string, statements: Dump): Effect.Effect<void, SqlError> =>
  Effect.scoped(
    Effect.flatMap(client(url), (sql) =>
      Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }))
  )
