import { TusError, type ChangeOptions, type Upload } from 'tuskit'
import type { ConformanceOptions } from 'tuskit/conformance'
import { changed, composedRecords, labelOf, type Broken } from './broken.js'
import { noAbort } from '../support/stages.js'
import { FakeDatabase } from './fake-database.js'
import { RemoteInfoStore } from './remote-info-store.js'

const slots = ['infoStore', 'expiryIndex', 'infoLister'] as const

interface DatabaseSubject {
  readonly database: FakeDatabase
}

/** The options that a suite needs to make the database fail. */
export const databaseOptions = {
  unplug: {
    down: (subject: object) => databaseOf(subject).unplug('down'),
    gone: (subject: object) => databaseOf(subject).unplug('gone'),
    refused: (subject: object) => databaseOf(subject).unplug('refused'),
    paused: (subject: object) => databaseOf(subject).unplug('paused'),
  },
  openHandles: (subject) => databaseOf(subject).connections,
} satisfies Partial<ConformanceOptions>

export function databaseOf(subject: object): FakeDatabase {
  return (subject as DatabaseSubject).database
}

/** Makes info stores on a fake database of which something is broken that belongs to `slot`. */
export function breakingRemoteRecords(slot: (typeof slots)[number]) {
  return (
    caught: string,
    title: string,
    breakIt: (sound: RemoteInfoStore) => Partial<RemoteInfoStore>,
    options: Partial<Broken> = {},
  ): Broken => {
    const factory = () => {
      const database = new FakeDatabase()
      const sound = new RemoteInfoStore(database)
      return { database, ...composedRecords(changed(sound, breakIt(sound))) }
    }
    const sibling = (subject: object) =>
      composedRecords(new RemoteInfoStore(databaseOf(subject))).composer
    const name = `${labelOf(slot)}: ${caught}`
    return { caught: name, title, slots, factory, sibling, ...databaseOptions, ...options }
  }
}

const info = breakingRemoteRecords('infoStore')

export function isUnavailable(error: unknown): boolean {
  return (error as { code?: unknown })?.code === 'ERR_STORAGE_UNAVAILABLE'
}

export function unlessUnavailable(error: unknown): undefined {
  if (!isUnavailable(error)) throw error
}

const getting = 'get rejects when it cannot reach the storage'
const changing = 'create, update and delete reject when they cannot reach the storage'
const creation = 'create makes the whole record or rejects when the storage becomes unavailable'
const revision = 'update makes the whole revision or rejects when the storage becomes unavailable'
const removal = 'delete reports only a removal that happened when the storage becomes unavailable'

