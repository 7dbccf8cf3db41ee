import type { Upload } from 'tuskit'
import { altered, bodyOf, breaking, gathered, remembering, type Broken } from './broken.js'

const store = breaking('dataStore')

/** The appends that other instances wait for. */
const writers = new WeakMap<object, Promise<unknown>>()

/** Stores that lose bytes, or count wrong. */
export const bytes: readonly Broken[] = [
  store('all bytes can come with the creation', 'forgets what comes with a creation', (sound) => {
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
    'some bytes can come with the creation',
    'announces a creation as a whole one',
    (sound) => ({
      async create(upload, options) {
        if (options.incoming === 'some') throw new Error('All or nothing')
        await sound.create(upload, options)
      },
    }),
  ),
  store('append continues where the last one ended', 'the offset lies', (sound) => ({
    async append(upload, from, body, options) {
      const { offset } = await sound.append(upload, from, body, options)
      return { offset: offset + 1 }
    },
  })),
  store('append continues where the last one ended', 'drops the last byte', (sound) => ({
    async append(upload, from, body, options) {
      const whole = await gathered(body)
      await sound.append(upload, from, bodyOf(whole.subarray(0, -1)), options)
      return { offset: from.offset + whole.length }
    },
  })),
  store('append continues where the last one ended', 'swaps bytes', (sound) => ({
    async append(upload, from, body, options) {
      const whole = await gathered(body)
      return sound.append(upload, from, bodyOf(whole.reverse()), options)
    },
  })),
  store(
    'append continues where the last one ended',
    'delivers what it keeps in memory, and stores something else',
    () => ({}),
    { content: (upload) => Buffer.alloc(upload.length!) },
  ),
  store('append continues where the last one ended', 'begins from zero each time', (sound) => ({
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
  store('append keeps the bytes of a body that ends early', 'throws on an early end', (sound) => ({
    async append(upload, from, body, options) {
      const stored = await sound.append(upload, from, body, options)
      if (stored.offset - from.offset < (body.size ?? 0)) throw new Error('Premature close')
      return stored
    },
  })),
  store(
    'append keeps the bytes of a body that ends early',
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
    'append keeps the bytes of a creation that ended early',
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
  store('append accepts bodies of unknown size', 'asks for the size', (sound) => ({
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
    'append keeps the bytes of a body that stalls, and readers do not wait for it',
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
  store(
    'append keeps the bytes of a body that stalls, and readers do not wait for it, on two instances',
    'stat waits for the lock of a writer in another process',
    (sound) => ({
      append(upload, from, body, options) {
        const work = sound.append(upload, from, body, options)
        writers.set(
          sound,
          work.catch(() => {}),
        )
        return work
      },
    }),
    {
      elsewhere: (sound) => ({
        async stat(upload, options) {
          await writers.get(sound)
          return sound.stat(upload, options)
        },
      }),
    },
  ),
  store(
    'progress reports only bytes that stat confirms, on two instances',
    'stat returns what it found first',
    () => ({}),
    { elsewhere: remembering },
  ),
  store(
    'stat during an append is between the reported and the received offset, on two instances',
    'stat returns what it found first',
    () => ({}),
    { elsewhere: remembering },
  ),
  store('progress reports only bytes that stat confirms', 'progress decreases', (sound) => ({
    append(upload, from, body, options) {
      const progress = (offset: number) => {
        options.progress(offset)
        options.progress(offset - 1)
      }
      return sound.append(upload, from, body, { ...options, progress })
    },
  })),
  store(
    'progress holds back no more than the declared memory',
    'reports at the end of the body',
    (sound) => ({
      async append(upload, from, body, options) {
        const stored = await sound.append(upload, from, body, { ...options, progress: () => {} })
        options.progress(stored.offset)
        return stored
      },
    }),
    { memory: 1024 * 1024 },
  ),
  store(
    'progress reports only bytes that stat confirms',
    'progress runs ahead of the disk',
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
  store('progress reports only bytes that stat confirms', 'reports no progress', (sound) => ({
    append: (upload, from, body, options) =>
      sound.append(upload, from, body, { ...options, progress: () => {} }),
  })),
  store(
    'stat during an append is between the reported and the received offset',
    'stat counts what was reserved',
    (sound) => ({
      async stat(upload, options) {
        const { offset } = await sound.stat(upload, options)
        return { offset: offset === 0 ? 0 : (upload.length ?? offset) }
      },
    }),
  ),
  store(
    'stat during an append is between the reported and the received offset',
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
  store('append uses no more memory than declared', 'uses more memory than declared', () => ({}), {
    memory: 1024 * 1024,
  }),
]
