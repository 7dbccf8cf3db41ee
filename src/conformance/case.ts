import type { StoreSlots } from '../store-composer.js'
import type { Stage } from './fixture/fixture.js'

/** The name of a slot of the composer. */
export type SlotName = keyof StoreSlots

/** What switches cases on: a slot, or an option of the suite that stands for a promise of its own. */
export type Claim = SlotName | 'another' | 'damage' | 'fenced' | 'unplug'

/** One promise, put to the test. */
export interface Case {
  readonly name: string
  /** The case is for subjects that claim all of these. */
  readonly needs: readonly Claim[]
  readonly run: (stage: Stage) => Promise<void>
}

/** The cases of one capability, by name; `more` is what they need beside it. */
export function cases(
  slot: SlotName,
  runs: Readonly<Record<string, Case['run']>>,
  ...more: readonly Claim[]
): readonly Case[] {
  const label = slot[0]!.toUpperCase() + slot.slice(1)
  return Object.entries(runs).map(([name, run]) => ({
    name: `${label}: ${name}`,
    needs: [slot, ...more],
    run,
  }))
}
