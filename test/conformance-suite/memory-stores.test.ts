import { describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { MemoryInfoStore, MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import { sealingStore } from './sealing-store.js'

const places = {
  good: [{ key: 'a' }, { key: 'b/c' }],
  bad: [{ path: 'a' }, { key: 'a', path: 'a' }],
}

describe('MemoryStore', () => {
  conformanceSuite({
    test,
    slots: ['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'],
    factory: () => composed(new MemoryStore()),
    places,
    fenced: true,
    memory: Infinity,
  })
})

describe('A store with a finisher', () => {
  conformanceSuite({
    test,
    slots: [
      ...([
        'dataStore',
        'verifiedAppender',
        'terminator',
        'concatenator',
        'contentReader',
      ] as const),
      'finisher',
    ],
    factory: () => composed(sealingStore()),
    places,
    fenced: true,
    memory: Infinity,
  })
})

describe('MemoryInfoStore', () => {
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister'],
    factory: () => composed(new MemoryInfoStore()),
  })
})

describe('MemoryLocker', () => {
  conformanceSuite({ test, slots: ['locker'], factory: () => composed(new MemoryLocker()) })
})

function composed(store: { useIn(composer: StoreComposer): void }) {
  return { composer: new StoreComposer().use(store) }
}
