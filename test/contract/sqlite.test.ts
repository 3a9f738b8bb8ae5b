import * as Sqlite from "dunnock/sqlite"
import { DocumentStoreContract, EventStoreContract, SubscriptionContract } from "dunnock/testing"
import { Effect } from "effect"
import { contract } from "./contract.ts"
import { file } from "./scratch.ts"

const place = Effect.map(file, (filename) => Sqlite.layer({ filename }))
contract("sqlite", EventStoreContract.cases, Sqlite.guarantees, place)
contract("sqlite", DocumentStoreContract.cases, Sqlite.guarantees, place)
contract("sqlite", SubscriptionContract.cases, Sqlite.guarantees, place)
