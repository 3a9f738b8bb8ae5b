import * as Postgres from "dunnock/postgres"
import { Effect } from "effect"
import { places } from "../adapters/postgres/place.ts"
import { postgres } from "../services/mod.ts"
import { contracts } from "./contract.ts"

const place = Effect.map(places().fresh, (options) => Postgres.layer(options))
contracts("postgres", Postgres.guarantees, place, postgres)
