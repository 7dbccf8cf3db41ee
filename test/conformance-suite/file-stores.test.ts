import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { StoreComposer, type Upload } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'
import { openFiles } from '../support/open-files.mjs'
import { Disk } from '../../src/file-store/disk/disk.js'

interface Place {
  readonly directory: string
}

/** As when a disk that was mounted there is not any more. Begins before it returns. */
function gone({ directory }: Place) {
  renameSync(directory, `${directory}-elsewhere`)
  writeFileSync(directory, '')
  return () => {
    rmSync(directory)
    renameSync(`${directory}-elsewhere`, directory)
  }
}

let mounts = 0

/** As when a disk is not mounted, and there is an empty directory, which it hides afterwards. */
function unmounted({ directory }: Place) {
  renameSync(directory, `${directory}-elsewhere`)
  mkdirSync(directory)
  return () => {
    renameSync(directory, `${directory}-below-${++mounts}`)
    renameSync(`${directory}-elsewhere`, directory)
  }
}

/** As when a disk becomes read-only, also for files that are open. Begins before it returns. */
function refused({ directory }: Place) {
  execFileSync('chattr', ['-R', '+i', directory])
  return () => execFileSync('chattr', ['-R', '-i', directory])
}

/** Returns the factories that a suite needs for a store in a directory. */
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
    unplug: { gone, refused },
  }
}

/** Options for suites of a store whose data is in files. */
const ofFiles = {
  places: {
    good: [{ path: 'a' }, { path: 'b/c.txt' }, { path: 'b/d' }],
    bad: [
      ...['', '.', '..', '../x', 'x/../../y', '/etc/x', '.x', 'x/.y', 'x/', 'x//y', 'x\\y', 'x\0y'],
      'x'.repeat(300),
    ].map((path) => ({ path })),
  },
  grow: ({ storage }: Upload, size: number, { directory }: Place) =>
    truncate(join(directory, storage.at.path!), size),
  openHandles: ({ directory }: Place) => openFiles(directory).length,
}

type Durability = 'os' | 'disk'

function fileStoreSuite(durability: Durability): void {
  describe('FileStore', () => {
    conformanceSuite({
      test,
      slots: ['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'],
      ...inDirectory((directory, composer) => {
        new FileStore({ directory, durability }).useIn(composer)
      }),
      ...ofFiles,
      fenced: true,
      memory: 8 * 1024 * 1024,
    })
  })
}

/**
 * Tests the Finisher that an option provides, with the slots that its cases need, and with metadata
 * that it applies.
 */
function mtimeSuite(durability: Durability): void {
  const values = { lastModified: '1557126489123' }
  describe('FileStore with mtimeMetadata', () => {
    conformanceSuite({
      test,
      slots: ['dataStore', 'contentReader', 'finisher'],
      ...inDirectory((directory, composer) => {
        const all = new StoreComposer().use(
          new FileStore({ directory, durability, mtimeMetadata: 'lastModified' }),
        )
        const { dataStore, contentReader, finisher } = all.slots()
        composer.useDataStore(dataStore!).useContentReader(contentReader!)
        composer.useFinisher({
          finish: (upload, ...rest) =>
            finisher!.finish({ ...upload, metadata: { raw: '', values } }, ...rest),
        })
      }),
      ...ofFiles,
      fenced: true,
    })
  })
}

/** The kinds of damage to the file of a record. */
const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'one byte that is another': (bytes) =>
    Buffer.concat([bytes.subarray(0, 40), Buffer.from('~'), bytes.subarray(41)]),
  'nothing in it': () => Buffer.alloc(0),
  'its end cut off': (bytes) => bytes.subarray(0, bytes.length / 2),
  'zeros in it': (bytes) => Buffer.alloc(bytes.length),
}

describe.each(Object.entries(damages))('FileInfoStore with a file that has %s', (_, damaged) => {
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister'],
    ...inDirectory((directory, composer) => new FileInfoStore({ directory }).useIn(composer)),
    async damage(id, { directory }) {
      const path = join(directory, `.${id}.info`)
      await writeFile(path, damaged(await readFile(path)))
      // Of two changes in the same tick of the file system's clock, the second would not show.
      await utimes(path, new Date(), new Date(Date.now() + 5_000))
    },
  })
})

function fileInfoStoreSuite(durability: Durability): void {
  describe('FileInfoStore', () => {
    const place = inDirectory((directory, composer) => {
      new FileInfoStore({ directory, durability, mustExist: true }).useIn(composer)
    })
    conformanceSuite({
      test,
      slots: ['infoStore', 'expiryIndex', 'infoLister'],
      ...place,
      async factory() {
        const subject = await place.factory()
        await mkdir(subject.directory)
        await writeFile(join(subject.directory, '.tuskit'), '')
        return subject
      },
      unplug: { gone: unmounted, refused },
    })
  })
}

describe.each(['os', 'disk'] as const)('with durability %s', (durability) => {
  fileStoreSuite(durability)
  mtimeSuite(durability)
  fileInfoStoreSuite(durability)
})

describe.each(['os', 'disk'] as const)(
  'with durability %s, on a medium that is always slow',
  (durability) => {
    let steps = 0
    beforeAll(() => {
      vi.spyOn(Disk.prototype, 'take').mockImplementation(async (step, ...args) => {
        steps++
        return step.later(...args)
      })
    })
    afterAll(() => {
      vi.restoreAllMocks()
      expect(steps).toBeGreaterThan(0)
    })
    fileStoreSuite(durability)
    fileInfoStoreSuite(durability)
  },
)

describe('FileLocker', () => {
  const { factory, another } = inDirectory((directory, composer) => {
    // A locker that only polled would look after 30 seconds, too late for any case.
    new FileLocker({ directory, lease: 100_000 }).useIn(composer)
  })
  conformanceSuite({ test, slots: ['locker'], factory, another })
})

describe('FileLocker with locks that are lost', () => {
  // Long enough for a busy machine to keep a lock.
  const lease = 2000
  conformanceSuite({
    test,
    slots: ['locker'],
    ...inDirectory((directory, composer) => new FileLocker({ directory, lease }).useIn(composer)),
    lease,
  })
})
