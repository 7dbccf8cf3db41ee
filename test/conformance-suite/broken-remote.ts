import { setImmediate as turn } from 'node:timers/promises'
import { TusError, type AppendOptions, type Stat, type Upload, type UploadBody } from 'tuskit'
import type { ConformanceOptions, SlotName } from 'tuskit/conformance'
import { changed, composed, deaf, gathered, labelOf, type Broken } from './broken.js'
import { noAbort } from '../support/stages.js'
import { FakeServer } from './fake-server.js'
import { pathOf, RemoteStore } from './remote-store.js'

export interface RemoteSubject {
  readonly server: FakeServer
  readonly composer: ReturnType<typeof composed>['composer']
}

/** The options that a suite needs to make the server fail. */
export const remoteOptions = {
  unplug: {
    down: (subject: object) => serverOf(subject).unplug('down'),
    gone: (subject: object) => serverOf(subject).unplug('gone'),
    refused: (subject: object) => serverOf(subject).unplug('refused'),
    paused: (subject: object) => serverOf(subject).unplug('paused'),
  },
  places: {
    good: [{ path: 'a' }, { path: 'b/c' }],
    bad: [{ path: '../x' }, { path: '/x' }, { name: 'x' }, { path: 'x', name: 'x' }],
  },
  cutAfter: (bytes, subject) => serverOf(subject).cutAfter(bytes),
  openHandles: (subject) => serverOf(subject).connections,
  grow: (upload, size, subject) => serverOf(subject).grow(pathOf(upload), size),
} satisfies Partial<ConformanceOptions>

export function serverOf(subject: object): FakeServer {
  return (subject as RemoteSubject).server
}

/** Makes stores on a fake server of which something is broken that belongs to `slot`. */
export function breakingRemote(slot: Exclude<SlotName, 'infoStore' | 'locker' | 'lifecycles'>) {
  const slots = [...new Set(['dataStore', 'contentReader', slot] as const)]
  return (
    caught: string,
    title: string,
    breakIt: (sound: RemoteStore) => object,
    options: Partial<Broken> = {},
  ): Broken => {
    const instance = (server: FakeServer, breaking: typeof breakIt) => {
      const sound = new RemoteStore(server)
      const store = changed(sound, breaking(sound) as Partial<RemoteStore>)
      return { server, ...composed(Object.fromEntries(slots.map((name) => [name, store]))) }
    }
    const factory = () => instance(new FakeServer(), breakIt)
    const sibling = (subject: object) => instance(serverOf(subject), () => ({})).composer
    const name = `${labelOf(slot)}: ${caught}`
    return { caught: name, title, slots, factory, sibling, ...remoteOptions, ...options }
  }
}

const store = breakingRemote('dataStore')
const verified = breakingRemote('verifiedAppender')

/** An `append` with one mistake. */
type Append = (sound: RemoteStore) => RemoteStore['append']

/** Counts what it sent, whatever became of it. */
const swallowing: Append = (sound) => async (upload, from, body, options) => {
  let sent = from.offset
  const counted = counting(body, (size) => (sent += size))
  try {
    return await sound.append(upload, from, counted, options)
  } catch {
    for await (const _ of counted);
    options.progress(sent)
    return { offset: sent }
  }
}

/** Sends everything again at the end of the file when the transfer was cut. */
const sendingAgain: Append = (sound) => async (upload, from, body, options) => {
  const sent: Buffer[] = []
  let { offset } = from
  let connection = await sound.server.connect().catch(unavailable)
  try {
    for await (const batch of body) {
      const bytes = Buffer.concat(batch)
      sent.push(bytes)
      try {
        await connection.append(pathOf(upload), bytes)
      } catch {
        connection.close()
        connection = await sound.server.connect().catch(unavailable)
        await connection.append(pathOf(upload), Buffer.concat(sent)).catch(unavailable)
      }
      offset += bytes.length
      options.progress(offset)
    }
  } finally {
    connection.close()
  }
  return { offset }
}

/** Collects the body. After a cut, sends all of it again where the file ends by then. */
const segmentAgain: Append = (sound) => async (upload, from, body, options) => {
  const bytes = await gathered(body)
  const path = pathOf(upload)
  let at = from.offset
  for (let attempt = 1; ; attempt++) {
    const connection = await sound.server.connect().catch(unavailable)
    try {
      await connection.write(path, at, bytes)
      options.progress(from.offset + bytes.length)
      return { offset: from.offset + bytes.length }
    } catch (error) {
      if (attempt === 3) return unavailable(error)
      at = await sound.connected(noAbort.signal, (another) => another.size(path))
    } finally {
      connection.close()
    }
  }
}

