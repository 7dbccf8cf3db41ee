import { MemoryStore } from 'tuskit/memory-store'
import { breaking, composed, type Broken } from './broken.js'

const store = breaking('dataStore')

/** Stores that lose track of where data is, and whether. */
export const places: readonly Broken[] = [
  store('maxSize is a number of bytes, or Infinity', 'has no limit and says -1', () => ({
    maxSize: -1,
  })),
  store(
    'locate returns the same plain data for the same upload, and different data for each upload',
    'places by chance',
    () => ({ locate: () => ({ kind: 'memory', at: { key: String(Math.random()) } }) }),
  ),
  store(
    'locate returns the same plain data for the same upload, and different data for each upload',
    'cuts long ids',
    () => ({ locate: ({ id }) => ({ kind: 'memory', at: { key: id.slice(0, 100) } }) }),
  ),
  store('locate rejects a place that it does not understand', 'ignores places', () => ({
    locate: ({ id }) => ({ kind: 'memory', at: { key: id } }),
  })),
  store('uploads with similar ids stay separate', 'takes ids in capitals for the same', () => ({
    locate: ({ id }) => ({ kind: 'memory', at: { key: id.toLowerCase() } }),
  })),
  store(
    'stat of missing data rejects with ERR_DATA_MISSING',
    'stat says 0 for missing data',
    (sound) => ({
      stat: (upload, options) => sound.stat(upload, options).catch(() => ({ offset: 0 })),
    }),
  ),
  store('create without append leaves 0 bytes', 'makes nothing before the first byte', (sound) => ({
    async create(upload, options) {
      if (upload.length !== 0) await sound.create(upload, options)
    },
  })),
  store(
    'create rejects with ERR_DATA_EXISTS where data exists, and leaves it unchanged',
    'create overwrites',
    (sound) => ({
      async create(upload, options) {
        await sound.terminate(upload, options)
        await sound.create(upload, options)
      },
    }),
  ),
  store(
    'create rejects with ERR_DATA_EXISTS where an empty upload exists',
    'takes an empty object for a missing one',
    (sound) => ({
      async create(upload, options) {
        const found = await sound.stat(upload, options).catch(() => undefined)
        if (found?.offset !== 0) await sound.create(upload, options)
      },
    }),
  ),
  store('the length can be declared after the first bytes', 'asks for a length', (sound) => ({
    async create(upload, options) {
      if (upload.length === undefined) throw new Error('How many?')
      await sound.create(upload, options)
    },
  })),
  store(
    'the length can be declared after the last byte',
    'asks for a length with bytes',
    (sound) => ({
      async create(upload, options) {
        if (options.incoming === 'some' && upload.length === undefined) throw new Error('How many?')
        await sound.create(upload, options)
      },
    }),
  ),
  store('another instance continues where the first one ended', 'shares nothing', () => ({}), {
    another: () => {
      const other = new MemoryStore()
      return composed({ dataStore: other, contentReader: other }).composer
    },
  }),
]
