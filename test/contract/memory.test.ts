import * as Memory from "dunnock/memory"
import { DocumentStoreContract, EventStoreContract, SubscriptionContract } from "dunnock/testing"
import { Effect } from "effect"
import { contract } from "./contract.ts"

contract("memory", EventStoreContract.cases, Memory.guarantees, Effect.succeed(Memory.layer))
contract("memory", DocumentStoreContract.cases, Memory.guarantees, Effect.succeed(Memory.layer))
contract("memory", SubscriptionContract.cases, Memory.guarantees, Effect.succeed(Memory.layer))
