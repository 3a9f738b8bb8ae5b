// Conditions as they are written in a program, over documents whose fields are stored otherwise than they are used.
import { describe, expect, test } from "bun:test"
import { Repository } from "dunnock"
import { DateTime, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type Order, order, OrderId, Orders, run } from "./fixture.ts"

const orders: Readonly<Record<string, Partial<Order>>> = {
  a: {
    customer: "ann",
    total: 5,
    status: "paid",
    paidAt: new Date("2026-01-31T23:59:59.999Z"),
    points: 9n,
    code: 9
  },
  b: {
    customer: "bob",
    total: 50,
    weight: NaN,
    gift: true,
    parent: OrderId.make("a"),
    points: 10n,
    code: 10
  },
  c: { customer: "Ann", total: -5, note: "100% sure", paidAt: new Date("2026-02-01"), code: -1 },
  d: {
    customer: "ann_b",
    total: 500,
    weight: Infinity,
    note: "",
    status: "sent",
    sentAt: DateTime.makeUnsafe(5_000)
  }
}

/** The ids of what holds, of the orders above. */
const found = (
  where: Repository.Where<Order, typeof Orders extends Repository.Repository<any, infer E> ? E : never>
) =>
  run(Effect.gen(function* () {
    yield* TestClock.setTime(1_000)
    yield* Orders.saveMany(Object.entries(orders).map(([id, change]) => [id, { ...order, ...change }]))
    yield* TestClock.setTime(2_000)
    yield* Orders.update("d", (value) => value)
    return (yield* Orders.find({ where })).map(({ id }) => id).join("")
  }))

describe("a condition", () => {
  const table: ReadonlyArray<readonly [string, Parameters<typeof found>[0], string]> = [
    ["that is empty holds of all", {}, "abcd"],
    ["may be a value", { customer: "ann" }, "a"],
    ["may be a value that is false", { gift: false }, "acd"],
    ["may have several operators, which all hold", { total: { gte: 5, lt: 500 } }, "ab"],
    ["on several fields holds if it holds of all", { customer: "ann", total: 50 }, ""],
    ["may be a pattern", { customer: { like: "ann%" } }, "ad"],
    ["may be a pattern with an escape", { customer: { like: "ann\\_%" }, note: { like: "%" } }, "d"],
    ["may be a list", { status: { in: ["paid", "sent"] } }, "ad"],
    ["may be a list of what it is not", { status: { notIn: ["paid", "sent"] } }, "bc"],
    ["on an optional field may be of its absence", { note: { isNull: true } }, "ab"],
    ["on an optional field may be of its presence", { note: { isNull: false } }, "cd"],
    ["neq holds of what is absent", { note: { neq: "" } }, "abc"],
    ["on a nullable field takes its values", { parent: OrderId.make("a") }, "b"],
    ["on a date compares times", { paidAt: { lt: new Date("2026-02-01") } }, "a"],
    ["on a date takes a date", { paidAt: new Date("2026-02-01") }, "c"],
    ["on a date may be of its absence", { paidAt: { isNull: true } }, "bd"],
    ["on a time stored as a number compares times", { sentAt: { gte: DateTime.makeUnsafe(5_000) } }, "d"],
    ["on a bigint takes a bigint", { points: 10n }, "b"],
    ["on a bigint takes a list", { points: { in: [9n, 10n] } }, "ab"],
    ["on a number stored as a text is of equality", { code: { in: [9, -1] } }, "ac"],
    ["on a number leaves out those that are none", { weight: { lt: 10 } }, "ac"],
    ["on a number takes those that are none for null", { weight: { isNull: true } }, "bd"],
    ["on a list is of its presence", { lines: { isNull: false } }, "abcd"],
    ["may be an or", { $or: [{ total: { lt: 0 } }, { customer: "bob", gift: true }] }, "bc"],
    ["may be an and", { $and: [{ total: { gt: 0 } }, { total: { lt: 100 } }], status: "paid" }, "a"],
    [
      "may be one in the other",
      { $or: [{ $and: [{ gift: true }, { $or: [{ total: 50 }] }] }, { total: 5 }] },
      "ab"
    ],
    ["that is an or of nothing holds of nothing", { $or: [] }, ""],
    ["may be on the id", { $id: { gt: "b" } }, "cd"],
    ["may be on the version", { $version: 2 }, "d"],
    ["may be on the time of the creation", { $createdAt: { lte: new Date(1_000) } }, "abcd"],
    ["may be on the time of the last change", { $updatedAt: { gt: 1_000 } }, "d"]
  ]
  for (const [what, where, ids] of table) {
    test(what, async () => {
      expect(await found(where)).toBe(ids)
    })
  }
})

