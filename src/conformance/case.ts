import type { Fixture } from './fixture/fixture.js'
import type { Requirement, SlotName } from './slots.js'

/** One promise, put to the test. */
export interface Case {
  readonly name: string
  /** The case runs for subjects that meet all of these. */
  readonly needs: readonly Requirement[]
  readonly run: (fixture: Fixture) => Promise<void>
}

/** Names the cases of one capability. `more` holds further requirements. */
export function cases(
  slot: SlotName,
  runs: Readonly<Record<string, Case['run']>>,
  ...more: readonly Requirement[]
): readonly Case[] {
  const label = slot[0]!.toUpperCase() + slot.slice(1)
  return Object.entries(runs).map(([name, run]) => ({
    name: `${label}: ${name}`,
    needs: [slot, ...more],
    run,
  }))
}
