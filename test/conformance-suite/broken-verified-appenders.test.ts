import { describe } from 'vitest'
import type { MemoryStore } from 'tuskit/memory-store'
import {
  altered,
  bodyOf,
  breaking,
  careless,
  deaf,
  everything,
  gathered,
  remembering,
  testCaught,
  tokenless,
  type Broken,
} from './broken.js'
import { openedByChunks } from './broken-handles.js'
import { brokenRemoteChunks } from './broken-remote.js'
import { mixedChunks } from './broken-several-uploads.js'
import { sizesOfVerified } from './broken-sizes.js'

const verified = breaking('verifiedAppender')

function lettingZombiesWrite(sound: MemoryStore): Partial<MemoryStore> {
  return {
    appendVerified: (upload, _, body, accept, options) =>
      gathered(body).then(async (whole) => {
        const from = await sound.stat(upload, options)
        return sound.appendVerified(upload, from, bodyOf(whole), accept, tokenless(options))
      }),
    append: (upload, from, body, options) => sound.append(upload, from, body, tokenless(options)),
  }
}

/** Writes chunks in place before they are accepted, which other processes see. */
function writingInPlace(sound: MemoryStore): Partial<MemoryStore> {
  return {
    async appendVerified(upload, from, body, accept, options) {
      const stored = await sound.append(upload, from, body, { ...options, progress: () => {} })
      if (!(await accept())) throw new Error('Not accepted')
      options.progress(stored.offset)
      return stored
    },
  }
}

