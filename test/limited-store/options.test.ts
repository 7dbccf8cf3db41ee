import { expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { LimitedStore, type LimitedStoreOptions } from 'tuskit/limited-store'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { inMemory } from './limited.js'

test.each<[object, string]>([
  [{ limit: undefined }, "option 'limit' must be a whole number of bytes, more than 0"],
  [{ limit: 0 }, "option 'limit' must be a whole number of bytes, more than 0, not 0"],
  [{ store: undefined }, "option 'store' must be a store with the function useIn, not undefined"],
  [{ infoStore: {} }, "option 'infoStore' must be a store with the function useIn, not {}"],
  [
    { store: new MemoryInfoStore() },
    "option 'store' must be a store that fills the slot dataStore, not MemoryInfoStore {}",
  ],
  [
    { infoStore: new MemoryStore() },
    "option 'infoStore' must be a store that fills the slot infoStore, not MemoryStore {",
  ],
  [
    { counter: {} },
    "option 'counter' must be an object with the functions reserve and note, not {}",
  ],
  [{ evict: 1 }, "option 'evict' must be a function, not 1"],
  [{ reserve: 'no' }, "option 'reserve' must be a boolean"],
  [{ spaceTimeout: 0 }, "option 'spaceTimeout' must be a number of milliseconds"],
  [{ limits: 1 }, "there is no option 'limits'; did you mean 'limit'?"],
])('%o is refused', (wrong, message) => {
  const options = { limit: 11, ...inMemory(), ...wrong } as LimitedStoreOptions
  expect(() => new LimitedStore(options)).toThrow(message)
  expect(() => new LimitedStore(options)).toThrow(TypeError)
})

test('records that cannot be listed are refused, since nothing could be counted', () => {
  const records = new MemoryInfoStore()
  const infoStore = { useIn: (composer: StoreComposer) => composer.useInfoStore(records) }
  const options = { limit: 11, store: new MemoryStore(), infoStore }
  expect(() => new LimitedStore(options)).toThrow(
    "'infoStore' must be a store that fills the slot infoLister, not ",
  )
})

test('only the slots that the stores fill are filled', () => {
  const store = new MemoryStore()
  const plain = { useIn: (composer: StoreComposer) => composer.useDataStore(store) }
  const composer = new StoreComposer().use(
    new LimitedStore({ limit: 11, store: plain, infoStore: new MemoryInfoStore() }),
  )
  expect(Object.keys(composer.slots()).toSorted()).toEqual([
    'dataStore',
    'expiryIndex',
    'infoLister',
    'infoStore',
  ])
})
