import * as Postgres from "dunnock/postgres"
import { DocumentStoreContract, EventStoreContract } from "dunnock/testing"
import { Effect } from "effect"
import { onPostgres } from "../adapters/postgres/place.ts"
import { postgres } from "../services/mod.ts"
import { contract } from "./contract.ts"

const place = Effect.map(onPostgres, (options) => Postgres.layer(options))
contract("postgres", EventStoreContract.cases, Postgres.guarantees, place, postgres)
contract("postgres", DocumentStoreContract.cases, Postgres.guarantees, place, postgres)