/** Runs a call again when it fails, for at most a moment. */
async function retried<T>(call: () => Promise<T>): Promise<T> {
  for (let left = 5; ; left--) {
    try {
      return await call()
    } catch (error) {
      if (!isUnavailable(error) || left === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** Makes the first part of a change, and later the rest. */
async function inHalves(sound: RemoteInfoStore, upload: Upload, options: ChangeOptions) {
  const { raw, values } = upload.metadata
  const half = { ...upload, metadata: { raw: raw.slice(0, raw.length / 2), values } }
  if (upload.revision === 1) await sound.create(half, options)
  else await sound.update(half, options)
  await sound.run(options.signal, 'change', (rows) => {
    rows.set(
      upload.id,
      rows.get(upload.id)!.replace(half.metadata.raw, () => raw),
    )
  })
}

const unheard = 'settles when its signal aborts while the storage does not respond'

export const brokenRecordFaults: readonly Broken[] = [
  ...(['create', 'get', 'update', 'delete'] as const).map((method) =>
    info(`${method} ${unheard}`, `hangs in ${method} with a storage that is paused`, (sound) => ({
      [method]: (subject: never) => sound[method](subject, noAbort),
    })),
  ),
  info(
    `update ${unheard}`,
    'waits for its own aborted update',
    (sound) => {
      let last: Promise<unknown> = Promise.resolve()
      return {
        async update(upload, options) {
          const work = last.then(() => sound.update(upload, options))
          last = work.catch(() => options.signal.aborted && new Promise(() => {}))
          return work
        },
      }
    },
    { caseTimeout: 2_000 },
  ),
  info(`create ${unheard}`, 'leaves half a record when the signal of create aborts', (sound) => ({
    create: (upload, options) => inHalves(sound, upload, options),
  })),
  info(`update ${unheard}`, 'leaves half a revision when the signal of update aborts', (sound) => ({
    update: (upload, options) => inHalves(sound, upload, options),
  })),
  info(`get ${unheard}`, 'takes the end of its patience for an absence', (sound) => ({
    get: (id, options) =>
      sound.get(id, options).catch((error: unknown) => {
        if (!options.signal.aborted) throw error
        return undefined
      }),
  })),
  info(`delete ${unheard}`, 'says that it deleted what it gave up', (sound) => ({
    async delete(id, options) {
      try {
        await sound.get(id, options)
        await sound.delete(id, options)
      } catch (error) {
        if (!options.signal.aborted) throw error
      }
    },
  })),
  info(getting, 'takes an unreachable storage for an empty one', (sound) => ({
    get: (...args) => sound.get(...args).catch(unlessUnavailable),
  })),
  info(getting, 'does not say that the storage is unavailable', (sound) => ({
    get: (...args) =>
      sound.get(...args).catch((error: unknown) => {
        throw isUnavailable(error) ? (error as Error).cause : error
      }),
  })),
  info(getting, 'never connects again', (sound) => {
    let broken: unknown
    return {
      async get(...args) {
        if (broken !== undefined) throw broken
        return sound.get(...args).catch((error: unknown) => {
          broken = error
          throw error
        })
      },
    }
  }),
  info(getting, 'remembers what was there', (sound) => {
    const known = new Map<string, Upload>()
    return {
      async create(upload, options) {
        await sound.create(upload, options)
        known.set(upload.id, upload)
      },
      get: async (id, options) => known.get(id) ?? sound.get(id, options),
    }
  }),
  ...(['create', 'update', 'delete'] as const).map((method) =>
    info(changing, `reports success in ${method} for what it queues`, (sound) => ({
      async [method](subject: never, options: ChangeOptions) {
        const work = sound[method](subject, options)
        const isDown = await sound.get('a', options).then(() => false, isUnavailable)
        if (!isDown) return work
        await work.catch(() => {})
      },
    })),
  ),
  info(
    'get returns the record or rejects when the storage becomes unavailable',
    'takes a cut connection for an absence',
    (sound) => ({
      get: (...args) =>
        sound.get(...args).catch((error: unknown) => {
          const { code } = (error as { cause?: { code?: unknown } }).cause ?? {}
          if (code === 'ECONNRESET') return undefined
          throw error
        }),
    }),
  ),
  info(creation, 'creates again and takes its own record for that of another', (sound) => ({
    create: (...args) => retried(() => sound.create(...args)),
  })),
  info(creation, 'takes a cut connection for a success in create', (sound) => ({
    create: (...args) => sound.create(...args).catch(unlessUnavailable),
  })),
  info(creation, 'creates in two steps', (sound) => ({
    create: (upload, options) => inHalves(sound, upload, options),
  })),
  info(creation, 'resolves before the record is stored', (sound) => ({
    async create(upload, options) {
      const found = await sound.get(upload.id, options)
      if (found) throw new TusError('ERR_ID_TAKEN')
      sound.create(upload, options).catch(() => {})
    },
  })),
  info(revision, 'updates again and takes its own revision for that of another', (sound) => ({
    update: (...args) => retried(() => sound.update(...args)),
  })),
  info(revision, 'updates in two steps', (sound) => ({
    update: (upload, options) => inHalves(sound, upload, options),
  })),
  info(revision, 'removes the old revision first', (sound) => ({
    async update(upload, options) {
      const found = await sound.get(upload.id, options)
      if (found?.revision !== upload.revision - 1) throw new TusError('ERR_INFO_CONFLICT')
      await sound.delete(upload.id, options)
      await sound.create(upload, options)
    },
  })),
  info(revision, 'reports a conflict when it cannot reach the storage', (sound) => ({
    update: (...args) =>
      sound.update(...args).catch(() => {
        throw new TusError('ERR_INFO_CONFLICT')
      }),
  })),
  info(removal, 'takes "cannot reach" for "absent" in delete', (sound) => ({
    delete: (...args) => sound.delete(...args).catch(unlessUnavailable),
  })),
  info(removal, 'removes later', (sound) => ({
    async delete(id, options) {
      await sound.get(id, options)
      sound.delete(id, options).catch(() => {})
    },
  })),
]
