import { describe, expect, test } from "bun:test"
import { DocumentStore, Repository } from "dunnock"
import { Duration, Effect, Option, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { order, Orders, run } from "./fixture.ts"

/** The ids of what was found. */
const ids = (documents: ReadonlyArray<Repository.Document<unknown>>) => documents.map(({ id }) => id)

/** The reason for which an effect fails. */
const reason = <A, R>(
  effect: Effect.Effect<A, { readonly reason: { readonly _tag: string; readonly message: string } }, R>
) => Effect.map(Effect.flip(effect), ({ reason }) => `${reason._tag}: ${reason.message}`)

const Notes = Repository.make("notes", { schema: Schema.Struct({ text: Schema.String }) })
const Sessions = Repository.make("sessions", {
  schema: Schema.Struct({ user: Schema.String }),
  timeToLive: "1 hour"
})

describe("saving", () => {
  test("inserts or replaces, with versions and times", () =>
    run(Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      expect(yield* Orders.save("o-1", order)).toBe(1)
      yield* TestClock.setTime(2_000)
      expect(yield* Orders.save("o-1", { ...order, total: 7 })).toBe(2)
      expect(Option.getOrThrow(yield* Orders.get("o-1"))).toEqual({
        id: "o-1",
        version: 2,
        value: { ...order, total: 7 },
        position: 0,
        createdAt: 1_000,
        updatedAt: 2_000,
        deletedAt: undefined,
        expiresAt: undefined
      })
    })))

  test("gives every value back as it was", () =>
    run(Effect.gen(function* () {
      const value = {
        ...order,
        paidAt: new Date(1e12),
        points: 12_345_678_901_234_567_890n,
        weight: Infinity,
        note: 'a "note"\n😀',
        code: -0.5
      }
      yield* Orders.save("o-1", value)
      expect(Option.getOrThrow(yield* Orders.get("o-1")).value).toEqual(value)
    })))

  test("happens only at the expected version", () =>
    run(Effect.gen(function* () {
      expect(yield* reason(Notes.save("a", { text: "" }, { expected: 1 }))).toBe(
        'VersionConflict: document "a" of "notes" was expected at version 1 but is absent'
      )
      yield* Notes.save("a", { text: "" }, { expected: 0 })
      expect(yield* Notes.save("a", { text: "" }, { expected: 1 })).toBe(2)
      expect(yield* reason(Notes.delete("a", { expected: 1 }))).toStartWith("VersionConflict")
      expect(yield* reason(Notes.remove("a", { expected: 3 }))).toStartWith("VersionConflict")
      yield* Notes.remove("a", { expected: 2 })
    })))

  test("refuses a value that does not fit the schema, and says why", () =>
    run(Effect.gen(function* () {
      // @ts-expect-error: JavaScript may
      expect(yield* reason(Notes.save("a", { text: 7 }))).toMatch(/InvalidInput: the document "a": .*string/)
      // @ts-expect-error: JavaScript may
      expect(yield* reason(Notes.saveMany([["a", { text: "" }], ["b", null]]))).toMatch(/the document "b"/)
      expect(yield* reason(Notes.save("", { text: "" }))).toBe(
        "InvalidInput: writes[0].id: must not be empty"
      )
      expect(yield* reason(Notes.save("a", { text: "\0" }))).toMatch(/writes\[0\]\.data: holds a NUL/)
      // @ts-expect-error: JavaScript may
      expect(yield* reason(Notes.save("a", { text: "" }, { expected: "1" }))).toMatch(/writes\[0\]\.expected/)
      expect(yield* Notes.count()).toBe(0)
    })))

  test("inserting fails if there is a document, be it deleted", () =>
    run(Effect.gen(function* () {
      expect(yield* Notes.insert("a", { text: "one" })).toBe(1)
      expect(yield* reason(Notes.insert("a", { text: "two" }))).toStartWith("VersionConflict")
      yield* Notes.delete("a")
      expect(yield* reason(Notes.insert("a", { text: "two" }))).toStartWith("VersionConflict")
      yield* Notes.remove("a")
      expect(yield* Notes.insert("a", { text: "two" })).toBe(1)
    })))
})

