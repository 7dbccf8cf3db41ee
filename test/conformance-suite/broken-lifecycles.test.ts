import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe } from 'vitest'
import { TusError, type Locker, type StoreSlots } from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'
import { changed, composed, everything, testCaught, type Broken } from './broken.js'
import { remoteOptions, serverOf } from './broken-remote.js'
import { FakeServer } from './fake-server.js'
import { RemoteStore } from './remote-store.js'

const slots = ['dataStore', 'contentReader', 'locker', 'lifecycles'] as const
const never = new Promise<never>(() => {})

interface Breakage {
  readonly store?: Partial<RemoteStore>
  readonly locker?: Partial<Locker>
}

/** Makes stores on a fake server of which something is broken that belongs to `open` or `close`. */
function opening(
  caught: string,
  title: string,
  breakIt: (sound: RemoteStore, locker: Locker) => Breakage,
): Broken {
  const composerOf = (server: FakeServer) => {
    const [sound, soundLocker] = [new RemoteStore(server), new MemoryLocker()]
    const breakage = breakIt(sound, soundLocker)
    const store = changed(sound, breakage.store ?? {})
    const locker = changed<Locker>(soundLocker, breakage.locker ?? {})
    const filled: StoreSlots = { dataStore: store, contentReader: store, locker }
    return composed({ ...filled, lifecycles: [store] }).composer
  }
  return {
    caught: `Lifecycles: ${caught}`,
    title,
    slots,
    factory() {
      const server = new FakeServer()
      return { server, composer: composerOf(server) }
    },
    another: (subject) => composerOf(serverOf(subject)),
    ...remoteOptions,
  }
}

/** The servers whose connections somebody has closed for all. */
const closed = new WeakSet<FakeServer>()

const again = 'open rejects while the storage is down, and works when it is called again'

const lifecycles: readonly Broken[] = [
  opening(
    'everything works as soon as open has resolved',
    'does not wait until it is connected',
    (sound) => {
      let isConnected = false
      return {
        store: {
          async open() {
            void sound.open().then(() => (isConnected = true))
          },
          async create(upload, options) {
            if (!isConnected) throw new Error('Not connected')
            await sound.create(upload, options)
          },
        },
      }
    },
  ),
  opening('locate and maxSize work before open', 'reads its places in open', (sound) => {
    let isOpen = false
    return {
      store: {
        async open() {
          await sound.open()
          isOpen = true
        },
        locate(upload) {
          if (!isOpen) throw new Error('Not open')
          return sound.locate(upload)
        },
      },
    }
  }),
  opening('locate and maxSize work before open', 'asks for its limit in open', (sound) => {
    const store = {
      maxSize: 0,
      async open() {
        await sound.open()
        store.maxSize = Infinity
      },
    }
    return { store }
  }),
  opening(
    'close settles, and so do the calls in progress',
    'waits for connections that nobody uses',
    () => ({ store: { close: () => never } }),
  ),
  opening(
    'close settles, and so do the calls in progress',
    'stops looking for a lock, and says nothing to those who wait',
    (_, locker) => {
      let isClosed = false
      return {
        store: {
          async close() {
            isClosed = true
          },
        },
        locker: {
          async acquire(id, options) {
            const lock = await locker.acquire(id, options)
            return isClosed ? never : lock
          },
        },
      }
    },
  ),
  opening(
    'a download during close delivers all bytes or fails',
    'ends all downloads when it closes',
    (sound) => {
      let isClosed = false
      return {
        store: {
          async close() {
            isClosed = true
          },
          async read(...args) {
            const whole = await buffer(await sound.read(...args))
            function* pieces() {
              for (let at = 0; at < whole.length && !isClosed; at += 1000) {
                yield whole.subarray(at, at + 1000)
              }
            }
            return Readable.from(pieces(), { objectMode: false })
          },
        },
      }
    },
  ),
  opening(
    'the release of a lock settles after close',
    'waits for a connection that is closed',
    (_, locker) => {
      let isClosed = false
      return {
        store: {
          async close() {
            isClosed = true
          },
        },
        locker: {
          async acquire(id, options) {
            const lock = await locker.acquire(id, options)
            return changed(lock, { release: () => (isClosed ? never : lock.release()) })
          },
        },
      }
    },
  ),
  opening(again, 'passes the error of its client on', (sound) => ({
    store: {
      async open() {
        const connection = await sound.server.connect()
        connection.close()
      },
    },
  })),
  opening(again, 'connects later', () => ({ store: { async open() {} } })),
  opening(again, 'keeps the promise of a connection that failed', (sound) => {
    let opening: Promise<void> | undefined
    return { store: { open: () => (opening ??= sound.open()) } }
  }),
  opening('close leaves nothing open', 'keeps the connection of open', (sound) => ({
    store: {
      async open() {
        await sound.server.connect()
      },
    },
  })),
  opening('close of one instance does not affect another', 'closes what all share', (sound) => ({
    store: {
      async close() {
        closed.add(sound.server)
      },
      async create(upload, options) {
        if (closed.has(sound.server)) throw new TusError('ERR_STORAGE_UNAVAILABLE')
        await sound.create(upload, options)
      },
    },
  })),
]

describe('Of stores that open and close, the suite catches one that', () => {
  testCaught(lifecycles, everything(...slots))
})
