import { checkOptions, must, optionError, type OptionRule } from '../check-options.js'
import { allCases } from './all-cases.js'
import type { ConformanceOptions, Subject } from './conformance-options.js'
import { notRun } from './not-run.js'
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

const bePlaces: OptionRule = {
  expectation: 'an array of plain objects whose values are strings',
  accepts: (v) => Array.isArray(v) && v.every(must.beTexts.accepts),
}

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
    cutAfter: must.beFunction,
    damage: must.beFunction,
    places: must.beObject,
    grow: must.beFunction,
    openHandles: must.beFunction,
    fenced: must.beBoolean,
    lease: must.beMilliseconds,
    memory: must.beBytesOrInfinity,
    patience: must.beMilliseconds,
    caseTimeout: must.beMilliseconds,
  })
  const { unplug, places } = checked
  if (unplug !== undefined) {
    checkOptions({ name: 'conformanceSuite', within: 'unplug' }, unplug, {
      down: must.beFunction,
      gone: must.beFunction,
      refused: must.beFunction,
      paused: must.beFunction,
    })
  }
  if (places !== undefined) {
    checkOptions({ name: 'conformanceSuite', within: 'places' }, places, {
      good: { ...bePlaces, required: true },
      bad: { ...bePlaces, required: true },
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
  for (const title of notRun(checked)) checked.test(title, async () => {}, limit)
}

function requirementsMetBy<S extends Subject>(
  options: ConformanceOptions<S>,
): ReadonlySet<Requirement> {
  const { slots, content, another, unplug, damage, places, grow, openHandles, fenced, lease } =
    options
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
    ...(places ? (['places'] as const) : []),
    ...(places && places.good.length > 0 ? (['placing'] as const) : []),
    ...(grow ? (['grow'] as const) : []),
    ...(openHandles ? (['openHandles'] as const) : []),
    ...(options.cutAfter ? (['cutAfter'] as const) : []),
    ...(fenced ? (['fenced'] as const) : []),
    ...(lease === undefined ? [] : (['lease'] as const)),
  ])
}
