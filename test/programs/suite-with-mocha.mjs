// Runs the suite under mocha, over all stores in files.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'mocha'
import { StoreComposer } from '../.dist/index.js'
import { conformanceSuite } from '../.dist/conformance.js'
import { FileInfoStore, FileLocker } from '../.dist/file-store.js'

describe('Records and locks in files', () => {
  conformanceSuite({
    test: it,
    slots: ['infoStore', 'expiryIndex', 'infoLister', 'locker'],
    async factory() {
      const directory = await mkdtemp(join(tmpdir(), 'tuskit-mocha-'))
      const composer = new StoreComposer().use(
        new FileInfoStore({ directory }),
        new FileLocker({ directory }),
      )
      return { composer, dispose: () => rm(directory, { recursive: true }) }
    },
  })
})
