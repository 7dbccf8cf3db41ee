import { expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite, type ConformanceOptions, type SlotName } from 'tuskit/conformance'
import { MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import { everything } from './broken.js'

/** The names of the cases that these options register. */
function namesOf(options: Partial<ConformanceOptions>): string[] {
  const names: string[] = []
  const { slots, factory } = everything('locker')
  conformanceSuite({ slots, factory, test: (name) => names.push(name), ...options })
  return names
}

const capabilities = (names: readonly string[]) =>
  new Set(names.slice(1).map((name) => name.split(':')[0]))

test('a declared slot enables the cases of its capability, and no others', () => {
  const data = ['dataStore', 'verifiedAppender', 'finisher', 'terminator', 'concatenator'] as const
  const slots = [
    ...data,
    'contentReader',
    'infoStore',
    'expiryIndex',
    'infoLister',
    'locker',
  ] as const
  const all = namesOf({ slots })
  expect(new Set(all).size).toBe(all.length)
  expect(capabilities(all).size).toBe(slots.length)
  expect(capabilities(namesOf({ slots: ['locker'] }))).toEqual(new Set(['Locker']))
  expect(capabilities(namesOf({ slots: ['infoStore', 'infoLister'] }))).toEqual(
    new Set(['InfoStore', 'InfoLister']),
  )
  for (const claim of [
    { another: () => new StoreComposer() },
    { unplug: { down: () => () => {} } },
    { unplug: { refused: () => () => {} } },
    { unplug: { paused: () => () => {} } },
    { damage: () => {} },
    { fenced: true },
  ]) {
    expect(namesOf({ slots, ...claim }).length).toBeGreaterThan(all.length)
  }
  expect(namesOf({ slots, fenced: false })).toHaveLength(all.length)
  const unplugged = { slots, unplug: { down: () => () => {} } }
  expect(namesOf({ ...unplugged, lease: 1000 }).length).toBeGreaterThan(namesOf(unplugged).length)
})

test.each<readonly [SlotName, SlotName]>([
  ['verifiedAppender', 'dataStore'],
  ['finisher', 'dataStore'],
  ['terminator', 'dataStore'],
  ['concatenator', 'dataStore'],
  ['contentReader', 'dataStore'],
  ['expiryIndex', 'infoStore'],
  ['infoLister', 'infoStore'],
])('%s is not tested without %s', (slot, needed) => {
  expect(() => namesOf({ slots: [slot] })).toThrow(
    `option 'slots' must be an array that includes '${needed}', because '${slot}' is tested with it`,
  )
})

test('a data store is not tested without a look at its bytes', () => {
  expect(() => namesOf({ slots: ['dataStore'] })).toThrow("option 'content' must be a function")
  expect(namesOf({ slots: ['dataStore'], content: () => Buffer.alloc(0) })).not.toEqual([])
})

test('options are checked', () => {
  expect(() => namesOf({ slots: [] })).toThrow("option 'slots' must be an array of some of")
  expect(() => namesOf({ slots: ['store' as SlotName] })).toThrow("'dataStore', 'verifiedAppender'")
  expect(() => namesOf({ memory: 0 })).toThrow("option 'memory' must be")
  expect(() => namesOf({ patience: -1 })).toThrow("option 'patience' must be")
  expect(() => namesOf({ lease: 0 })).toThrow("option 'lease' must be")
  expect(() => namesOf({ caseTimeout: 0 })).toThrow("option 'caseTimeout' must be")
  expect(() => namesOf({ dispose: () => {} } as object)).toThrow("no option 'dispose'")
  expect(() => conformanceSuite({} as ConformanceOptions)).toThrow("option 'test' must be")
})

test('each case gets a subject of its own, which is disposed of also when the case fails', async () => {
  const events: string[] = []
  const runs: (() => Promise<void>)[] = []
  let made = 0
  conformanceSuite({
    test: (_, run) => runs.push(run),
    slots: ['locker'],
    factory() {
      const number = made++
      const composer = new StoreComposer()
      if (number % 2 === 0) new MemoryLocker().useIn(composer)
      return { composer, dispose: async () => events.push(`disposed of ${number}`) }
    },
  })
  await runs[0]!()
  await expect(runs[1]!()).rejects.toThrow('The declared slots')
  await runs[2]!()
  expect(events).toEqual(['disposed of 0', 'disposed of 1', 'disposed of 2'])
})

test('a case fails when the factory fills more slots than declared', async () => {
  const runs: (() => Promise<void>)[] = []
  conformanceSuite({
    test: (_, run) => runs.push(run),
    slots: ['dataStore', 'contentReader'],
    factory() {
      return { composer: new StoreComposer().use(new MemoryStore()) }
    },
  })
  for (const run of runs) await expect(run()).rejects.toThrow('The declared slots')
})