describe("what the compiler would refuse is refused, if it comes from JavaScript:", () => {
  const refused: ReadonlyArray<readonly [string, unknown, string]> = [
    [
      "a field that does not exist",
      { where: { custmer: "ann" } },
      'where.custmer: there is no field "custmer"; there are customer, total'
    ],
    [
      "one within others",
      { where: { $or: [{}, { total: 1, x: 1 }] } },
      'where.$or[1].x: there is no field "x"'
    ],
    [
      "an operator that does not exist",
      { where: { total: { gtt: 5 } } },
      "where.total.gtt: is no operator; there are eq, neq"
    ],
    ["no operator", { where: { customer: {} } }, "where.customer: has no operator"],
    ["an operator that does not fit", { where: { total: { like: "5" } } }, 'where.like: "total" is no text'],
    [
      "an order that the store has not",
      { where: { points: { gt: 5n } } },
      'where.points.gt: "points" has no order'
    ],
    [
      "an order of a number stored as a text",
      { where: { code: { gt: 5 } } },
      'where.code.gt: "code" has no order'
    ],
    [
      "a list to be equal to",
      { where: { lines: [] } },
      'where.lines: "lines" is not one text, number or boolean'
    ],
    [
      "a text for a number",
      { where: { total: "5" } },
      'where.eq: "total" is a number and cannot be compared with "5"'
    ],
    ["a text for a date", { where: { paidAt: { lt: "2026" } } }, "where.paidAt.lt: "],
    ["a number for a text in a list", { where: { customer: { in: ["a", 5] } } }, "where.in[1]: "],
    ["a value that is no list", { where: { customer: { in: "a" } } }, "where.customer.in: must be a list"],
    ["null", { where: { note: null } }, 'where.note: must be a value of "note", not null; "isNull" asks'],
    [
      "undefined, which would be easily overlooked",
      { where: { customer: undefined } },
      "where.customer: must be a value"
    ],
    [
      "an operand that is undefined",
      { where: { total: { gte: undefined } } },
      "where.total.gte: must be a value"
    ],
    [
      "isNull of what is no boolean",
      { where: { note: { isNull: "yes" } } },
      "where.note.isNull: must be true or false"
    ],
    ["a condition that is none", { where: "total > 5" }, "where: must be an object"],
    ["an or that is no list", { where: { $or: {} } }, "where.$or: must be a list"],
    ["a sort by what is no field", { sort: { x: "asc" } }, 'sort.x: there is no field "x"'],
    ["a sort by a list", { sort: { lines: "asc" } }, 'sort.lines: "lines" has no order'],
    ["a direction that is none", { sort: { total: "up" } }, 'sort[0].direction: must be "asc" or "desc"'],
    ["a limit that is none", { limit: -5 }, "limit: must be a whole number"],
    ["a field of every object", { where: { constructor: 1 } }, "where.constructor: there is no field"],
    ["a choice of the deleted that is none", { deleted: true }, "deleted: must be"]
  ]
  for (const [what, selection, message] of refused) {
    test(what, () =>
      run(Effect.gen(function* () {
        const { reason } = yield* Effect.flip(Orders.find(selection as {}))
        expect(reason._tag).toBe("InvalidInput")
        expect(reason.message).toStartWith(message)
      })))
  }
})

test("fields of unlike kinds in the members of a union can be asked for null only", () =>
  run(Effect.gen(function* () {
    const Union = Schema.Union([
      Schema.Struct({ a: Schema.Int }),
      Schema.Struct({ a: Schema.String, b: Schema.Boolean })
    ])
    const Mixed = Repository.make("mixed", { schema: Union })
    yield* Mixed.saveMany([["1", { a: 1 }], ["2", { a: "1", b: true }]])
    expect((yield* Mixed.find({ where: { a: { isNull: false }, b: { isNull: true } } })).map(({ id }) => id))
      .toEqual(["1"])
    // @ts-expect-error: JavaScript may
    expect((yield* Effect.flip(Mixed.find({ where: { a: 1 } }))).message).toContain(
      "not one text, number or boolean"
    )
  })))