describe("updating", () => {
  test("saves what the function makes of the document", () =>
    run(Effect.gen(function* () {
      yield* Orders.save("o-1", order)
      const updated = yield* Orders.update(
        "o-1",
        (value, { version }) => ({ ...value, total: value.total + version })
      )
      expect(updated).toEqual(Option.some({ version: 2, value: { ...order, total: 101 } }))
      expect(Option.getOrThrow(yield* Orders.get("o-1")).value.total).toBe(101)
    })))

  test("gives none, and writes nothing, if the document is absent or deleted", () =>
    run(Effect.gen(function* () {
      expect(yield* Orders.update("o-1", (value) => value)).toEqual(Option.none())
      yield* Orders.save("o-2", order)
      yield* Orders.delete("o-2")
      expect(yield* Orders.update("o-2", (value) => value)).toEqual(Option.none())
      expect(yield* Orders.count()).toBe(0)
    })))

  test("is done again when another came first, and loses no change", () =>
    run(Effect.gen(function* () {
      yield* Orders.save("o-1", { ...order, total: 0 })
      const add = Orders.update("o-1", (value) =>
        Effect.as(Effect.yieldNow, { ...value, total: value.total + 1 }), {
        attempts: 1_000
      })
      yield* Effect.forkChild(Effect.forever(TestClock.adjust("1 second")))
      yield* Effect.all(
        Array.from({ length: 20 }, () =>
          add),
        { concurrency: "unbounded", discard: true }
      )
      const { value, version } = Option.getOrThrow(yield* Orders.get("o-1"))
      expect([value.total, version]).toEqual([20, 21])
    })))

  test("gives up when others always come first", () =>
    run(Effect.gen(function* () {
      yield* Notes.save("a", { text: "" })
      let times = 0
      const update = Notes.update("a", (value) => {
        times++
        return Effect.as(Notes.save("a", { text: "other" }), value)
      }, { attempts: 1 })
      expect(yield* reason(update)).toStartWith("VersionConflict")
      expect(times).toBe(1)
    })))

  test("fails as the function fails, and writes nothing", () =>
    run(Effect.gen(function* () {
      yield* Notes.save("a", { text: "" })
      expect(yield* Effect.flip(Notes.update("a", () => Effect.fail("no" as const)))).toBe("no")
      // @ts-expect-error: JavaScript may
      expect(yield* reason(Notes.update("a", () => ({ text: 1 })))).toMatch(/^InvalidInput: the document "a"/)
      expect(Option.getOrThrow(yield* Notes.get("a")).version).toBe(1)
    })))

  test("leaves the expiry as it was", () =>
    run(Effect.gen(function* () {
      yield* Sessions.save("s", { user: "ann" })
      yield* TestClock.adjust("30 minutes")
      yield* Sessions.update("s", ({ user }) => ({ user: `${user}!` }))
      yield* TestClock.adjust("31 minutes")
      expect(yield* Sessions.get("s")).toEqual(Option.none())
    })))
})

describe("deleting", () => {
  test("softly leaves a document out until it is asked for, and saving restores it", () =>
    run(Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      yield* Notes.saveMany([["a", { text: "a" }], ["b", { text: "b" }], ["c", { text: "c" }]])
      yield* Notes.delete("b")
      expect(yield* Notes.get("b")).toEqual(Option.none())
      const deleted = Option.getOrThrow(yield* Notes.get("b", { deleted: "with" }))
      expect([deleted.value.text, deleted.deletedAt, deleted.version]).toEqual(["b", 5_000, 2])
      expect(yield* Notes.get("a", { deleted: "only" })).toEqual(Option.none())
      expect(ids(yield* Notes.getMany(["c", "b", "a"]))).toEqual(["c", "a"])
      expect(ids(yield* Notes.find())).toEqual(["a", "c"])
      expect(ids(yield* Notes.find({ deleted: "only" }))).toEqual(["b"])
      expect(yield* Notes.count({ deleted: "with" })).toBe(3)
      expect(yield* Notes.exists({ where: { $id: "b" } })).toBe(false)
      yield* Notes.save("b", { text: "again" })
      expect(ids(yield* Notes.find())).toEqual(["a", "b", "c"])
    })))

  test("many at once, softly or for good", () =>
    run(Effect.gen(function* () {
      yield* Notes.saveMany(["a", "b", "c", "d"].map((id) => [id, { text: id }]))
      yield* Notes.deleteMany(["a", "b", "none"])
      yield* Notes.removeMany(["b", "c", "none"])
      expect(ids(yield* Notes.find({ deleted: "with" }))).toEqual(["a", "d"])
    })))
})