const verifiedAppenders: readonly Broken[] = [
  verified(
    'a chunk counts when it is accepted, and not before',
    'counts before it asks',
    (sound) => ({
      async appendVerified(upload, from, body, accept, options) {
        const stored = await sound.append(upload, from, body, options)
        await accept()
        return stored
      },
    }),
  ),
  verified('a chunk counts when it is accepted, and not before', 'accepts twice', (sound) => ({
    appendVerified: (upload, from, body, accept, options) =>
      sound.appendVerified(
        upload,
        from,
        body,
        async () => (await accept()) && (await accept()),
        options,
      ),
  })),
  verified(
    'a chunk counts when it is accepted, and not before',
    'asks before the end',
    (sound) => ({
      async appendVerified(upload, from, body, accept, options) {
        return (await accept()) ? sound.append(upload, from, body, options) : from
      },
    }),
  ),
  verified(
    'a chunk that is not accepted is discarded',
    'accepts a chunk whatever accept() returns',
    (sound) => ({
      appendVerified: (upload, from, body, accept, options) =>
        sound.appendVerified(upload, from, body, async () => (await accept(), true), options),
    }),
  ),
  verified('a chunk that is not accepted is discarded', 'discards all that is stored', (sound) => ({
    async appendVerified(upload, from, body, accept, options) {
      const stored = await sound.appendVerified(upload, from, body, accept, options)
      if (stored.offset > from.offset) return stored
      await sound.terminate(upload, options)
      await sound.create(upload, { ...options, incoming: 'some' })
      return stored
    },
  })),
  verified('a refused first chunk leaves 0 bytes', 'removes what has nothing', (sound) => ({
    async appendVerified(upload, from, body, accept, options) {
      const stored = await sound.appendVerified(upload, from, body, accept, options)
      if (stored.offset === 0) await sound.terminate(upload, options)
      return stored
    },
  })),
  verified(
    'a chunk that ends early is refused, and none of its bytes count',
    'throws on an early end',
    (sound) => ({
      async appendVerified(upload, from, body, accept, options) {
        const whole = await gathered(body)
        if (whole.length < (body.size ?? 0)) throw new Error('Premature close')
        return sound.appendVerified(upload, from, bodyOf(whole), accept, options)
      },
    }),
  ),
  verified(
    'an error of accept is passed on, and no byte counts',
    'takes a failure for a no',
    (sound) => ({
      appendVerified: (upload, from, body, accept, options) =>
        sound.appendVerified(upload, from, body, () => accept().catch(() => false), options),
    }),
  ),
  verified('verified and plain chunks can alternate', 'takes verified chunks only', (sound) => ({
    append: () => Promise.reject(new Error('Not verified')),
    appendVerified: (upload, from, body, accept, options) =>
      sound.appendVerified(upload, from, body, accept, options),
  })),
  verified(
    'a chunk can come with the creation of an upload without a length',
    'asks for a length',
    (sound) => ({
      async appendVerified(upload, from, body, accept, options) {
        if (upload.length === undefined) throw new Error('How many?')
        return sound.appendVerified(upload, from, body, accept, options)
      },
    }),
  ),
  verified('a chunk in batches of one byte is stored in order', 'takes 100 batches', (sound) => ({
    appendVerified(upload, from, body, accept, options) {
      const few = altered(body, async function* (batches) {
        let count = 0
        for await (const batch of batches) if (++count <= 100) yield batch
      })
      return sound.appendVerified(upload, from, few, accept, options)
    },
  })),
  ...(
    [
      'stat during a chunk never reports unverified bytes',
      'no byte counts of a chunk whose writer died before it was accepted',
    ] as const
  ).map((caught) =>
    verified(caught, `writes in place without a marker: ${caught}`, (sound) => {
      let came = 0
      return {
        async appendVerified(upload, from, body, accept, options) {
          const counted = altered(body, async function* (batches) {
            for await (const batch of batches) {
              came += Buffer.concat(batch).length
              yield batch
            }
          })
          const asked = async () => {
            const verdict = await accept()
            came = 0
            return verdict
          }
          return sound.appendVerified(upload, from, counted, asked, options)
        },
        async stat(upload, options) {
          return { offset: (await sound.stat(upload, options)).offset + came }
        },
      }
    }),
  ),
  verified(
    'stat during a chunk never reports unverified bytes, on two instances',
    'stat returns what it found first',
    () => ({}),
    { elsewhere: remembering },
  ),
  verified(
    'no byte counts of a chunk whose writer died before it was accepted, on two instances',
    'writes in place without a marker',
    writingInPlace,
    { elsewhere: writingInPlace },
  ),
  verified(
    'no byte counts when the signal aborts before the chunk is accepted',
    'ignores signals',
    (sound) => ({
      appendVerified: (upload, from, body, accept, options) =>
        sound.appendVerified(upload, from, body, accept, deaf(options)),
    }),
  ),
  verified(
    'appendVerified checks the lock before every change',
    'asks nobody for the lock',
    (sound) => ({
      appendVerified: (upload, from, body, accept, options) =>
        sound.appendVerified(upload, from, body, accept, careless(options)),
    }),
  ),
  verified(
    'a refused chunk checks the lock too, and leaves nothing behind',
    'does not discard without the lock',
    (sound) => ({
      async appendVerified(upload, from, body, accept, options) {
        let refused: Buffer | undefined
        const whole = await gathered(body)
        const asked = async () => {
          const verdict = await accept()
          if (!verdict) refused = whole
          return verdict
        }
        const stored = await sound.appendVerified(upload, from, bodyOf(whole), asked, options)
        if (refused && !options.fence.held()) {
          await sound.append(upload, from, bodyOf(refused), careless(options))
        }
        return stored
      },
    }),
  ),
  verified(
    'a chunk uses no more memory than declared',
    'gathers what it claims not to',
    () => ({}),
    {
      memory: 1024 * 1024,
    },
  ),
  verified(
    'a holder that never released the lock is shut out',
    'lets a zombie write',
    lettingZombiesWrite,
    { fenced: true },
  ),
  verified(
    'a holder that never released the lock is shut out, on two instances',
    'lets a zombie in another process write',
    lettingZombiesWrite,
    { fenced: true, elsewhere: lettingZombiesWrite },
  ),
]

describe('Of stores with a broken verifiedAppender, the suite catches one that', () => {
  testCaught(
    [
      ...verifiedAppenders,
      ...mixedChunks,
      ...sizesOfVerified,
      ...openedByChunks,
      ...brokenRemoteChunks,
    ],
    everything('dataStore', 'verifiedAppender'),
  )
})
