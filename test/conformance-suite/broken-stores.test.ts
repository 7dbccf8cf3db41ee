import { describe } from 'vitest'
import { TusError, type Upload } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import {
  altered,
  bodyOf,
  breaking,
  careless,
  composed,
  deaf,
  everything,
  gathered,
  testCaught,
  tokenless,
  type Broken,
} from './broken.js'

const store = breaking('dataStore')

const places: readonly Broken[] = [
  store('maximumSize is a number of bytes, or Infinity', 'has no limit and says -1', () => ({
    maximumSize: -1,
  })),
  store(
    'locate gives the same plain data for the same upload, and every upload its own',
    'places by chance',
    () => ({ locate: () => ({ kind: 'memory', at: { key: String(Math.random()) } }) }),
  ),
  store(
    'locate gives the same plain data for the same upload, and every upload its own',
    'cuts long ids',
    () => ({ locate: ({ id }) => ({ kind: 'memory', at: { key: id.slice(0, 100) } }) }),
  ),
  store('locate refuses a place whose terms it does not know', 'ignores places', () => ({
    locate: ({ id }) => ({ kind: 'memory', at: { key: id } }),
  })),
  store('uploads with near ids keep apart', 'takes ids in capitals for the same', () => ({
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
    'create rejects with ERR_DATA_EXISTS where something is, and leaves it alone',
    'create overwrites',
    (sound) => ({
      async create(upload, options) {
        await sound.terminate(upload, options)
        await sound.create(upload, options)
      },
    }),
  ),
  store(
    'create of an upload without bytes rejects with ERR_DATA_EXISTS as well',
    'takes an empty object for a missing one',
    (sound) => ({
      async create(upload, options) {
        const found = await sound.stat(upload, options).catch(() => undefined)
        if (found?.offset !== 0) await sound.create(upload, options)
      },
    }),
  ),
  store('a length may be declared after the first bytes', 'asks for a length', (sound) => ({
    async create(upload, options) {
      if (upload.length === undefined) throw new Error('How many?')
      await sound.create(upload, options)
    },
  })),
  store(
    'a length may be declared after the last byte',
    'asks for a length with bytes',
    (sound) => ({
      async create(upload, options) {
        if (options.incoming === 'some' && upload.length === undefined) throw new Error('How many?')
        await sound.create(upload, options)
      },
    }),
  ),
  store('another instance goes on where the first one ended', 'shares nothing', () => ({}), {
    another: () => {
      const other = new MemoryStore()
      return composed({ dataStore: other, contentReader: other }).composer
    },
  }),
]

const bytes: readonly Broken[] = [
  store('all bytes may come with the creation', 'forgets what comes with a creation', (sound) => {
    let created: Upload | undefined
    return {
      async create(upload, options) {
        if (options.incoming === 'everything') created = upload
        await sound.create(upload, options)
      },
      append(upload, from, body, options) {
        const empty = bodyOf(Buffer.alloc(0))
        return sound.append(upload, from, upload === created ? empty : body, options)
      },
    }
  }),
  store(
    'some bytes may come with the creation',
    'announces a creation as a whole one',
    (sound) => ({
      async create(upload, options) {
        if (options.incoming === 'some') throw new Error('All or nothing')
        await sound.create(upload, options)
      },
    }),
  ),
  store('append goes on where the last one ended', 'the offset lies', (sound) => ({
    async append(upload, from, body, options) {
      const { offset } = await sound.append(upload, from, body, options)
      return { offset: offset + 1 }
    },
  })),
  store('append goes on where the last one ended', 'drops the last byte', (sound) => ({
    async append(upload, from, body, options) {
      const whole = await gathered(body)
      await sound.append(upload, from, bodyOf(whole.subarray(0, -1)), options)
      return { offset: from.offset + whole.length }
    },
  })),
  store('append goes on where the last one ended', 'swaps bytes', (sound) => ({
    async append(upload, from, body, options) {
      const whole = await gathered(body)
      return sound.append(upload, from, bodyOf(whole.reverse()), options)
    },
  })),
  store('append goes on where the last one ended', 'begins from zero each time', (sound) => ({
    async append(upload, from, body, options) {
      const whole = bodyOf(await gathered(body))
      await sound.terminate(upload, options)
      await sound.create(upload, { ...options, incoming: 'some' })
      const { offset } = await sound.append(upload, { offset: 0 }, whole, options)
      return { offset: from.offset + offset }
    },
  })),
  store(
    'append returns normally when the body ends before its first byte',
    'throws when nothing came',
    (sound) => ({
      async append(upload, from, body, options) {
        const stored = await sound.append(upload, from, body, options)
        if (stored.offset === from.offset) throw new Error('Nothing came')
        return stored
      },
    }),
  ),
  store('append keeps what came when the body ends early', 'throws on an early end', (sound) => ({
    async append(upload, from, body, options) {
      const stored = await sound.append(upload, from, body, options)
      if (stored.offset - from.offset < (body.size ?? 0)) throw new Error('Premature close')
      return stored
    },
  })),
  store(
    'append keeps what came when the body ends early',
    'throws away what came of a body that ends early',
    (sound) => ({
      async append(upload, from, body, options) {
        const whole = await gathered(body)
        if (whole.length < (body.size ?? 0)) return from
        return sound.append(upload, from, bodyOf(whole), options)
      },
    }),
  ),
  store(
    'append keeps what came of a creation that ended early',
    'believes that everything comes',
    (sound) => {
      const complete = new Set<string>()
      return {
        async create(upload, options) {
          if (options.incoming === 'everything') complete.add(upload.id)
          await sound.create(upload, options)
        },
        async stat(upload, options) {
          const found = await sound.stat(upload, options)
          return complete.has(upload.id) ? { offset: upload.length ?? 0 } : found
        },
      }
    },
  ),
  store('append takes bodies whose size is not known', 'asks for the size', (sound) => ({
    async append(upload, from, body, options) {
      if (body.size === undefined) throw new Error('How many?')
      return sound.append(upload, from, body, options)
    },
  })),
  store('append stores batches of one byte in order', 'keeps large batches only', (sound) => ({
    async append(upload, from, body, options) {
      let skipped = 0
      const large = altered(body, async function* (batches) {
        for await (const batch of batches) {
          if (Buffer.concat(batch).length > 1) yield batch
          else skipped++
        }
      })
      const { offset } = await sound.append(upload, from, large, options)
      return { offset: offset + skipped }
    },
  })),
  store(
    'append stores batches of 1,024 buffers in order',
    'writes 1,000 buffers at most',
    (sound) => ({
      append(upload, from, body, options) {
        const cut = altered(body, async function* (batches) {
          for await (const batch of batches) yield batch.slice(0, 1000)
        })
        return sound.append(upload, from, cut, options)
      },
    }),
  ),
  store(
    'append keeps what came of a body that stalls, and readers do not wait for it',
    'stat waits for the append',
    (sound) => {
      let appending: Promise<unknown> = Promise.resolve()
      return {
        append(upload, from, body, options) {
          const work = sound.append(upload, from, body, options)
          appending = work.catch(() => {})
          return work
        },
        async stat(upload, options) {
          await appending
          return sound.stat(upload, options)
        },
      }
    },
  ),
  store('progress tells only of what stat confirms', 'progress decreases', (sound) => ({
    append(upload, from, body, options) {
      const progress = (offset: number) => {
        options.progress(offset)
        options.progress(offset - 1)
      }
      return sound.append(upload, from, body, { ...options, progress })
    },
  })),
  store(
    'progress tells only of what stat confirms',
    'progress runs ahead of the medium',
    (sound) => ({
      append(upload, from, body, options) {
        let { offset } = from
        const announcing = altered(body, async function* (batches) {
          for await (const batch of batches) {
            options.progress((offset += Buffer.concat(batch).length))
            await new Promise((resolve) => setImmediate(resolve))
            yield batch
          }
        })
        return sound.append(upload, from, announcing, { ...options, progress: () => {} })
      },
    }),
  ),
  store('progress tells only of what stat confirms', 'progress tells nothing', (sound) => ({
    append: (upload, from, body, options) =>
      sound.append(upload, from, body, { ...options, progress: () => {} }),
  })),
  store(
    'stat beside an append lies between what was announced and what came',
    'stat counts what was reserved',
    (sound) => ({
      async stat(upload, options) {
        const { offset } = await sound.stat(upload, options)
        return { offset: offset === 0 ? 0 : (upload.length ?? offset) }
      },
    }),
  ),
  store(
    'stat beside an append lies between what was announced and what came',
    'stat sees nothing while bytes come in',
    (sound) => {
      let appending = false
      return {
        async append(upload, from, body, options) {
          appending = true
          try {
            return await sound.append(upload, from, body, options)
          } finally {
            appending = false
          }
        },
        async stat(upload, options) {
          const found = await sound.stat(upload, options)
          return appending ? { offset: 0 } : found
        },
      }
    },
  ),
  store(
    'append holds no more memory than is claimed',
    'keeps in memory what it does not claim to',
    () => ({}),
    { memory: 1024 * 1024 },
  ),
  store(
    'stat that cannot tell does not say that the data is missing',
    'takes a medium that is away for an empty one',
    () => ({ stat: () => Promise.reject(new TusError('ERR_DATA_MISSING')) }),
    { unplug: () => {} },
  ),
]

const interruptions: readonly Broken[] = [
  store(
    'create changes nothing when its signal has aborted',
    'create ignores signals',
    (sound) => ({
      create: (upload, options) => sound.create(upload, deaf(options)),
    }),
  ),
  store('create changes nothing without the lock', 'create asks nobody', (sound) => ({
    create: (upload, options) => sound.create(upload, careless(options)),
  })),
  store(
    'append changes nothing when its signal has aborted',
    'append ignores signals',
    (sound) => ({
      append: (upload, from, body, options) => sound.append(upload, from, body, deaf(options)),
    }),
  ),
  store('append changes nothing without the lock', 'append asks nobody', (sound) => ({
    append: (upload, from, body, options) => sound.append(upload, from, body, careless(options)),
  })),
  store(
    'append makes no change after its signal aborted, though more bytes come',
    'rejects when the signal aborts, and goes on in the background',
    (sound) => ({
      async append(upload, from, body, options) {
        const work = sound.append(upload, from, body, deaf(options))
        const aborted = new Promise<never>((_, reject) => {
          options.signal.addEventListener('abort', () => reject(options.signal.reason))
        })
        return Promise.race([work, aborted])
      },
    }),
  ),
  store(
    'append rejects when its signal aborts before a body that ends early ends',
    'looks at the signal only when bytes come',
    (sound) => ({
      append(upload, from, body, options) {
        const looking = altered(body, async function* (batches) {
          for await (const batch of batches) {
            options.signal.throwIfAborted()
            yield batch
          }
        })
        return sound.append(upload, from, looking, deaf(options))
      },
    }),
  ),
  store(
    'append makes no change after the lock is lost, though more bytes come',
    'asks for the lock once',
    (sound) => ({
      append(upload, from, body, options) {
        const answer = options.fence.held()
        const fence = { ...options.fence, held: () => answer }
        return sound.append(upload, from, body, { ...options, fence })
      },
    }),
  ),
  store(
    'append asks for the lock before every change, and loses nothing announced',
    'removes everything when it loses the lock',
    (sound) => ({
      async append(upload, from, body, options) {
        try {
          return await sound.append(upload, from, body, options)
        } catch (error) {
          await sound.terminate(upload, careless(options))
          await sound.create(upload, {
            ...options,
            fence: { ...options.fence, held: () => true },
            incoming: 'some',
          })
          throw error
        }
      },
    }),
  ),
  store(
    'append goes on after a holder that never let go',
    'protects what is stored by refusing to go on',
    (sound) => ({
      async append(upload, from, body, options) {
        if (options.fence.forced) throw new TusError('ERR_LOCK_LOST')
        return sound.append(upload, from, body, options)
      },
    }),
  ),
  store(
    'append shuts out a holder that never let go',
    'lets a zombie write',
    (sound) => ({
      append: (upload, from, body, options) => sound.append(upload, from, body, tokenless(options)),
    }),
    { fenced: true },
  ),
]

describe('Of broken data stores, the suite catches one that', () => {
  const claims = {
    caught: 'The factory fills the slots that are claimed',
    title: 'fills fewer slots than it claims',
    slots: ['dataStore', 'terminator', 'contentReader'] as const,
    factory: () => {
      const sound = new MemoryStore()
      return composed({ dataStore: sound, contentReader: sound })
    },
  }
  testCaught([claims, ...places, ...bytes, ...interruptions], everything('dataStore'))
})
