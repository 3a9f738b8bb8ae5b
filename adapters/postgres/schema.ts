// The tables and functions of an event store on PostgreSQL.
import { type Migrations, schema } from "../sql/migrations.ts"
import { lockTimeout } from "./transaction.ts"

/**
 * The advisory lock of whoever appends, until the transaction has ended: so positions become visible in their order. It is
 * of this table, since a database may hold several logs. Why not a fence by transaction ids: docs/ordering.md.
 */
const lock = "pg_advisory_xact_lock((1685417582::bigint << 32) | 'dunnock_events'::regclass::oid::bigint)"

/** Held while the tables are made; of the database, since the tables are not there yet. */
export const lockSchema = "select pg_advisory_xact_lock(1685417582::bigint << 32)"

/** The migrator would make its table by itself, but not tell why if it may not. */
export const createMigrations = `create table if not exists dunnock_migrations (
  migration_id integer primary key,
  created_at timestamp with time zone not null default now(),
  name text not null
)`

/** The code with which `dunnock_expect` fails. */
export const notAsExpected = "DUN01"

/** The name of the channel on which appends are told. */
export const channel = "'dunnock_' || 'dunnock_events'::regclass::oid"

/** Takes the lock, and gives the newest event's position and time. */
const createLock = `create function dunnock_lock(out newest float8, out recorded float8)
language plpgsql as $$
begin
  perform ${lock};
  select position, recorded_at into newest, recorded from dunnock_events
    order by position desc limit 1;
  newest := coalesce(newest, 0);
  recorded := coalesce(recorded, 0);
end $$`

/**
 * Appends a batch in one statement, if all that was assumed of the log is so; if not, it writes nothing and `before` is
 * null. Assumed is: no event has one of the ids that are `given`, and the streams have these revisions (null: any, -1:
 * any but 0). An event comes with the `place` of its stream among those of the batch and with how many `steps` its
 * revision is above that which the stream had. Gives the position of the newest event before these, and the revisions.
 *
 * Listeners are told from within. PostgreSQL commits those who notify one after the other, but appends are anyway; it
 * made no difference that could be measured, and telling them afterwards would be another statement, and lost if the
 * process dies in between.
 *
 * Every statement of the function sees what was committed when it began: those behind the lock see all earlier appends.
 * Planning anew what takes arrays would cost more than running it, and so would arrays where there is one event.
 */
const createAppend = `create function dunnock_append(
  streams text[], assumed float8[], given text[],
  event_streams text[], places int[], steps int[], ids text[], types text[], versions float8[], data_texts text[],
  metadata_texts text[], tags_texts text[],
  tag_names text[], tag_events int[], now float8,
  out before float8, out revisions float8[]
)
language plpgsql set lock_timeout = '${lockTimeout}' set plan_cache_mode = force_generic_plan as $$
declare
  newest bigint;
  newest_at bigint;
  agreed boolean;
begin
  perform ${lock};
  select position, recorded_at into newest, newest_at from dunnock_events order by position desc limit 1;
  if cardinality(streams) = 1 then
    revisions := array[coalesce((select max(revision) from dunnock_events where stream = streams[1]), 0)::float8];
    agreed := case assumed[1] when -1 then revisions[1] > 0 else revisions[1] = assumed[1] end;
  else
    select
      array_agg(found.revision order by known.n),
      bool_and(case known.revision when -1 then found.revision > 0 else found.revision = known.revision end)
    into revisions, agreed
    from unnest(streams, assumed) with ordinality as known (stream, revision, n)
    cross join lateral (
      select coalesce(max(event.revision), 0)::float8 as revision from dunnock_events as event
      where event.stream = known.stream
    ) as found;
  end if;
  if agreed is false then return; end if;
  if cardinality(given) > 0 and exists (select from dunnock_events where id = any(given)) then return; end if;
  before := coalesce(newest, 0);
  if cardinality(event_streams) = 1 then
    insert into dunnock_events
      (position, stream, revision, id, type, version, data, metadata, tags, recorded_at)
    values (before + 1, event_streams[1], revisions[places[1]] + steps[1], ids[1], types[1], versions[1], data_texts[1],
      metadata_texts[1], tags_texts[1], greatest(now, newest_at));
  else
    insert into dunnock_events
      (position, stream, revision, id, type, version, data, metadata, tags, recorded_at)
    select before + e.n, e.stream, revisions[e.place] + e.step, e.id, e.type, e.version, e.data, e.metadata, e.tags,
      greatest(now, newest_at)
    from unnest(event_streams, places, steps, ids, types, versions, data_texts, metadata_texts, tags_texts)
      with ordinality as e (stream, place, step, id, type, version, data, metadata, tags, n);
  end if;
  if cardinality(tag_names) > 0 then
    insert into dunnock_event_tags (tag, position)
    select e.tag, before + e.n from unnest(tag_names, tag_events) as e (tag, n);
  end if;
  perform pg_notify(${channel}, '');
end $$`

/** Fails if not as many rows were written as there were to be: some were not as expected. Rolls the transaction back. */
const createExpect = `create function dunnock_expect(written bigint, expected bigint) returns void
language plpgsql as $$
begin
  if written <> expected then
    raise exception '% of % documents are not as expected', expected - written, expected using errcode = '${notAsExpected}';
  end if;
end $$`

/** Functions that change the log set this for their transaction; nobody else does. */
const createRefuse = `create function dunnock_refuse() returns trigger language plpgsql as $$
begin
  if current_setting('dunnock.may_change', true) is distinct from 'yes' then
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
  end if;
  return null;
end $$`

export const migrations: Migrations = schema({
  text: `text collate "C"`,
  name: `text collate "C"`,
  single: "text not null",
  integer: "bigint",
  table: "",
  keyTable: "",
  whereGiven: (column) => `where ${column} is not null`,
  appendOnly: [
    createRefuse,
    ...["dunnock_events", "dunnock_event_tags"].map((table) =>
      `create trigger ${table}_append_only before update or delete or truncate on ${table}
      for each statement execute function dunnock_refuse()`
    )
  ],
  functions: [createLock, createAppend, createExpect],
  newId: "gen_random_uuid()::text"
})
