import { allCases } from './all-cases.js'
import type { ConformanceOptions, StorageFault, Subject } from './conformance-options.js'
import type { Requirement, SlotName } from './slots.js'

/** Options without which cases do not run, the requirement that each meets, and what it tests. */
const optional = {
  another: ['another', 'two instances on the same storage'],
  unplug: ['unplug', 'calls while the storage is unavailable'],
  cutAfter: ['cutAfter', 'bytes whose connection is cut on their way'],
  damage: ['damage', 'records that cannot be read'],
  places: ['places', 'places that hooks request'],
  grow: ['grow', 'data of more than 2^32 bytes'],
  openHandles: ['openHandles', 'connections and descriptors that stay open'],
  fenced: ['fenced', 'late writes of an earlier lock holder'],
  lease: ['lease', 'locks that are renewed, lost or left behind'],
} as const satisfies Partial<Record<keyof ConformanceOptions, readonly [Requirement, string]>>

const faults: Readonly<Record<StorageFault, string>> = {
  down: 'storage that cannot be reached',
  gone: 'storage whose place is missing',
  refused: 'storage that refuses',
  paused: 'storage that does not respond',
}

/** Returns titles of tests that say which options are absent, and what is not tested for that. */
export function notRun<S extends Subject>(options: ConformanceOptions<S>): readonly string[] {
  const { slots, unplug } = options
  const absent = Object.entries(optional)
    .filter(([name, [requirement]]) => {
      return !options[name as keyof typeof optional] && allCases.some(isLeftOut(requirement, slots))
    })
    .map(([name, [, what]]) => [name, what])
  const absentFaults = Object.entries(unplug ? faults : {})
    .filter(([fault]) => !unplug?.[fault as StorageFault])
    .map(([fault, what]) => [`unplug.${fault}`, what])
  return [...absent, ...absentFaults].map(
    ([name, what]) => `Not run without option "${name}": ${what}`,
  )
}

/** Returns whether a case would run if the requirement was met. */
function isLeftOut(requirement: Requirement, slots: readonly SlotName[]) {
  return ({ needs }: (typeof allCases)[number]) =>
    needs.includes(requirement) && slots.includes(needs[0] as SlotName)
}
