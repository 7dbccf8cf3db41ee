import { describe, expect, it } from 'vitest'
import type { Upload } from 'tuskit'
import { FileInfoStore, type FileInfoStoreOptions } from 'tuskit/file-store'
import { everyAbsence } from './absence.js'
import { signal, uploadOf } from './stage.js'
import { noAbort } from '../support/stages.js'

const [a, b] = [uploadOf('a', { expiresAt: '2026-03-04T05:06:07.000Z' }), uploadOf('b')]
const next = { ...a, revision: 2, length: 5 }

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
  /** The files where the disk is not mounted. */
  readonly below?: readonly string[]
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
  'create with a file of this name where the disk is not mounted': {
    run: (store) => store.create(b, noAbort),
    outcome: undefined,
    after: [a, b],
    below: ['.b.info'],
  },
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
      async (_, { run, outcome: possible, after, below = [] }) => {
        await everyAbsence(
          async (disk) => {
            disk.below = below
            const options = { directory: disk.path, durability }
            const writer = new FileInfoStore(options)
            for (const id of ['a', 'y', 'z']) await writer.create({ ...a, id }, noAbort)
            const store = await instanceOf(options)
            return { run: () => run(store), readers: [store, new FileInfoStore(options)] }
          },
          async ({ outcome, when }, { readers }) => {
            for (const reader of readers) {
              const records = [await found(reader, 'a'), await found(reader, 'b')]
              if (outcome === 'unavailable') {
                const changed = [[a, undefined], after, [a, 'ERR_INFO_CORRUPT']]
                expect(changed, when).toContainEqual(records)
              } else expect([outcome, records], when).toEqual([possible, after])
            }
          },
        )
      },
    )
  })
})