describe("a transaction", () => {
  test("makes changes of several repositories together", () =>
    run(Effect.gen(function* () {
      yield* Notes.save("old", { text: "" })
      const versions = yield* Repository.transaction([
        Orders.write.insert("o-1", order),
        Notes.write.save("n-1", { text: "new" }),
        Notes.write.check("old", 1),
        Notes.write.delete("none")
      ])
      expect(versions).toEqual([1, 1, 1, 0])
    })))

  test("makes none of them if one is refused", () =>
    run(Effect.gen(function* () {
      yield* Notes.save("old", { text: "" })
      for (
        const bad of [
          Notes.write.insert("old", { text: "" }),
          Notes.write.check("old", 2),
          Notes.write.remove("old", { expected: 3 }),
          // @ts-expect-error: JavaScript may
          Notes.write.save("bad", { text: 1 })
        ]
      ) {
        yield* Effect.flip(Repository.transaction([Orders.write.save("o-1", order), bad]))
      }
      const twice = Repository.transaction([Notes.write.delete("old"), Notes.write.remove("old")])
      expect(yield* reason(twice)).toBe('InvalidInput: writes[1].id: names document "old" of "notes" again')
      expect([yield* Orders.count(), yield* Notes.count()]).toEqual([0, 1])
    })))
})

describe("expiry", () => {
  test("is that of the repository, or of what is saved", () =>
    run(Effect.gen(function* () {
      yield* Sessions.saveMany([["default", { user: "" }]])
      yield* Sessions.save("short", { user: "" }, { timeToLive: "1 minute" })
      yield* Sessions.save("until", { user: "" }, { expiresAt: new Date(Duration.toMillis("2 hours")) })
      yield* Sessions.save("forever", { user: "" }, { timeToLive: Duration.infinity })
      yield* TestClock.adjust("1 minute")
      expect(ids(yield* Sessions.find())).toEqual(["default", "forever", "until"])
      yield* TestClock.adjust("1 hour")
      expect(ids(yield* Sessions.find())).toEqual(["forever", "until"])
      expect(yield* Sessions.clearExpired).toBe(2)
      expect(yield* Sessions.clearExpired).toBe(0)
      yield* TestClock.adjust("1 hour")
      expect(ids(yield* Sessions.find())).toEqual(["forever"])
    })))
})

