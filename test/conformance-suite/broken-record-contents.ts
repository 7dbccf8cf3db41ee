import { parseUpload, serializeUpload, TusError, type Upload } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { changed, composedRecords, type Broken } from './broken.js'

const slots = ['infoStore', 'expiryIndex', 'infoLister'] as const

/** Makes memory info stores that do something wrong with the content of records. */
function info(
  caught: string,
  title: string,
  breakIt: (sound: MemoryInfoStore) => Partial<MemoryInfoStore>,
): Broken {
  const factory = () => {
    const sound = new MemoryInfoStore()
    return { sound, ...composedRecords(changed(sound, breakIt(sound))) }
  }
  const sibling = (subject: object) =>
    composedRecords((subject as ReturnType<typeof factory>).sound).composer
  return { caught: `InfoStore: ${caught}`, title, slots, factory, sibling }
}

/** Makes an info store that alters what it stores. */
function altering(title: string, alter: (upload: Upload) => Upload): Broken {
  return info('get returns every text, key, size and time unchanged', title, (sound) => ({
    create: (upload, options) => sound.create(alter(upload), options),
    update: (upload, options) => sound.update(alter(upload), options),
  }))
}

/** Makes an info store that alters every text in what it stores. */
function rewriting(title: string, rewrite: (text: string) => string): Broken {
  return altering(title, (upload) => {
    const rewritten = (_: string, value: unknown) =>
      typeof value === 'string' ? rewrite(value) : value
    return parseUpload(serializeUpload(JSON.parse(JSON.stringify(upload), rewritten) as Upload))
  })
}

/** Makes an info store that keeps each record under a key of its own choice. */
function keyed(caught: string, title: string, keyOf: (id: string) => string): Broken {
  return info(caught, title, (sound) => {
    const named = (upload: Upload) => ({ ...upload, id: keyOf(upload.id) })
    return {
      create: (upload, options) => sound.create(named(upload), options),
      update: (upload, options) => sound.update(named(upload), options),
      delete: (id, options) => sound.delete(keyOf(id), options),
      async get(id) {
        const found = await sound.get(keyOf(id))
        return found && { ...found, id }
      },
    }
  })
}

const ids = 'get returns the record of every id that can be'
const owned = 'get returns what was stored, whatever the caller does with its record'

/** Keeps the records that a method gets, and returns them. */
function caching(method: 'create' | 'update'): Broken {
  return info(owned, `keeps the object of the caller of ${method}`, (sound) => {
    const known = new Map<string, Upload>()
    return {
      async [method](upload: Upload, options: { signal: AbortSignal }) {
        await sound[method](upload, options)
        known.set(upload.id, upload)
      },
      get: async (id) => known.get(id) ?? sound.get(id),
    }
  })
}

export const brokenRecordContents: readonly Broken[] = [
  altering('cuts sizes to 32 bits', ({ length, ...upload }) => ({
    ...upload,
    ...(length !== undefined && { length: length >>> 0 }),
  })),
  altering('keeps times in seconds', ({ expiresAt, ...upload }) => ({
    ...upload,
    ...(expiresAt !== undefined && { expiresAt: expiresAt.replace(/\.\d+/, '.000') }),
  })),
  altering('assigns keys to an object', (upload) => {
    const at: Record<string, string> = {}
    for (const [key, value] of Object.entries(upload.storage.at)) at[key] = value
    return { ...upload, storage: { ...upload.storage, at } }
  }),
  rewriting('writes in Latin-1', (text) => Buffer.from(text, 'latin1').toString('latin1')),
  rewriting('writes half characters', (text) => Buffer.from(text).toString()),
  rewriting('ends texts at NUL', (text) => text.split('\0')[0]!),
  rewriting('composes characters', (text) => text.normalize()),
  rewriting('removes spaces at the ends', (text) => text.trim()),
  rewriting('decodes as a stream does', (text) =>
    new TextDecoder().decode(new TextEncoder().encode(text)),
  ),
  rewriting('cuts texts at 255 characters', (text) => text.slice(0, 255)),
  rewriting('fills in a statement', (text) => 'a?'.replace('a?', text)),
  keyed(ids, 'takes ids for numbers', (id) => (Number.isFinite(+id) ? `n${+id}` : id)),
  keyed(ids, 'ignores case', (id) => id.toLowerCase()),
  keyed(ids, 'removes dots at the end', (id) => id.replace(/\.$/, '')),
  info(ids, 'keeps records in a plain object', (sound) => {
    const records: Record<string, Upload> = {}
    return {
      async create(upload, options) {
        if (records[upload.id]) throw new TusError('ERR_ID_TAKEN')
        await sound.create(upload, options)
      },
    }
  }),
  keyed('records with similar ids stay separate', 'appends to ids', (id) =>
    id.endsWith('.info') ? id : `${id}.info`.slice(-200),
  ),
  caching('create'),
  caching('update'),
]
