import assert from 'node:assert/strict'
import { checkOptions, must, optionError } from '../check-options.js'
import type { Case } from './case.js'
import { appendCases } from './cases/append.js'
import { concatenatorCases } from './cases/concatenator.js'
import { contentReaderCases } from './cases/content-reader.js'
import { damagedRecordCases } from './cases/damaged-record.js'
import { dataStoreCases } from './cases/data-store.js'
import { expiryIndexCases } from './cases/expiry-index.js'
import { finisherCases } from './cases/finisher.js'
import { infoListerCases } from './cases/info-lister.js'
import { infoStoreCases } from './cases/info-store.js'
import { interruptionCases } from './cases/interruption.js'
import { lockerCases } from './cases/locker.js'
import { settleCases } from './cases/settle.js'
import { terminatorCases } from './cases/terminator.js'
import { verifiedAppenderCases } from './cases/verified-appender.js'
import type { ConformanceOptions, Subject } from './conformance-options.js'
import { Fixture } from './fixture/fixture.js'
import type { Requirement, SlotName } from './slots.js'

const allCases: readonly Case[] = [
  ...dataStoreCases,
  ...appendCases,
  ...interruptionCases,
  ...verifiedAppenderCases,
  ...finisherCases,
  ...terminatorCases,
  ...concatenatorCases,
  ...contentReaderCases,
  ...infoStoreCases,
  ...expiryIndexCases,
  ...infoListerCases,
  ...damagedRecordCases,
  ...lockerCases,
  ...settleCases,
]

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
    memory: must.beBytesOrInfinity,
    patience: must.beMilliseconds,
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
  checked.test('The factory fills the declared slots', () => withFixture(checked, async () => {}))
  for (const { name, needs, run } of allCases) {
    if (needs.every((requirement) => met.has(requirement)))
      checked.test(name, () => withFixture(checked, run))
  }
}

function requirementsMetBy<S extends Subject>(
  options: ConformanceOptions<S>,
): ReadonlySet<Requirement> {
  const { slots, content, another, unplug, damage, fenced } = options
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
    ...(unplug ? (['unplug'] as const) : []),
    ...(damage ? (['damage'] as const) : []),
    ...(fenced ? (['fenced'] as const) : []),
  ])
}

async function withFixture<S extends Subject>(
  options: ConformanceOptions<S>,
  run: Case['run'],
): Promise<void> {
  const { factory, slots, another, unplug, damage, content, memory, patience } = options
  const subject = await factory()
  try {
    const fixture = new Fixture({
      composer: subject.composer,
      another: await another?.(subject),
      unplug: Object.fromEntries(
        Object.entries(unplug ?? {}).map(([fault, cause]) => [fault, async () => cause(subject)]),
      ),
      damage: damage && ((id) => damage(id, subject)),
      content: content && (async (upload) => content(upload, subject)),
      memory: memory ?? 16 * 1024 * 1024,
      patience: patience ?? 5_000,
    })
    try {
      for (const filled of [fixture.slots, fixture.others]) {
        const names = Object.entries(filled).flatMap(([name, value]) => (value ? [name] : []))
        assert.deepEqual(names.sort(), [...new Set(slots)].sort(), 'The declared slots')
      }
      await fixture.open()
      await run(fixture)
    } finally {
      await fixture.close()
    }
  } finally {
    await subject.dispose?.()
  }
}