describe("reading", () => {
  test("a page says how many there are on all pages", () =>
    run(Effect.gen(function* () {
      yield* Orders.saveMany(Array.from({ length: 9 }, (_, i) => [`o-${i}`, { ...order, total: i * 10 }]))
      const page = yield* Orders.page({
        where: { total: { gte: 20 } },
        sort: { total: "desc" },
        limit: 3,
        offset: 3
      })
      expect([ids(page.documents), page.total]).toEqual([["o-5", "o-4", "o-3"], 7])
      expect(Option.map(yield* Orders.findFirst({ sort: { total: "desc" } }), ({ id }) => id)).toEqual(
        Option.some("o-8")
      )
      expect(yield* Orders.findFirst({ where: { total: 1 } })).toEqual(Option.none())
      expect(yield* Orders.exists({ where: { total: 80 } })).toBe(true)
      expect(yield* Orders.exists({ where: { total: 81 } })).toBe(false)
      expect(yield* Orders.exists()).toBe(true)
    })))

  test("a stream gives every document once, page by page, in the order of their ids", () =>
    run(Effect.gen(function* () {
      const store = yield* DocumentStore.DocumentStore
      let largest = 0
      const watched = {
        ...store,
        find: (collection: DocumentStore.Collection, selection: DocumentStore.Selection) => {
          largest = Math.max(largest, selection.limit)
          return store.find(collection, selection)
        }
      }
      yield* Orders.saveMany(
        Array.from({ length: 1_000 }, (_, i) => [`${10_000 + i}`, { ...order, total: i }])
      )
      const stream = Orders.stream({ where: { $or: [{ total: { lt: 300 } }, { total: { gte: 500 } }] } })
      const all = yield* Effect.provideService(
        Stream.runCollect(stream),
        DocumentStore.DocumentStore,
        watched
      )
      const expected = Array.from({ length: 1_000 }, (_, i) => i).filter((i) => i < 300 || i >= 500)
      expect(all.map(({ value }) => value.total)).toEqual(expected)
      expect(largest).toBeLessThan(500)
      expect(yield* Stream.runCollect(Notes.stream())).toEqual([])
    })))

  test("a stored document that does not fit the schema is named, and the others are read", () =>
    run(Effect.gen(function* () {
      const store = yield* DocumentStore.DocumentStore
      yield* Notes.save("good", { text: "" })
      const bad = {
        op: "put",
        collection: Notes.collection,
        id: "bad",
        expected: "any",
        data: `{"text":1}`,
        position: 0,
        expiresAt: undefined
      } as const
      yield* store.commit([bad])
      expect(yield* reason(Notes.get("bad"))).toMatch(
        /^Unreadable: document "bad" \(version 1\) of "notes" cannot be read: .*string/
      )
      expect(yield* reason(Notes.find())).toStartWith("Unreadable")
      expect(Option.isSome(yield* Notes.get("good"))).toBe(true)
      expect(yield* Notes.count()).toBe(2)
    })))
})

