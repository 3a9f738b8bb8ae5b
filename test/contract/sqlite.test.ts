import * as Sqlite from "dunnock/sqlite"
import { Effect } from "effect"
import { contracts } from "./contract.ts"
import { file } from "./scratch.ts"

const place = Effect.map(file, (filename) => Sqlite.layer({ filename }))
contracts("sqlite", Sqlite.guarantees, place)