/** Collects the body, and takes a cut for the end of a transfer that succeeded. */
const segmentLost: Append = (sound) => async (upload, from, body, options) => {
  const bytes = await gathered(body)
  const storing = sound.connected(options.signal, (connection) =>
    connection.write(pathOf(upload), from.offset, bytes),
  )
  await storing.catch(() => {})
  options.progress(from.offset + bytes.length)
  return { offset: from.offset + bytes.length }
}

/** Sends a batch again on another connection when the server does not respond for a moment. */
const impatient: Append = (sound) => (upload, from, body, options) =>
  sound.connected(options.signal, async (connection) => {
    let { offset } = from
    for await (const batch of body) {
      const bytes = Buffer.concat(batch)
      const writing = connection.append(pathOf(upload), bytes).then(() => true)
      if (!(await Promise.race([writing, aMoment().then(() => false)]))) {
        const second = await sound.server.connect()
        await Promise.all([writing, second.append(pathOf(upload), bytes)])
        second.close()
      }
      offset += bytes.length
      options.progress(offset)
    }
    options.signal.throwIfAborted()
    return { offset }
  })

const hearingNothing: Append = (sound) => (upload, from, body, options) =>
  sound.append(upload, from, body, deaf(options))

/** The broken appends, and the cases that catch them, without the name of the call. */
const appends: readonly (readonly [caught: string, title: string, append: Append])[] = [
  [
    'loses nothing when it starts while the storage is unavailable',
    'swallows the errors of a transfer that cannot begin',
    swallowing,
  ],
  [
    'loses nothing when the storage becomes unavailable between two batches',
    'swallows the errors of a transfer',
    swallowing,
  ],
  [
    'neither loses nor doubles bytes when the storage is unavailable for a moment',
    'repeats a transfer after a cut, and doubles bytes',
    sendingAgain,
  ],
  [
    'neither loses nor doubles bytes when its connections are cut',
    'sends a segment again where the file ends',
    segmentAgain,
  ],
  [
    'neither loses nor doubles bytes when its connections are cut',
    'takes a cut for the end of a transfer',
    segmentLost,
  ],
  [
    'settles when its signal aborts while the storage does not respond',
    'waits for a server that does not respond',
    hearingNothing,
  ],
  [
    'neither loses nor doubles bytes when the storage responds again',
    'repeats a command whose response is late',
    impatient,
  ],
]

/** Stores that lose or double bytes when the storage is unavailable. */
export const brokenRemoteAppends: readonly Broken[] = appends.map(([caught, title, append]) =>
  store(`append ${caught}`, title, (sound) => ({ append: append(sound) })),
)

/** Stores that lose or double bytes of verified chunks when the storage is unavailable. */
export const brokenRemoteChunks: readonly Broken[] = [
  ...appends.map(([caught, title, append]) =>
    verified(`appendVerified ${caught}`, title, (sound) => ({
      appendVerified: (
        upload: Upload,
        from: Stat,
        body: UploadBody,
        accept: () => Promise<boolean>,
        options: AppendOptions,
      ) => acceptedAtEnd(append(sound), [upload, from, body, options], accept),
    })),
  ),
  verified(
    'a chunk that is accepted while the storage is unavailable counts or not, and is never cut',
    'swallows the errors of storing an accepted chunk',
    (sound) => ({
      appendVerified: (
        upload: Upload,
        from: Stat,
        body: UploadBody,
        accept: () => Promise<boolean>,
        options: AppendOptions,
      ) => {
        const size = body.size!
        const storing = sound.appendVerified(upload, from, body, accept, options)
        return storing.catch(() => {
          options.progress(from.offset + size)
          return { offset: from.offset + size }
        })
      },
    }),
  ),
]

/** Writes in place, asks at the end of the body, and counts then. */
async function acceptedAtEnd(
  append: RemoteStore['append'],
  [upload, from, body, options]: Parameters<RemoteStore['append']>,
  accept: () => Promise<boolean>,
): Promise<Stat> {
  let last = from.offset
  const silent = { ...options, progress: (offset: number) => void (last = offset) }
  const stat = await append(upload, from, body, silent)
  if (!(await accept())) return from
  options.progress(last)
  return stat
}

function counting(body: UploadBody, count: (size: number) => unknown): UploadBody {
  const batches = body[Symbol.asyncIterator]()
  return {
    size: body.size,
    readable: () => body.readable(),
    // The loop that fails must not end the body.
    [Symbol.asyncIterator]: () => ({
      async next() {
        const next = await batches.next()
        if (!next.done) count(Buffer.concat(next.value).length)
        return next
      },
    }),
  }
}

async function aMoment(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn()
}

function unavailable(cause: unknown): never {
  throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
}
