import type { Case } from "../lib/Workload.ts"

/** The workloads by name. */
export const workloads: Readonly<
  Record<string, () => Promise<{ readonly cases: ReadonlyArray<Case> }>>
> = {
  command: () => import("./command.ts"),
  replay: () => import("./replay.ts"),
  log: () => import("./log.ts"),
  project: () => import("./project.ts"),
  inline: () => import("./inline.ts"),
  delay: () => import("./delay.ts"),
  memory: () => import("./memory.ts"),
  size: () => import("./size.ts")
}

/** The cases of a workload. */
export const casesOf = async (
  workload: string
): Promise<ReadonlyArray<Case>> => {
  const load = workloads[workload]
  if (load === undefined) {
    throw new Error(
      `no workload "${workload}": ${Object.keys(workloads).join(", ")}`
    )
  }
  return (await load()).cases
}
