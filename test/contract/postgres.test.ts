import * as Postgres from "dunnock/postgres"
import { DocumentStoreContract, EventStoreContract } from "dunnock/testing"
import { Effect } from "effect"
import { postgres } from "../services/mod.ts"
import { contract } from "./contract.ts"

const place = Effect.map(postgres.database, ({ url }) => Postgres.layer({ url }))
contract("postgres", EventStoreContract.cases, Postgres.guarantees, place, postgres)
contract("postgres", DocumentStoreContract.cases, Postgres.guarantees, place, postgres)
