import type { Figure, Figures } from './figures.js'
import type { Sizes } from './sizes.js'
import type { Stage } from './stage.js'

/** Something that servers are asked to do. */
export interface Workload {
  readonly name: string
  title(sizes: Sizes): string
  readonly figures: readonly Figure[]
  /** Whether the first round counts already. */
  readonly withoutWarmUp?: boolean
  /**
   * Prepares one server; returns what measures one round. A server that cannot do it is told by throwing
   * {@link Unsupported}.
   */
  open(stage: Stage): Promise<() => Promise<Figures>>
}

/** The server does not offer what the workload needs. */
export class Unsupported extends Error {}
