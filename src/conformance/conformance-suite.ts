import { checkOptions, must, optionError } from '../check-options.js'
import { allCases } from './all-cases.js'
import type { ConformanceOptions, Subject } from './conformance-options.js'
import { longest, runCase } from './run-case.js'
import type { Requirement, SlotName } from './slots.js'

/** The slot that the cases of a slot depend on. */
const foundations: Readonly<Record<SlotName, SlotName | undefined>> = {
  dataStore: undefined,
  verifiedAppender: 'dataStore',
  finisher: 'dataStore',
  terminator: 'dataStore',
  concatenator: 'dataStore',
  contentReader: 'dataStore',
  infoStore: undefined,
  expiryIndex: 'infoStore',
  infoLister: 'infoStore',
  locker: undefined,
  lifecycles: undefined,
}

const slotNames = Object.keys(foundations)

/**
 * Registers tests that check whether a store, an info store or a locker keeps its contract: one
 * for each promise of each declared capability.
 *
 * @example
 * import { test } from 'node:test'
 * import { StoreComposer } from 'tuskit'
 * import { conformanceSuite } from 'tuskit/conformance'
 *
 * conformanceSuite({
 *   test,
 *   slots: ['dataStore', 'terminator', 'contentReader'],
 *   async factory() {
 *     const folder = await mkdtemp(join(tmpdir(), 'folder-store-'))
 *     const composer = new StoreComposer().use(new FolderStore(folder))
 *     return { composer, dispose: () => rm(folder, { recursive: true }) }
 *   },
 * })
 */
export function conformanceSuite<S extends Subject>(options: ConformanceOptions<S>): void {
  const checked = checkOptions('conformanceSuite', options, {
    test: { ...must.beFunction, required: true },
    slots: {
      expectation: `an array of some of ${slotNames.map((name) => `'${name}'`).join(', ')}`,
      accepts: (v) => must.beListOf(...slotNames).accepts(v) && (v as []).length > 0,
      choices: slotNames,
      isList: true,
      required: true,
    },
    factory: { ...must.beFunction, required: true },
    content: must.beFunction,
    another: must.beFunction,
    unplug: must.beObject,
    damage: must.beFunction,
    fenced: must.beBoolean,
    lease: must.beMilliseconds,
    memory: must.beBytesOrInfinity,
    patience: must.beMilliseconds,
    caseTimeout: must.beMilliseconds,
  })
  const { unplug } = checked
  if (unplug !== undefined) {
    checkOptions({ name: 'conformanceSuite', within: 'unplug' }, unplug, {
      down: must.beFunction,
      gone: must.beFunction,
      refused: must.beFunction,
      paused: must.beFunction,
    })
  }
  const met = requirementsMetBy(checked)
  const limit = longest(checked)
  for (const one of allCases) {
    if (!one.needs.every((requirement) => met.has(requirement))) continue
    checked.test(
      one.name,
      function (this: unknown) {
        const runner = this as { timeout?: unknown } | undefined
        // Mocha has its limit here.
        if (typeof runner?.timeout === 'function') runner.timeout(limit)
        return runCase(checked, one)
      },
      limit,
    )
  }
}

function requirementsMetBy<S extends Subject>(
  options: ConformanceOptions<S>,
): ReadonlySet<Requirement> {
  const { slots, content, another, unplug, damage, fenced, lease } = options
  for (const slot of slots) {
    const needed = foundations[slot]
    if (needed !== undefined && !slots.includes(needed)) {
      const expectation = `an array that includes '${needed}', because '${slot}' is tested with it`
      throw optionError('conformanceSuite', 'slots', { expectation }, slots)
    }
  }
  if (slots.includes('dataStore') && !slots.includes('contentReader') && content === undefined) {
    const expectation = "a function, because 'slots' does not include 'contentReader'"
    throw optionError('conformanceSuite', 'content', { expectation }, content)
  }
  return new Set<Requirement>([
    ...slots,
    ...(another ? (['another'] as const) : []),
    ...(unplug?.down || unplug?.gone ? (['unreachable'] as const) : []),
    ...(unplug?.down || unplug?.gone || unplug?.refused ? (['unplug'] as const) : []),
    ...(unplug?.paused ? (['paused'] as const) : []),
    ...(damage ? (['damage'] as const) : []),
    ...(fenced ? (['fenced'] as const) : []),
    ...(lease === undefined ? [] : (['lease'] as const)),
  ])
}
