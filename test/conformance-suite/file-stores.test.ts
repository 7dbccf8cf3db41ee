import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'

interface Place {
  readonly directory: string
}

/** What the suites need of everything that lives in a directory. */
function inDirectory(compose: (directory: string, composer: StoreComposer) => void) {
  const composerOf = ({ directory }: Place) => {
    const composer = new StoreComposer()
    compose(directory, composer)
    return composer
  }
  return {
    async factory() {
      const root = await mkdtemp(join(tmpdir(), 'tuskit-conformance-'))
      const directory = join(root, 'uploads')
      const dispose = () => rm(root, { recursive: true })
      return { composer: composerOf({ directory }), directory, dispose }
    },
    another: composerOf,
    /** As when a disk that was mounted there is not any more. */
    async unplug({ directory }: Place) {
      await rename(directory, `${directory}-elsewhere`)
      await writeFile(directory, '')
    },
  }
}

describe.each(['os', 'disk'] as const)('with durability %s', (durability) => {
  describe('FileStore', () => {
    conformanceSuite({
      test,
      slots: ['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'],
      ...inDirectory((directory, composer) => {
        new FileStore({ directory, durability }).useIn(composer)
      }),
      fenced: true,
      memory: 8 * 1024 * 1024,
    })
  })

  describe('FileInfoStore', () => {
    conformanceSuite({
      test,
      slots: ['infoStore', 'expiryIndex', 'infoLister'],
      ...inDirectory((directory, composer) => {
        new FileInfoStore({ directory, durability }).useIn(composer)
      }),
    })
  })
})

describe('FileLocker', () => {
  const { factory, another } = inDirectory((directory, composer) => {
    // Whoever looked only now and then would look after 30 seconds: too late for any case.
    new FileLocker({ directory, lease: 100_000 }).useIn(composer)
  })
  conformanceSuite({ test, slots: ['locker'], factory, another })
})
