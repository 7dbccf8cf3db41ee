import type { Clause } from './clauses.js'
import type { Fixture } from './fixture/fixture.js'
import type { Requirement, SlotName } from './slots.js'

/** One promise, put to the test. */
export interface Case {
  readonly name: string
  /** The section of the contract that makes the promise. Failures link to it. */
  readonly clause: Clause
  /** The case runs for subjects that meet all of these. */
  readonly needs: readonly Requirement[]
  /** Whether one instance does everything, even if there is another one. */
  readonly alone: boolean
  /** Whether everything is open when the case begins. Otherwise, the case opens it. */
  readonly opened: boolean
  readonly run: (fixture: Fixture) => Promise<void>
}

/** The functions of cases, by the promise that each tests. */
export type Runs = Readonly<Record<string, Case['run']>>

/**
 * Names the cases of one capability that a section of the contract promises. `more` holds further
 * requirements.
 */
export function cases(
  slot: SlotName,
  clause: Clause,
  runs: Runs,
  ...more: readonly Requirement[]
): readonly Case[] {
  const label = slot[0]!.toUpperCase() + slot.slice(1)
  return Object.entries(runs).map(([name, run]) => ({
    name: `${label}: ${name}`,
    clause,
    needs: [slot, ...more],
    alone: false,
    opened: true,
    run,
  }))
}

/**
 * Names cases in which things happen at the same time. Each runs twice: on one instance, because
 * that has state of its own to mix up, and on two instances if there is another one.
 */
export function concurrentCases(...args: Parameters<typeof cases>): readonly Case[] {
  return cases(...args).flatMap((one) => [
    { ...one, alone: true },
    { ...one, name: `${one.name}, on two instances`, needs: [...one.needs, 'another'] },
  ])
}
