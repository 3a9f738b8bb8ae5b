import type { Collection } from "../../../src/repository/DocumentStore.ts"

/** What a process of `documents.child.ts` does. */
export interface Job {
  readonly filename: string
  readonly name: string
  readonly accounts: number
  readonly moves: number
}

export interface Account {
  readonly amount: number
}

export const accounts: Collection = { name: "accounts", indexes: [{ name: "amount", kind: "number" }] }

/** How many moves each process has made. */
export const journal: Collection = { name: "journal", indexes: [] }
