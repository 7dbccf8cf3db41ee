import type { Contestant } from './contestants.js'
import type { Result } from './results.js'
import { runWorkload, type Setting } from './run-workload.js'
import type { Workload } from './workload.js'

/** Workloads, and the servers that run them. */
export type Plan = readonly (readonly [Workload, readonly Contestant[]])[]

/** Runs a plan, and calls `onResult` after each workload. */
export async function bench(
  plan: Plan,
  setting: Setting,
  onResult: (result: Result) => void,
): Promise<Result[]> {
  const results: Result[] = []
  for (const [workload, contestants] of plan) {
    const outcomes = await runWorkload(workload, contestants, setting)
    const { name, figures } = workload
    const result = { workload: name, title: workload.title(setting.sizes), figures, outcomes }
    results.push(result)
    onResult(result)
  }
  return results
}

/** Whether a server failed that must not: tuskit, or the one that the others are compared with. */
export function failed(results: readonly Result[]): boolean {
  const peers = ['tus-node', 'tusd', 'rustus']
  return results
    .flatMap(({ outcomes }) => outcomes)
    .some(
      ({ contestant, failure, unsupported }) =>
        failure !== undefined && !unsupported && !peers.includes(contestant),
    )
}
