import type { Figure, Figures } from './figures.js'
import type { Sizes } from './sizes.js'
import type { Stage } from './stage.js'

/** A task for servers. */
export interface Workload {
  readonly name: string
  title(sizes: Sizes): string
  readonly figures: readonly Figure[]
  /** Whether the first round counts already. */
  readonly withoutWarmUp?: boolean
  /**
   * Prepares one server, and returns a function that measures one round. Throws {@link Unsupported}
   * for a server that cannot do it.
   */
  open(stage: Stage): Promise<() => Promise<Figures>>
}

/** The server does not offer a feature that the workload needs. */
export class Unsupported extends Error {}
