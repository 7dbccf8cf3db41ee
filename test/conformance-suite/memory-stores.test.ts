import { describe, test } from 'vitest'
import { StoreComposer, TusError, type Stat } from 'tuskit'
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

/** A memory store that refuses more bytes than its limit, also those of a final upload. */
class LimitedMemoryStore extends MemoryStore {
  override async append(...args: Parameters<MemoryStore['append']>) {
    return this.#checked(await super.append(...args))
  }

  override async appendVerified(...args: Parameters<MemoryStore['appendVerified']>) {
    return this.#checked(await super.appendVerified(...args))
  }

  override async concatenate(...args: Parameters<MemoryStore['concatenate']>) {
    await super.concatenate(...args)
    const [final, , options] = args
    this.#checked(await this.stat(final, options))
  }

  #checked(stored: Stat): Stat {
    if (stored.offset > this.maxSize) throw new TusError('ERR_STORAGE_FULL')
    return stored
  }
}

describe('A store with the smallest limit', () => {
  conformanceSuite({
    test,
    slots: ['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'],
    factory: () => composed(new LimitedMemoryStore({ maxSize: 262_144 })),
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
