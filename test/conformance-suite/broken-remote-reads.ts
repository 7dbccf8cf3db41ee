import { setImmediate as turn } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { TusError, type ReadOptions, type Upload } from 'tuskit'
import { noAbort } from '../support/stages.js'
import type { Broken } from './broken.js'
import { breakingRemote } from './broken-remote.js'
import type { FakeConnection } from './fake-server.js'
import { pathOf, type RemoteStore } from './remote-store.js'

const store = breakingRemote('dataStore')
const reading = breakingRemote('contentReader')

const pieceSize = 256 * 1024

/** Stores whose `stat` is wrong about an unavailable storage. */
export const brokenRemoteStats: readonly Broken[] = [
  store(
    'stat does not report missing data when it cannot reach the storage',
    'takes every failure for missing data',
    (sound) => ({
      stat: (upload: Upload, options: ReadOptions) =>
        sound.stat(upload, options).catch((cause: unknown) => {
          throw new TusError('ERR_DATA_MISSING', { cause })
        }),
    }),
  ),
  store(
    'stat returns the truth or rejects when the storage refuses, and recovers',
    'never connects again',
    (sound) => {
      let connection: Promise<FakeConnection> | undefined
      return {
        async stat(upload: Upload) {
          connection ??= sound.server.connect()
          try {
            return { offset: await (await connection).size(pathOf(upload)) }
          } catch (error) {
            throw await sound.translated(error)
          }
        },
      }
    },
  ),
  store(
    'stat settles when its signal aborts while the storage does not respond',
    'waits for a server that does not respond',
    (sound) => ({ stat: (upload: Upload) => sound.stat(upload, noAbort) }),
  ),
]

/** Makes a reader from the way in which its stream gets pieces. */
function streaming(pieces: (read: () => Promise<Buffer>) => AsyncGenerator<Buffer>) {
  return (sound: RemoteStore) => ({
    async read(upload: Upload) {
      const connection = await sound.server.connect()
      let at = 0
      const read = async () => {
        const bytes = await connection.read(pathOf(upload), at, pieceSize)
        at += bytes.length
        return bytes
      }
      return Readable.from(pieces(read), { objectMode: false })
    },
  })
}

/** Stores whose `read` is wrong about an unavailable storage. */
export const brokenRemoteReaders: readonly Broken[] = [
  reading(
    'read does not report missing data when it cannot reach the storage',
    'takes every failure for missing data',
    (sound) => ({
      read: (...args: Parameters<RemoteStore['read']>) =>
        sound.read(...args).catch((cause: unknown) => {
          throw new TusError('ERR_DATA_MISSING', { cause })
        }),
    }),
  ),
  reading(
    'read delivers all bytes or fails when the storage becomes unavailable',
    'ends a cut download normally',
    streaming(async function* (read) {
      for (;;) {
        const bytes = await read().catch(() => Buffer.alloc(0))
        if (bytes.length === 0) return
        yield bytes
      }
    }),
  ),
  reading(
    'read settles when its signal aborts while the storage does not respond',
    'ignores the signal',
    (sound) => ({
      read: (...[upload, range]: Parameters<RemoteStore['read']>) =>
        sound.read(upload, range, noAbort),
    }),
  ),
  reading(
    'a stream can be destroyed while the storage does not respond',
    'waits for a piece before it closes',
    streaming(async function* (read) {
      for (let bytes = await read(); bytes.length > 0; bytes = await read()) yield bytes
    }),
  ),
  reading(
    'read delivers all bytes or fails when the storage responds again',
    'takes a server that does not respond for the end',
    streaming(async function* (read) {
      for (;;) {
        const bytes = await Promise.race([read(), soon()])
        if (bytes.length === 0) return
        yield bytes
      }
    }),
  ),
]

async function soon(): Promise<Buffer> {
  for (let i = 0; i < 5; i++) await turn()
  return Buffer.alloc(0)
}
