import type { DatabasePlace } from '../database-place.js'
import type { Sizes } from '../sizes.js'
import type { Workload } from '../workload.js'
import { head } from './head.js'
import { smallPatch, smallPost } from './small-files.js'

/** The workloads of records and locks, with the number of their requests. */
const measured: readonly (readonly [Workload, (sizes: Sizes) => number])[] = [
  [smallPost, ({ small: [count] }) => count],
  [smallPatch, ({ small: [count] }) => 2 * count],
  [head, ({ head: [count] }) => count],
]

/** The names of {@link databaseWorkloads}. */
export const databaseNames = measured.map(([{ name }]) => name)

/** Returns workloads that also measure the processor time of the database. */
export function databaseWorkloads({ databases }: DatabasePlace): readonly Workload[] {
  return measured.map(([workload, requestsOf]) => ({
    ...workload,
    figures: [...workload.figures, { key: 'database', title: 'CPU s/1,000 of the database' }],
    async open(stage) {
      const measure = await workload.open(stage)
      const meter = databases[stage.contestant.name]?.meter
      return async () => {
        const before = meter?.cpuSeconds() ?? 0
        const figures = await measure()
        const used = (meter?.cpuSeconds() ?? 0) - before
        return { ...figures, database: (used / requestsOf(stage.sizes)) * 1_000 }
      }
    },
  }))
}
