import { describe, expect, it } from 'vitest'
import type { UploadBody } from 'tuskit'
import { FileStore } from 'tuskit/file-store'
import { everyAbsence } from './absence.js'
import { content, forced, signal, text, uploadOf, writing } from './stage.js'

const codeOf = (error: unknown) => (error as { code?: unknown }).code

/** Complete data, data that ends in unverified bytes, new data, and data in a new folder. */
const a = uploadOf('a', { length: 5 })
const marked = uploadOf('marked')
const b = uploadOf('b')
const inner = uploadOf('inner', { storage: { kind: 'file', at: { path: 'folder/inner' } } })
const final = uploadOf('final', { length: 10 })
const uploads = { a, marked, b, inner, final }

/** The state of each upload: bytes that count, or the code of the error. */
type Stored = { readonly [Name in keyof typeof uploads]?: unknown }

const before = { a: 'hello', marked: 'abc', b: missing(), inner: missing(), final: '' }

function missing() {
  return 'ERR_DATA_MISSING'
}

async function storedIn(store: FileStore): Promise<Stored> {
  const stored: Record<string, unknown> = {}
  for (const [name, upload] of Object.entries(uploads)) {
    const read = async () => {
      const { offset } = await store.stat(upload, { signal })
      // The bytes that count, of an upload that ends there.
      return content(store, { ...upload, length: offset })
    }
    stored[name] = await read().catch(codeOf)
  }
  return stored
}

/** A chunk that ends before it was accepted, as when its connection is cut. */
function appendCut(store: FileStore, upload: typeof a, body: UploadBody, offset: number) {
  const cut = async () => {
    throw new Error('cut')
  }
  return store.appendVerified(upload, { offset }, body, cut, writing()).catch((error: unknown) => {
    if ((error as Error).message !== 'cut') throw error
  })
}

async function append(store: FileStore, upload: typeof a, bytes: string, fence = writing().fence) {
  const from = await store.stat(upload, { signal })
  return (await store.append(upload, from, text(bytes), writing({ fence }))).offset
}

async function appendVerified(store: FileStore, upload: typeof a, bytes: string) {
  const from = await store.stat(upload, { signal })
  const accept = async () => true
  return (await store.appendVerified(upload, from, text(bytes), accept, writing())).offset
}

interface Operation {
  readonly run: (store: FileStore) => Promise<unknown>
  /** The outcome of the operation when it is possible. */
  readonly outcome?: unknown
  /** The changes that it makes. */
  readonly changes?: Stored
  /** The files where the disk is not mounted. */
  readonly below?: readonly string[]
}

const operations: Readonly<Record<string, Operation>> = {
  create: { run: (store) => store.create(b, writing()), changes: { b: '' } },
  'create with a file of this name where the disk is not mounted': {
    run: (store) => store.create(b, writing()),
    changes: { b: '' },
    below: ['b'],
  },
  'create in a new folder': {
    run: (store) => store.create(inner, writing()),
    changes: { inner: '' },
  },
  'create over data': {
    run: (store) =>
      store.create(a, writing()).catch((error: unknown) => {
        if (codeOf(error) !== 'ERR_DATA_EXISTS') throw error
        return codeOf(error)
      }),
    outcome: 'ERR_DATA_EXISTS',
  },
  stat: { run: async (store) => (await store.stat(a, { signal })).offset, outcome: 5 },
  'stat of data with unverified bytes': {
    run: async (store) => (await store.stat(marked, { signal })).offset,
    outcome: 3,
  },
  read: { run: (store) => content(store, a), outcome: 'hello' },
  append: {
    run: (store) => append(store, a, ' you'),
    outcome: 9,
    changes: { a: 'hello you' },
  },
  'append over unverified bytes': {
    run: (store) => append(store, marked, 'xyz'),
    outcome: 6,
    changes: { marked: 'abcxyz' },
  },
  'append after a holder that may not know': {
    run: (store) => append(store, a, ' you', forced),
    outcome: 9,
    changes: { a: 'hello you' },
  },
  'append over unverified bytes after a holder that may not know': {
    run: (store) => append(store, marked, 'xyz', forced),
    outcome: 6,
    changes: { marked: 'abcxyz' },
  },
  appendVerified: {
    run: (store) => appendVerified(store, a, ' you'),
    outcome: 9,
    changes: { a: 'hello you' },
  },
  'appendVerified over unverified bytes': {
    run: (store) => appendVerified(store, marked, 'xyz'),
    outcome: 6,
    changes: { marked: 'abcxyz' },
  },
  'appendVerified of a chunk that is cut off': {
    run: (store) => appendCut(store, a, text(' you'), 5),
  },
  concatenate: {
    run: (store) => store.concatenate(final, [a, a], writing()),
    changes: { final: 'hellohello' },
  },
  'concatenate of nothing': { run: (store) => store.concatenate(final, [], writing()) },
  terminate: { run: (store) => store.terminate(a, writing()), changes: { a: missing() } },
  'terminate of data with unverified bytes': {
    run: (store) => store.terminate(marked, writing()),
    changes: { marked: missing() },
  },
}

async function prepared(store: FileStore): Promise<void> {
  for (const upload of [a, marked, final]) await store.create(upload, writing())
  await append(store, a, 'hello')
  await appendVerified(store, marked, 'abc')
  await appendCut(store, marked, text('de'), 3)
}

const instances = [
  ['that is new, with durability os', 'os', false],
  ['that has worked before, with durability disk', 'disk', true],
] as const

describe.each(instances)('of an instance %s', (_, durability, hasWorked) => {
  it.each(Object.entries(operations))(
    '%s does what it says or rejects, whenever the disk goes away and comes back',
    async (_, { run, outcome: possible, changes, below = [] }) => {
      const after = { ...before, ...changes }
      await everyAbsence(
        async (disk) => {
          disk.below = below
          const options = { directory: disk.path, durability }
          await prepared(new FileStore(options))
          const store = new FileStore({ ...options, mustExist: true })
          if (hasWorked) await store.stat(a, { signal })
          return { run: () => run(store), readers: [store, new FileStore(options)] }
        },
        async ({ outcome, when }, { readers }) => {
          for (const reader of readers) {
            const stored = await storedIn(reader)
            if (outcome === 'unavailable') expect([before, after], when).toContainEqual(stored)
            else expect([outcome, stored], when).toEqual([possible, after])
          }
        },
      )
    },
  )
})

it('data that is terminated while the disk is away for a moment limits no later upload', async () => {
  await everyAbsence(
    async ({ path: directory }) => {
      const store = new FileStore({ directory })
      await prepared(store)
      return { run: () => store.terminate(marked, writing()), store }
    },
    async ({ outcome, when }, { store }) => {
      if (outcome === 'unavailable') return
      const later = uploadOf('later', { storage: marked.storage })
      await store.create(later, writing())
      await append(store, later, 'later')
      expect((await store.stat(later, { signal })).offset, when).toBe(5)
    },
  )
})
