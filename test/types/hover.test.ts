// What an editor shows where the pointer rests: plain names, and no machinery.
import { expect, test } from "bun:test"
import { join } from "node:path"
import { hovers } from "./languageServer.ts"

const failure = "AggregateError | EventStoreError"

const shown: { readonly [word: string]: string } = {
  client: `const client: Effect.Effect<(id: string) => {
    readonly Close: (payload: void, options?: CommandOptions) => Effect.Effect<Receipt, ${failure}, never>;`,
  one: `const one: {
    readonly Close: (payload: void, options?: CommandOptions) => Effect.Effect<Receipt, ${failure}, never>;
    readonly Deposit: (payload: {
        readonly amount: number;
    }, options?: CommandOptions) => Effect.Effect<Receipt, ${failure}, never>;`,
  withdraw: `const withdraw: (payload: {
    readonly amount: number;
}, options?: CommandOptions) => Effect.Effect<Receipt, ${failure} | InsufficientFunds, never>`,
  Deposit: `(property) Deposit: (payload: {
    readonly amount: number;
}, options?: CommandOptions) => Effect.Effect<Receipt, ${failure}, never>`,
  state: `const state: (id: string, at?: AsOf) => Effect.Effect<Loaded<{
    readonly balance: number;
    readonly open: boolean;
}>, EventStoreError, EventStore>`,
  loaded: `const loaded: Loaded<{
    readonly balance: number;
    readonly open: boolean;
}>`,
  receipt: "const receipt: Receipt",
  layer: 'const layer: Layer<Handler<"Account">, never, EventStore>',
  command: `(parameter) command: {
    readonly owner: string;
}`
}

const answers = await hovers(join(import.meta.dirname, "hovered.ts"), Object.keys(shown))

for (const [i, [word, expected]] of Object.entries(shown).entries()) {
  test(`hovering over ${word}`, () => {
    expect(answers[i]!.replace(/^```\w+\n|\n```$/g, "")).toStartWith(expected)
    expect(answers[i]).not.toMatch(/Rpc<|Struct<|Schema|Simplify|infer|extends|any\b/)
  })
}
