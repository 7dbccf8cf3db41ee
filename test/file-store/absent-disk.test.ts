import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Upload } from 'tuskit'
import { FileInfoStore, type FileInfoStoreOptions } from 'tuskit/file-store'
import { Disk } from '../../src/file-store/disk/disk.js'
import { newDirectory, signal, uploadOf } from './stage.js'
import { noAbort } from '../support/stages.js'

afterEach(() => void vi.restoreAllMocks())

const [a, b] = [uploadOf('a', { expiresAt: '2026-03-04T05:06:07.000Z' }), uploadOf('b')]
const next = { ...a, revision: 2, length: 5 }

/** A directory on a disk that can be away. Then an empty one is in its place. */
async function mountedDirectory() {
  const home = await newDirectory()
  const [directory, elsewhere] = [join(home, 'uploads'), join(home, 'elsewhere')]
  let [isAway, times] = [false, 0]
  return {
    directory,
    async unmount() {
      isAway = true
      await rename(directory, elsewhere)
      await mkdir(directory)
    },
    /** Mounts the disk, unless it is there. */
    async mount() {
      if (!isAway) return
      isAway = false
      await rename(directory, join(home, `below-${++times}`))
      await rename(elsewhere, directory)
    },
  }
}

/** Runs a call while the disk is away after one step of it, and until another one. */
async function absent<T>(
  disk: Awaited<ReturnType<typeof mountedDirectory>>,
  { after, until }: { readonly after: number; readonly until: number },
  call: () => Promise<T>,
): Promise<{ readonly outcome: T | 'unavailable'; readonly steps: number }> {
  const { take } = Disk.prototype
  let steps = 0
  if (after === 0) await disk.unmount()
  const stepping = vi.spyOn(Disk.prototype, 'take').mockImplementation(async function (
    this: Disk,
    ...args
  ) {
    const step = ++steps
    if (step === until) await disk.mount()
    try {
      return await take.apply(this, args)
    } finally {
      if (step === after) await disk.unmount()
    }
  })
  try {
    return { outcome: await call(), steps }
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
    return { outcome: 'unavailable', steps }
  } finally {
    stepping.mockRestore()
    await disk.mount()
  }
}

async function collected(ids: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const id of ids) all.push(id)
  return all.sort()
}

/** Returns the record, or the code of the error. */
function found(store: FileInfoStore, id: string): Promise<unknown> {
  return store.get(id).catch((error: unknown) => (error as { code?: unknown }).code)
}

interface Operation {
  readonly run: (store: FileInfoStore) => Promise<unknown>
  /** The outcome of the operation when it is possible. */
  readonly outcome: unknown
  /** The records `a` and `b` after it. */
  readonly after: readonly [a: Upload | undefined, b: Upload | undefined]
}

const operations: Readonly<Record<string, Operation>> = {
  get: { run: (store) => store.get('a'), outcome: a, after: [a, undefined] },
  update: {
    run: (store) => store.update(next, noAbort),
    outcome: undefined,
    after: [next, undefined],
  },
  delete: {
    run: (store) => store.delete('a', noAbort),
    outcome: undefined,
    after: [undefined, undefined],
  },
  create: { run: (store) => store.create(b, noAbort), outcome: undefined, after: [a, b] },
  'create of an id that is taken': {
    run: (store) =>
      store.create({ ...a, length: 7 }, noAbort).catch((error: unknown) => {
        if ((error as { code?: unknown }).code !== 'ERR_ID_TAKEN') throw error
        return 'taken'
      }),
    outcome: 'taken',
    after: [a, undefined],
  },
  expired: {
    run: (store) => collected(store.expired(new Date(), { signal })),
    outcome: ['a', 'y', 'z'],
    after: [a, undefined],
  },
  ids: {
    run: (store) => collected(store.ids({ signal })),
    outcome: ['a', 'y', 'z'],
    after: [a, undefined],
  },
}

const instances = {
  'that has worked before': async (options: FileInfoStoreOptions) => {
    const store = new FileInfoStore(options)
    await store.get('a')
    return store
  },
  'that is new': async (options: FileInfoStoreOptions) =>
    new FileInfoStore({ ...options, mustExist: true }),
}

describe.each(['os', 'disk'] as const)('with durability %s', (durability) => {
  describe.each(Object.entries(instances))('of an instance %s', (_, instanceOf) => {
    it.each(Object.entries(operations))(
      '%s does what it says or rejects, whenever the disk goes away and comes back',
      async (_, { run, outcome: possible, after }) => {
        for (let [gone, last] = [0, 0]; gone <= last; gone++) {
          for (let until = gone + 1; until <= last + 1; until++) {
            const disk = await mountedDirectory()
            const options = { directory: disk.directory, durability }
            const writer = new FileInfoStore(options)
            for (const id of ['a', 'y', 'z']) await writer.create({ ...a, id }, noAbort)
            const store = await instanceOf(options)
            const window = { after: gone, until }
            const { outcome, steps } = await absent(disk, window, () => run(store))
            last = steps
            const when = `away after step ${gone}, until step ${until} of ${steps}`
            for (const reader of [store, new FileInfoStore(options)]) {
              const records = [await found(reader, 'a'), await found(reader, 'b')]
              if (outcome === 'unavailable') {
                const changed = [[a, undefined], after, [a, 'ERR_INFO_CORRUPT']]
                expect(changed, when).toContainEqual(records)
              } else expect([outcome, records], when).toEqual([possible, after])
            }
          }
        }
      },
    )
  })
})
