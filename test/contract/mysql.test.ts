import * as Mysql from "dunnock/mysql"
import { Effect } from "effect"
import { mysql } from "../services/mod.ts"
import { contracts } from "./contract.ts"

const place = Effect.map(mysql.database, ({ url }) => Mysql.layer({ url }))
contracts("mysql", Mysql.guarantees, place, mysql)
