import { describe } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { buffer } from 'node:stream/consumers'
import { TusError } from 'tuskit'
import { FileStore } from 'tuskit/file-store'
import { noAbort } from '../support/stages.js'
import { breaking, changed, composed, everything, testCaught, type Broken } from './broken.js'
import { openedByReaders } from './broken-handles.js'
import { brokenRemoteReaders } from './broken-remote-reads.js'
import { mixedDownloads } from './broken-several-uploads.js'
import { sizesOfRanges } from './broken-sizes.js'

const reading = breaking('contentReader')

const contentReaders: readonly Broken[] = [
  reading('read without a range returns all bytes', 'leaves out the first byte', (sound) => ({
    read: (upload, range, options) =>
      sound.read(upload, range ?? { start: 1, end: upload.length! - 1 }, options),
  })),
  reading('read of an empty upload returns no bytes', 'says that nothing is missing', (sound) => ({
    async read(upload, range, options) {
      if (upload.length === 0) throw new Error('Nothing there')
      return sound.read(upload, range, options)
    },
  })),
  reading('read returns ranges, including their last byte', 'ignores ranges', (sound) => ({
    read: (upload, _, options) => sound.read(upload, undefined, options),
  })),
  reading(
    'read returns ranges, including their last byte',
    'takes the end for the one after it',
    (sound) => ({
      read: (upload, range, options) =>
        sound.read(upload, range && { start: range.start, end: range.end - 1 }, options),
    }),
  ),
  reading('read returns large ranges from anywhere', 'sends one piece of a range', (sound) => ({
    read: (upload, range, options) =>
      sound.read(
        upload,
        range && { start: range.start, end: Math.min(range.end, range.start + 262_143) },
        options,
      ),
  })),
  reading('read returns large ranges from anywhere', 'begins ranges in 16 bits', (sound) => ({
    read: (upload, range, options) =>
      sound.read(
        upload,
        range && { start: range.start & 0xffff, end: range.end - (range.start & ~0xffff) },
        options,
      ),
  })),
  reading(
    'read fails when fewer bytes are stored than the record says',
    'ends with the stored bytes',
    (sound) => ({
      async read(upload, range, options) {
        const { offset } = await sound.stat(upload, options)
        return sound.read(
          upload,
          { start: range?.start ?? 0, end: Math.min(range?.end ?? Infinity, offset - 1) },
          options,
        )
      },
    }),
  ),
  reading(
    'read rejects with ERR_DATA_MISSING when the data is missing',
    'takes missing data for no data',
    (sound) => ({
      read: (upload, range, options) =>
        sound.read(upload, range, options).catch(() => Readable.from([])),
    }),
  ),
  reading(
    'read with an aborted signal rejects, or returns the bytes as usual',
    'makes a stream that fails by itself',
    (sound) => ({
      async read(upload, range, { signal }) {
        const content = await buffer(await sound.read(upload, range, noAbort))
        return Readable.from([content], { objectMode: false, signal })
      },
    }),
  ),
  reading(
    'read with an aborted signal rejects, or returns the bytes as usual',
    'takes an upload that nobody waits for to be missing',
    (sound) => ({
      async read(upload, range, options) {
        if (options.signal.aborted) throw new TusError('ERR_DATA_MISSING')
        return sound.read(upload, range, options)
      },
    }),
  ),
  reading(
    'read whose signal aborts meanwhile rejects with its reason, or returns the bytes',
    'takes an abort for a failure of the storage',
    (sound) => ({
      async read(upload, range, { signal }) {
        await turn()
        if (signal.aborted) throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause: signal.reason })
        return sound.read(upload, range, noAbort)
      },
    }),
  ),
  reading(
    'read whose signal aborts meanwhile rejects with its reason, or returns the bytes',
    'ignores a response that comes after the abort',
    (sound) => ({
      async read(upload, range, { signal }) {
        const content = await sound.read(upload, range, noAbort)
        return new Promise((resolve) => {
          setImmediate(() => {
            if (!signal.aborted) resolve(content)
          })
        })
      },
    }),
  ),
  reading(
    'a download whose signal aborts later delivers all bytes or fails',
    'ends a download when its signal aborts',
    (sound) => ({
      async read(upload, range, { signal }) {
        const whole = await buffer(await sound.read(upload, range, noAbort))
        function* pieces() {
          for (const piece of inPieces(whole)) {
            if (signal.aborted) return
            yield piece
          }
        }
        return Readable.from(pieces(), { objectMode: false })
      },
    }),
  ),
  reading(
    'several readers can read at once, and one can stop early',
    'shares one stream',
    (sound) => {
      let shared: Promise<Readable> | undefined
      return {
        read(upload, range, options) {
          shared ??= sound.read(upload, range, options)
          return shared
        },
      }
    },
  ),
  reading(
    'several readers can read at once, and one can stop early, on two instances',
    'lets one reader per instance read',
    () => ({}),
    {
      elsewhere(sound) {
        let reads = 0
        return {
          read(upload, range, options) {
            if (++reads > 2) throw new TusError('ERR_STORAGE_UNAVAILABLE')
            return sound.read(upload, range, options)
          },
        }
      },
    },
  ),
  {
    ...reading('read uses no more memory than declared', 'reads all at once', () => ({})),
    memory: 4 * 1024 * 1024,
    factory() {
      const directory = mkdtempSync(join(tmpdir(), 'tuskit-broken-'))
      const sound = new FileStore({ directory })
      const contentReader = changed(sound, {
        async read(upload, range, options) {
          const whole = await buffer(await sound.read(upload, range, options))
          // Held as long as the stream is.
          return Object.assign(Readable.from(inPieces(whole)), { whole })
        },
      })
      const dispose = () => rmSync(directory, { recursive: true })
      return { ...composed({ dataStore: sound, contentReader }), sound, dispose }
    },
    sibling(subject) {
      const { sound } = subject as unknown as { readonly sound: FileStore }
      return composed({ dataStore: sound, contentReader: sound }).composer
    },
  },
]

function* inPieces(whole: Buffer): Generator<Buffer> {
  for (let at = 0; at < whole.length; at += 65_536) yield whole.subarray(at, at + 65_536)
}

describe('Of stores with a broken contentReader, the suite catches one that', () => {
  testCaught(
    [
      ...contentReaders,
      ...mixedDownloads,
      ...sizesOfRanges,
      ...openedByReaders,
      ...brokenRemoteReaders,
    ],
    everything('dataStore', 'contentReader'),
  )
})
