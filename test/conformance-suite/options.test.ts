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
  return names.filter((name) => !name.startsWith('Not run'))
}

/** The titles of tests that say what these options leave out. */
function notRun(options: Partial<ConformanceOptions>): string[] {
  const names: string[] = []
  const { factory } = everything('locker')
  const content = () => Buffer.alloc(0)
  conformanceSuite({
    slots: ['dataStore'],
    factory,
    content,
    test: (name) => names.push(name),
    ...options,
  })
  return names.filter((name) => name.startsWith('Not run'))
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
    { places: { good: [], bad: [] } },
    { places: { good: [{ path: 'a' }], bad: [] } },
    { grow: () => {} },
    { openHandles: () => 0 },
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

test('the suite says what it does not test because an option is absent', () => {
  expect(notRun({})).toEqual([
    'Not run without option "another": two instances on the same storage',
    'Not run without option "unplug": calls while the storage is unavailable',
    'Not run without option "cutAfter": bytes whose connection is cut on their way',
    'Not run without option "places": places that hooks request',
    'Not run without option "grow": data of more than 2^32 bytes',
    'Not run without option "openHandles": connections and descriptors that stay open',
    'Not run without option "fenced": late writes of an earlier lock holder',
  ])
  expect(notRun({ slots: ['infoStore'] }).join()).toMatch(/"damage"/)
  expect(notRun({ slots: ['infoStore'] }).join()).not.toMatch(/"(places|grow|fenced)"/)
  expect(notRun({ slots: ['locker'] }).join()).toMatch(/"lease"/)
  expect(notRun(everything('dataStore'))).toEqual([
    'Not run without option "unplug.gone": storage whose place is missing',
    'Not run without option "unplug.refused": storage that refuses',
  ])
})

test('options are checked', () => {
  expect(() => namesOf({ slots: [] })).toThrow("option 'slots' must be an array of some of")
  expect(() => namesOf({ slots: ['store' as SlotName] })).toThrow("'dataStore', 'verifiedAppender'")
  for (const places of [{ good: [] }, { good: ['a'], bad: [] }, { good: [], bad: [{ a: 1 }] }]) {
    expect(() => namesOf({ places: places as never })).toThrow("option 'places.")
  }
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
    test: (name, run) => name.startsWith('Not run') || runs.push(run),
    slots: ['dataStore', 'contentReader'],
    factory() {
      return { composer: new StoreComposer().use(new MemoryStore()) }
    },
  })
  for (const run of runs) await expect(run()).rejects.toThrow('The declared slots')
})
