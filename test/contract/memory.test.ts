import * as Memory from "dunnock/memory"
import { Effect } from "effect"
import { contracts } from "./contract.ts"

contracts("memory", Memory.guarantees, Effect.succeed(Memory.layer))
