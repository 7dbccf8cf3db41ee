import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { LimitedStore, MemorySpaceCounter } from 'tuskit/limited-store'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { sealingStore } from '../conformance-suite/sealing-store.js'

/** More than any case needs, so that nothing is refused. */
const limit = 2 ** 30

const slots = [
  ...(['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'] as const),
  ...(['infoStore', 'expiryIndex', 'infoLister'] as const),
]

describe.each([
  ['MemoryStore', slots, () => new MemoryStore()],
  ['a store with a finisher', [...slots, 'finisher' as const], () => sealingStore()],
])('LimitedStore around %s', (_, slots, store) => {
  conformanceSuite({
    test,
    slots,
    factory() {
      const composer = new StoreComposer()
      const infoStore = new MemoryInfoStore()
      new LimitedStore({ limit, store: store(), infoStore }).useIn(composer)
      return { composer }
    },
    fenced: true,
    memory: Infinity,
  })
})

interface Place {
  readonly directory: string
  readonly counter: MemorySpaceCounter
}

describe('LimitedStore around FileStore', () => {
  conformanceSuite({
    test,
    slots,
    async factory() {
      const root = await mkdtemp(join(tmpdir(), 'tuskit-limited-'))
      const place = { directory: join(root, 'uploads'), counter: new MemorySpaceCounter() }
      return { ...place, composer: compose(place), dispose: () => rm(root, { recursive: true }) }
    },
    another: compose,
    unplug: {
      /** As when a disk that was mounted there is not any more. Begins before it returns. */
      gone({ directory }: Place) {
        renameSync(directory, `${directory}-elsewhere`)
        writeFileSync(directory, '')
        return () => {
          rmSync(directory)
          renameSync(`${directory}-elsewhere`, directory)
        }
      },
    },
    fenced: true,
    memory: 8 * 1024 * 1024,
  })
})

function compose({ directory, counter }: Place): StoreComposer {
  const composer = new StoreComposer()
  const store = new FileStore({ directory })
  const infoStore = new FileInfoStore({ directory })
  new LimitedStore({ limit, store, infoStore, counter }).useIn(composer)
  return composer
}
