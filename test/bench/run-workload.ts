import { type Content, WrongBytes } from './content.js'
import type { Contestant } from './contestants.js'
import type { Figures } from './figures.js'
import type { Sizes } from './sizes.js'
import { Stage } from './stage.js'
import { Unsupported, type Workload } from './workload.js'

/** The common settings of all workloads of a run. */
export interface Setting {
  readonly content: Content
  readonly sizes: Sizes
  readonly rounds: number
  readonly directory: string
}

/** The outcome of one server: the figures of each round, or the reason why there are no figures. */
export interface Outcome {
  readonly contestant: string
  readonly rounds: readonly Figures[]
  readonly failure?: string
  /** Whether the server does not offer the feature, so that nothing went wrong. */
  readonly unsupported?: boolean
}

/** A server that takes part until it fails. */
class Entry {
  readonly rounds: Figures[] = []
  readonly stage: Stage
  measure: (() => Promise<Figures>) | undefined
  failure: unknown

  constructor(stage: Stage) {
    this.stage = stage
  }

  /** Takes a step unless an earlier one failed. Wrong bytes end the whole bench. */
  async step(act: () => Promise<void>): Promise<void> {
    if (this.failure !== undefined) return
    try {
      await act()
    } catch (error) {
      if (error instanceof WrongBytes) throw error
      this.failure = error
      // The exit of a process is reported a little later than its connections break.
      await new Promise((resolve) => setTimeout(resolve, 100))
      const endings = this.stage.endings()
      await this.stage.close()
      if (endings.length > 0) this.failure = new Error(`${String(error)}; ${endings.join('; ')}`)
    }
  }

  outcome(): Outcome {
    const contestant = this.stage.contestant.name
    if (this.failure === undefined) return { contestant, rounds: this.rounds }
    const unsupported = this.failure instanceof Unsupported
    const { message } = this.failure as Error
    return { contestant, rounds: [], failure: message, unsupported }
  }
}

/**
 * Runs a workload with all servers, round by round. Another server starts each round, and the first
 * run of each does not count. Fails only with {@link WrongBytes}. Small files remain, because
 * removing them would slow down the creation of others.
 */
export async function runWorkload(
  workload: Workload,
  contestants: readonly Contestant[],
  { content, sizes, rounds, directory }: Setting,
): Promise<Outcome[]> {
  const entries = contestants.map((contestant) => {
    return new Entry(new Stage(contestant, content, sizes, directory))
  })
  try {
    for (const entry of entries) {
      await entry.step(async () => {
        entry.measure = await workload.open(entry.stage)
        if (!workload.withoutWarmUp) await entry.measure()
      })
    }
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < entries.length; turn++) {
        const entry = entries[(round + turn) % entries.length]!
        await entry.step(async () => {
          entry.rounds.push(await entry.measure!())
        })
      }
    }
  } finally {
    for (const { stage } of entries) await stage.close()
  }
  return entries.map((entry) => entry.outcome())
}
