import * as Mysql from "dunnock/mysql"
import { DocumentStoreContract, EventStoreContract, SubscriptionContract } from "dunnock/testing"
import { Effect } from "effect"
import { mysql } from "../services/mod.ts"
import { contract } from "./contract.ts"

const place = Effect.map(mysql.database, ({ url }) => Mysql.layer({ url }))
contract("mysql", EventStoreContract.cases, Mysql.guarantees, place, mysql)
contract("mysql", DocumentStoreContract.cases, Mysql.guarantees, place, mysql)
contract("mysql", SubscriptionContract.cases, Mysql.guarantees, place, mysql)
