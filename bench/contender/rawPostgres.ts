import { decide, empty, evolve, type Item, items } from "../lib/Cart.ts"
import { type Client, isDuplicate, once, type Pool, pool, use } from "../lib/Postgres.ts"
import type { Commands } from "../lib/Store.ts"

/** An event as it is read. */
interface Row {
  readonly data: Item
}

/** The table of events: `pg` parses `jsonb`, and prepares statements with a name. */
export const schema = `create table event (
  position bigint generated always as identity, stream text not null, revision int not null, type text not null,
  data jsonb not null, at timestamptz not null default now(), primary key (stream, revision));
create index on event (position)`

const load = (client: Client, stream: string) =>
  client.query<Row>({
    name: "load",
    text: "select revision, type, data from event where stream = $1 order by revision",
    values: [stream]
  })

const insert = (client: Client, stream: string, revision: number, item: Item) =>
  client.query({
    name: "insert",
    text: "insert into event (stream, revision, type, data) values ($1, $2, 'ItemAdded', $3)",
    values: [stream, revision, JSON.stringify(item)]
  })

const fold = (rows: ReadonlyArray<Row>) => rows.reduce((cart, row) => evolve(cart, row.data), empty)

/** Two statements, each on a connection of the pool, each committed by itself; repeated after a conflict. */
const addItem = async (pool: Pool, stream: string, item: Item): Promise<void> => {
  const { rows } = await use(pool, (client) => load(client, stream))
  const added = decide(fold(rows), item)
  try {
    await use(pool, (client) => insert(client, stream, rows.length + 1, added))
  } catch (error) {
    if (!isDuplicate(error)) throw error
    await addItem(pool, stream, item)
  }
}

/** Appends the first `each` items to each stream, one stream after another. */
export const seed = async (pool: Pool, streams: ReadonlyArray<string>, each: number): Promise<void> => {
  const text = `insert into event (stream, revision, type, data)
    select stream, revision, 'ItemAdded', ($2::jsonb[])[revision]
    from unnest($1::text[]) as stream, generate_series(1, $3::int) as revision`
  await use(
    pool,
    (client) => client.query(text, [streams, items(each).map((item) => JSON.stringify(item)), each])
  )
}

const make = (url: string, pool: Pool, command: Commands["command"]): Commands => ({
  command,
  seed: (streams, each) => seed(pool, streams, each),
  count: async () => Number((await once<{ count: string }>(url, "select count(*) from event"))[0]?.count),
  close: () => pool.end()
})

/** Statements on `pg`, written by hand. */
export const open = async (url: string): Promise<Commands> => {
  await once(url, schema)
  const opened = await pool(url)
  return make(url, opened, (stream, item) => addItem(opened, stream, item))
}

interface Waiting {
  readonly stream: string
  readonly item: Item
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/** At most one command of each stream; the others wait for the next group. */
const take = (waiting: ReadonlyArray<Waiting>) => {
  const taken = new Map<string, Waiting>()
  const left = waiting.filter((command) => {
    if (taken.has(command.stream)) return true
    taken.set(command.stream, command)
    return false
  })
  return { taken, left }
}

/** Loads, decides and inserts for many streams in two statements. */
const addItems = async (client: Client, commands: ReadonlyMap<string, Waiting>): Promise<void> => {
  const { rows } = await client.query<Row & { stream: string }>({
    name: "load many",
    text: "select stream, type, data from event where stream = any($1::text[]) order by stream, revision",
    values: [[...commands.keys()]]
  })
  const loaded = Map.groupBy(rows, ({ stream }) => stream)
  const added = [...commands.values()].map(({ item, stream }) => {
    const events = loaded.get(stream) ?? []
    return { stream, revision: events.length + 1, data: JSON.stringify(decide(fold(events), item)) }
  })
  await client.query({
    name: "insert many",
    text: `insert into event (stream, revision, type, data)
      select stream, revision, 'ItemAdded', data from unnest($1::text[], $2::int[], $3::jsonb[]) as e(stream, revision, data)`,
    values: [
      added.map(({ stream }) => stream),
      added.map(({ revision }) => revision),
      added.map(({ data }) => data)
    ]
  })
}

/** The same, but the commands that arrive during a group of two statements make the next one. */
export const openGrouped = async (url: string): Promise<Commands> => {
  await once(url, schema)
  const opened = await pool(url)
  let waiting: Array<Waiting> = []
  let isBusy = false

  const work = async () => {
    isBusy = true
    while (waiting.length > 0) {
      const { left, taken } = take(waiting)
      waiting = left
      try {
        await use(opened, (client) => addItems(client, taken))
        for (const { done } of taken.values()) done()
      } catch (error) {
        for (const { failed } of taken.values()) failed(error)
      }
    }
    isBusy = false
  }

  return make(url, opened, (stream, item) =>
    new Promise<void>((done, failed) => {
      waiting.push({ stream, item, done, failed })
      if (!isBusy) {
        isBusy = true
        queueMicrotask(() => void work())
      }
    }))
}
