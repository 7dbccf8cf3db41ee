import { TusError } from 'tuskit'
import type { MemoryStore } from 'tuskit/memory-store'
import { altered, breaking, careless, deaf, tokenless, type Broken } from './broken.js'

const store = breaking('dataStore')

function lettingZombiesWrite(sound: MemoryStore): Partial<MemoryStore> {
  return {
    append: (upload, from, body, options) => sound.append(upload, from, body, tokenless(options)),
  }
}

/** Reports what only its next change does. */
function protectingLater(sound: MemoryStore): Partial<MemoryStore> {
  return {
    async append(upload, from, body, options) {
      if (options.fence.forced) options.fence.shutOut()
      return sound.append(upload, from, body, options)
    },
  }
}

const reports = 'append reports that a holder is shut out only when it is'

/** Stores that do not let go of what is not theirs any more. */
export const interruptions: readonly Broken[] = [
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
    'append changes nothing after its signal aborts, even when more bytes arrive',
    'rejects when the signal aborts, and continues in the background',
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
    'append rejects when its signal aborts before the body ends early',
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
    'append changes nothing after the lock is lost, even when more bytes arrive',
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
    'append checks the lock before every change, and loses no reported byte',
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
    'append continues after a holder that never released the lock',
    'protects what is stored by refusing to continue',
    (sound) => ({
      async append(upload, from, body, options) {
        if (options.fence.forced) throw new TusError('ERR_LOCK_LOST')
        return sound.append(upload, from, body, options)
      },
    }),
  ),
  store(
    'append shuts out a holder that never released the lock',
    'lets a zombie write',
    lettingZombiesWrite,
    { fenced: true },
  ),
  store(
    'append shuts out a holder that never released the lock, on two instances',
    'lets a zombie in another process write',
    lettingZombiesWrite,
    { fenced: true, elsewhere: lettingZombiesWrite },
  ),
  store(reports, 'reports a zombie as shut out before it has done that', protectingLater, {
    fenced: true,
  }),
  store(
    `${reports}, on two instances`,
    'reports a zombie in another process as shut out before it has done that',
    protectingLater,
    { fenced: true, elsewhere: protectingLater },
  ),
]
