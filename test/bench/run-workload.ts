import { type Content, WrongBytes } from './content.js'
import type { Contestant } from './contestants.js'
import type { Figures } from './figures.js'
import type { Sizes } from './sizes.js'
import { Stage } from './stage.js'
import { Unsupported, type Workload } from './workload.js'

/** What all workloads of a run have in common. */
export interface Setting {
  readonly content: Content
  readonly sizes: Sizes
  readonly rounds: number
  readonly directory: string
}

/** What came out for one server: the figures of each round, or the reason why there are none. */
export interface Outcome {
  readonly contestant: string
  readonly rounds: readonly Figures[]
  readonly failure?: string
  /** The server does not offer it: nothing went wrong. */
  readonly unsupported?: boolean
}

/** A server that takes part, until it fails. */
class Entry {
  readonly rounds: Figures[] = []
  readonly stage: Stage
  measure: (() => Promise<Figures>) | undefined
  failure: unknown

  constructor(stage: Stage) {
    this.stage = stage
  }

  /** Takes a step unless an earlier one failed. Wrong bytes are nobody's to bear. */
  async step(act: () => Promise<void>): Promise<void> {
    if (this.failure !== undefined) return
    try {
      await act()
    } catch (error) {
      if (error instanceof WrongBytes) throw error
      this.failure = error
      // Such a death is told a little later.
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
 * Lets servers do a workload, round by round, each time in turn with another one first. The first time of each is not
 * counted. Fails only with {@link WrongBytes}. Small files stay: removing them makes others slow to create.
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
