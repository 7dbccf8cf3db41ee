import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Account } from './account.js'
import { now } from './clock.js'
import type { RunPlan } from './plan.js'

/** A time during which a process or the storage was disturbed. */
interface Disturbance {
  readonly kind: 'process' | 'storage'
  readonly from: number
  to: number
}

/** Watches servers and clients, remembers the promises, and reports those that were broken. */
export class Referee {
  readonly plan: RunPlan
  readonly accounts: Account[] = []
  readonly violations: string[] = []
  /** How often each event happened. */
  readonly counts: Record<string, number> = {}
  /** The digests that finished files must have, by name. */
  readonly files = new Map<string, string>()
  readonly #disturbances: Disturbance[] = []
  readonly #killed = new Set<string>()
  readonly #trace: string
  readonly #started = now()

  constructor(home: string, plan: RunPlan) {
    this.plan = plan
    this.#trace = join(home, 'trace.log')
  }

  /** Writes a line for those who examine a violation. */
  note(text: string): void {
    appendFileSync(this.#trace, `${now() - this.#started} ${text}\n`)
  }

  /** Records a violation. */
  blame(text: string): void {
    this.violations.push(`after ${now() - this.#started} ms: ${text}`)
    this.note(`VIOLATION ${text}`)
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** While `harm` lasts, some failures are not violations. */
  async during<T>(kind: Disturbance['kind'], what: string, harm: () => Promise<T>): Promise<T> {
    const disturbance = { kind, from: now(), to: Infinity }
    this.#disturbances.push(disturbance)
    this.count(what)
    this.note(`begin ${what}`)
    try {
      return await harm()
    } finally {
      disturbance.to = now()
      this.note(`end ${what}`)
    }
  }

  killed(process: string): void {
    this.#killed.add(process)
  }

  wasKilled(process: string): boolean {
    return this.#killed.has(process)
  }

  /**
   * Records that a process did not run for a while, as it reports itself. A busy machine counts as
   * a suspension.
   */
  stalled(from: number, to: number): void {
    this.#disturbances.push({ kind: 'process', from, to })
  }

  /** Whether there was a disturbance at some time between `from` and `to`. */
  disturbed(kind: Disturbance['kind'] | undefined, from: number, to: number): boolean {
    return this.#disturbances.some(
      (one) => (kind === undefined || one.kind === kind) && one.from <= to && one.to >= from,
    )
  }
}