describe("a definition", () => {
  const Text = Schema.Struct({ text: Schema.String })

  test("with a name that is none is refused", () => {
    for (const name of ["", "a b", "1", "x".repeat(49), "a-b"]) {
      expect(() => Repository.make(name, { schema: Text })).toThrow("must be a letter")
    }
  })

  test("with a name that this library keeps for itself is refused", () => {
    for (const name of ["dunnock_projections", "Dunnock_mine"]) {
      expect(() => Repository.make(name, { schema: Text })).toThrow("is kept by this library")
    }
    for (const name of ["orders__1", "Orders__20", "a___1"]) {
      expect(() => Repository.make(name, { schema: Text })).toThrow("collections of projections")
    }
    for (const name of ["orders_1", "orders__1a", "orders__", "dunnock", "my_dunnock_1"]) {
      expect(Repository.make(name, { schema: Text }).name).toBe(name)
    }
  })

  test("with an index on what is no field, or twice, is refused", () => {
    // @ts-expect-error: JavaScript may
    expect(() => Repository.make("a", { schema: Text, indexes: ["txt"] })).toThrow('there is no field "txt"')
    expect(() => Repository.make("a", { schema: Text, indexes: ["text", "text"] })).toThrow("again")
    const List = Schema.Struct({ list: Schema.Array(Schema.String) })
    // @ts-expect-error: JavaScript may
    expect(() => Repository.make("a", { schema: List, indexes: ["list"] })).toThrow("list")
  })

  test("with a field whose name begins with $ is refused", () => {
    expect(() => Repository.make("a", { schema: Schema.Struct({ $id: Schema.String }) })).toThrow("$id")
  })

  test("with a time to live that is none is refused", () => {
    // @ts-expect-error: JavaScript may
    expect(() => Repository.make("a", { schema: Text, timeToLive: "soon" })).toThrow("timeToLive")
  })

  test("may be of a class or of a union", () =>
    run(Effect.gen(function* () {
      class Point extends Schema.Class<Point>("Point")({ x: Schema.Int, at: Schema.Date }) {}
      const Points = Repository.make("points", { schema: Point, indexes: ["at"] })
      yield* Points.save("p", new Point({ x: 1, at: new Date(5) }))
      const [found] = yield* Points.find({ where: { x: 1, at: { gt: new Date(4) } }, sort: { at: "asc" } })
      expect(found!.value).toBeInstanceOf(Point)

      const Shape = Schema.Union([
        Schema.TaggedStruct("Circle", { radius: Schema.Finite }),
        Schema.TaggedStruct("Square", { side: Schema.Finite })
      ])
      const Shapes = Repository.make("shapes", { schema: Shape, indexes: ["_tag"] })
      yield* Shapes.saveMany([["c", { _tag: "Circle", radius: 2 }], ["s", { _tag: "Square", side: 3 }]])
      expect(ids(yield* Shapes.find({ where: { side: { gt: 2 } } }))).toEqual(["s"])
      expect(ids(yield* Shapes.find({ where: { _tag: "Circle", side: { isNull: true } } }))).toEqual(["c"])
    })))

  test("may rename what is stored: fields are asked for by their names in a document", () =>
    run(Effect.gen(function* () {
      const Person = Schema.Struct({
        firstName: Schema.String,
        bornAt: Schema.Date,
        size: Schema.FiniteFromString
      })
        .pipe(Schema.encodeKeys({ firstName: "first_name", bornAt: "born_at" }))
      const People = Repository.make("people", { schema: Person, indexes: ["firstName", "bornAt"] })
      expect(People.collection.indexes.map(({ name }) => name)).toEqual(["first_name", "born_at"])
      yield* People.save("a", { firstName: "ann", bornAt: new Date(5), size: 1 })
      yield* People.save("b", { firstName: "bob", bornAt: new Date(9), size: 2 })
      expect(ids(yield* People.find({ where: { firstName: "ann" } }))).toEqual(["a"])
      expect(ids(yield* People.find({ where: { bornAt: { gt: new Date(5) }, size: 2 } }))).toEqual(["b"])
      expect(ids(yield* People.find({ sort: { firstName: "desc" } }))).toEqual(["b", "a"])
      expect(yield* reason(People.find({ where: { first_name: "ann" } as {} }))).toContain(
        "there is no field"
      )

      class Child extends Schema.Class<Child>("Child")({ name: Schema.String, at: Schema.Date }) {}
      const Children = Repository.make("children", { schema: Child.pipe(Schema.encodeKeys({ name: "n" })) })
      yield* Children.save("c", new Child({ name: "cy", at: new Date(1) }))
      expect(ids(yield* Children.find({ where: { name: "cy", at: new Date(1) } }))).toEqual(["c"])
    })))

  test("may swap names", () =>
    run(Effect.gen(function* () {
      const Swapped = Schema.Struct({ a: Schema.String, b: Schema.String }).pipe(
        Schema.encodeKeys({ a: "b", b: "a" })
      )
      const Pairs = Repository.make("pairs", { schema: Swapped })
      yield* Pairs.save("x", { a: "1", b: "2" })
      expect(yield* Pairs.count({ where: { a: "1", b: "2" } })).toBe(1)
      expect(yield* Pairs.count({ where: { a: "2" } })).toBe(0)
    })))

  test("that stores a field of a union under two names, or under one with $, is refused", () => {
    const A = Schema.Struct({ a: Schema.String })
    const make = (schema: Schema.Codec<any, any>) => () => Repository.make("a", { schema })
    expect(make(Schema.Union([A, A.pipe(Schema.encodeKeys({ a: "b" }))]))).toThrow(
      '"a" is stored as "a" and as "b"'
    )
    expect(make(A.pipe(Schema.encodeKeys({ a: "$a" })))).toThrow("$a")
  })

  test("with a field that is made of others has no conditions on it", () =>
    run(Effect.gen(function* () {
      const Full = Schema.Struct({ name: Schema.String }).pipe(
        Schema.extendTo({ loud: Schema.String }, { loud: ({ name }) => Option.some(name.toUpperCase()) })
      )
      const Names = Repository.make("names", { schema: Full })
      yield* Names.save("x", { name: "x", loud: "X" })
      expect(yield* Names.count({ where: { name: "x" } })).toBe(1)
      expect(yield* reason(Names.find({ where: { loud: "X" } }))).toContain('there is no field "loud"')
    })))
})
