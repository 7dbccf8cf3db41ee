import { TusError, type ChangeOptions, type Upload } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { changed, composedRecords, labelOf, type Broken } from './broken.js'
import { noAbort } from '../support/stages.js'

const slots = ['infoStore', 'expiryIndex', 'infoLister'] as const

/** The records of all instances, and an index of them that is changed in steps of its own. */
interface Shared {
  readonly sound: MemoryInfoStore
  readonly index: Set<string>
}

type Breakage = (shared: Shared) => Partial<MemoryInfoStore>

/** Makes info stores with a race, for the case on one instance and for the one on two. */
function racing(slot: (typeof slots)[number]) {
  return (caught: string, title: string, breakIt: Breakage): readonly Broken[] => {
    const instance = (shared: Shared) => {
      const broken = changed(shared.sound, breakIt(shared))
      return { ...shared, ...composedRecords(broken) }
    }
    const factory = () => instance({ sound: new MemoryInfoStore(), index: new Set() })
    const another = (subject: object) => instance(subject as Shared).composer
    return ['', ', on two instances'].map((end) => {
      const name = `${labelOf(slot)}: ${caught}${end}`
      return { caught: name, title: `${title}${end}`, slots, factory, another }
    })
  }
}

const pause = () => new Promise((resolve) => setImmediate(resolve))

async function put(sound: MemoryInfoStore, upload: Upload): Promise<void> {
  await sound.delete(upload.id, noAbort)
  await sound.create(upload, noAbort)
}

/** Reads, and a moment later writes. */
const lateCreate = (sound: MemoryInfoStore) => async (upload: Upload) => {
  if (await sound.get(upload.id)) throw new TusError('ERR_ID_TAKEN')
  await pause()
  await put(sound, upload)
}

const lateUpdate = (sound: MemoryInfoStore) => async (upload: Upload) => {
  const found = await sound.get(upload.id)
  if (found?.revision !== upload.revision - 1) throw new TusError('ERR_INFO_CONFLICT')
  await pause()
  await put(sound, upload)
}

/** Runs calls one after another, in this process. */
function oneByOne<Args extends readonly unknown[]>(call: (...args: Args) => Promise<void>) {
  let last = Promise.resolve()
  return (...args: Args) => {
    const work = last.then(() => call(...args))
    last = work.catch(() => {})
    return work
  }
}

const info = racing('infoStore')
const creation = 'create succeeds for one of many concurrent calls'
const revision = 'update succeeds for one of many concurrent calls'

export const brokenRecordRaces: readonly Broken[] = [
  ...info(creation, 'looks, then writes', ({ sound }) => ({ create: lateCreate(sound) })),
  ...info(revision, 'compares, then writes', ({ sound }) => ({ update: lateUpdate(sound) })),
  // On one instance, these are sound.
  ...info(creation, 'has a queue of its own for creations', ({ sound }) => ({
    create: oneByOne(lateCreate(sound)),
  })).slice(1),
  ...info(revision, 'has a queue of its own for updates', ({ sound }) => ({
    update: oneByOne(lateUpdate(sound)),
  })).slice(1),
  ...info(
    'concurrent changes of different records do not affect each other',
    'keeps the record of a call in a member',
    ({ sound }) => {
      let current: Upload
      return {
        async update(upload, options: ChangeOptions) {
          current = upload
          await pause()
          await sound.update(current, options)
        },
      }
    },
  ),
  ...info(
    'concurrent changes of different records do not affect each other',
    'writes all records back that it has read',
    ({ sound, index }) => ({
      async create(upload, options) {
        const before = [...index]
        await pause()
        await sound.create(upload, options)
        index.clear()
        for (const id of [...before, upload.id]) index.add(id)
      },
      get: async (id) => (index.has(id) ? sound.get(id) : undefined),
    }),
  ),
  ...info(
    'update during a delete does not bring the record back',
    'writes what it compared before',
    ({ sound }) => ({ update: lateUpdate(sound) }),
  ),
  ...info(
    'create during a delete makes a record only in place of the old one',
    'remembers an absence that is over',
    ({ sound }) => {
      const absent = new Set<string>()
      return {
        async delete(id, options) {
          await sound.delete(id, options)
          await pause()
          absent.add(id)
        },
        async create(upload, options) {
          await sound.create(upload, options)
          absent.delete(upload.id)
        },
        get: async (id) => (absent.has(id) ? undefined : sound.get(id)),
      }
    },
  ),
]

/** Changes the index after the record, to which the way is longer for removals. */
function inSteps({ sound, index }: Shared): Partial<MemoryInfoStore> {
  const remove = async (id: string) => {
    for (let turn = 0; turn < 3; turn++) await pause()
    index.delete(id)
  }
  return {
    async create(upload, options) {
      await sound.create(upload, options)
      index.add(upload.id)
    },
    async update(upload, options) {
      await sound.update(upload, options)
      if (upload.expiresAt === undefined) await remove(upload.id)
      else index.add(upload.id)
    },
    async delete(id, options) {
      await sound.delete(id, options)
      await remove(id)
    },
    async *ids() {
      yield* [...index].sort()
    },
    async *expired() {
      yield* index
    },
  }
}

const expiry = racing('expiryIndex')
const lister = racing('infoLister')

export const brokenExpiryRaces: readonly Broken[] = [
  ...expiry(
    'expired yields a record that was created during a delete',
    'removes the entry of a record that is new',
    inSteps,
  ),
  ...expiry(
    'expired yields a record whose expiry was set during another update',
    'changes an entry after the next change has done so',
    inSteps,
  ),
]

export const brokenListRaces: readonly Broken[] = [
  ...lister(
    'ids yields each record once and in order while others come and go',
    'counts positions',
    ({ sound }) => ({
      async *ids(options) {
        for (let position = 0; ; position += 100) {
          const all: string[] = []
          for await (const id of sound.ids(options)) all.push(id)
          if (position >= all.length) return
          yield* all.slice(position, position + 100)
        }
      },
    }),
  ),
  ...lister(
    'ids yields a record that was created during a delete',
    'removes the entry of a record that is new',
    inSteps,
  ),
]
