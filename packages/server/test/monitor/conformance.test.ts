import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'
import { MemoryInfoStore, MemoryLocker } from 'tuskit/memory-store'
import { sealingStore } from '../../../../test/conformance-suite/sealing-store.js'
import { Monitor } from '../../src/monitor/monitor.js'

const slots = [
  ...(['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'] as const),
  ...(['infoStore', 'expiryIndex', 'infoLister', 'locker'] as const),
]

const monitor = new Monitor({ worker: 0 })

describe('an observed store with a finisher, in memory', () => {
  conformanceSuite({
    test,
    slots: [...slots, 'finisher'],
    factory() {
      const composer = new StoreComposer()
      composer.use(sealingStore(), new MemoryInfoStore(), new MemoryLocker())
      return { composer: monitor.observe(composer) }
    },
    fenced: true,
    memory: Infinity,
  })
})

interface Place {
  readonly directory: string
}

describe('an observed FileStore', () => {
  conformanceSuite({
    test,
    slots,
    async factory() {
      const root = await mkdtemp(join(tmpdir(), 'tuskit-observed-'))
      const place = { directory: join(root, 'uploads') }
      return { ...place, composer: compose(place), dispose: () => rm(root, { recursive: true }) }
    },
    another: compose,
    fenced: true,
    memory: 8 * 1024 * 1024,
  })
})

function compose({ directory }: Place): StoreComposer {
  const parts = [FileStore, FileInfoStore, FileLocker].map((Part) => new Part({ directory }))
  return monitor.observe(new StoreComposer().use(...parts))
}
