import type { Readable } from 'node:stream'
import { assertMayChange } from 'tuskit/store-kit'
import type { Broken } from './broken.js'
import { breakingRemote } from './broken-remote.js'
import type { RemoteStore } from './remote-store.js'

const store = breakingRemote('dataStore')
const verified = breakingRemote('verifiedAppender')
const removing = breakingRemote('terminator')
const joining = breakingRemote('concatenator')
const finishing = breakingRemote('finisher')
const reading = breakingRemote('contentReader')

type Appending = Parameters<RemoteStore['append']>
type Statting = Parameters<RemoteStore['stat']>

/** Opens one more connection for a call, and closes it only if `closes` says so of the result. */
async function leaking<T>(
  { server }: RemoteStore,
  work: () => Promise<T>,
  closes: (result: T) => boolean,
): Promise<T> {
  const connecting = server.connect()
  connecting.catch(() => {})
  const result = await work()
  if (closes(result)) (await connecting).close()
  return result
}

const afterSuccess = () => true
const never = () => false

/** Data stores that leave connections open. */
export const openedByData: readonly Broken[] = [
  store('appends leave nothing open', 'forgets a connection with each append', (sound) => ({
    append: (...args: Appending) => leaking(sound, () => sound.append(...args), never),
  })),
  store(
    'bodies that end early leave nothing open',
    'closes its connection when all announced bytes are there',
    (sound) => ({
      append(...args: Appending) {
        const [, from, body] = args
        const isWhole = ({ offset }: { offset: number }) => offset === from.offset + body.size!
        return leaking(sound, () => sound.append(...args), isWhole)
      },
    }),
  ),
  store(
    'appends that are interrupted leave nothing open',
    'closes its connection only after success',
    (sound) => ({
      append: (...args: Appending) => leaking(sound, () => sound.append(...args), afterSuccess),
    }),
  ),
  ...[
    'calls that are refused leave nothing open',
    'calls that the storage fails leave nothing open',
    'calls that are aborted while the storage does not respond leave nothing open',
  ].map((caught) =>
    store(caught, 'closes its connection only after success', (sound) => ({
      stat: (...args: Statting) => leaking(sound, () => sound.stat(...args), afterSuccess),
    })),
  ),
]

/** Verified appenders that leave connections open. */
export const openedByChunks: readonly Broken[] = [
  verified(
    'chunks leave nothing open, whether they are accepted or not',
    'leaves a connection open when a chunk is rejected',
    (sound) => ({
      appendVerified(...args: Parameters<RemoteStore['appendVerified']>) {
        const [, from] = args
        return leaking(
          sound,
          () => sound.appendVerified(...args),
          ({ offset }) => offset > from.offset,
        )
      },
    }),
  ),
]

/** Terminators that leave connections open. */
export const openedByTerminators: readonly Broken[] = [
  removing(
    'terminate leaves nothing open',
    'closes its connection only after success',
    (sound) => ({
      terminate: (...args: Parameters<RemoteStore['terminate']>) =>
        leaking(sound, () => sound.terminate(...args), afterSuccess),
    }),
  ),
]

/** Concatenators that leave connections open. */
export const openedByConcatenators: readonly Broken[] = [
  joining(
    'concatenate leaves nothing open',
    'closes its connection only after success',
    (sound) => ({
      concatenate: (...args: Parameters<RemoteStore['concatenate']>) =>
        leaking(sound, () => sound.concatenate(...args), afterSuccess),
    }),
  ),
]

/** Finishers that leave connections open. */
export const openedByFinishers: readonly Broken[] = [
  finishing('finish leaves nothing open', 'forgets a connection', (sound) => ({
    async finish(upload: Statting[0], _: unknown, options: Appending[3]) {
      assertMayChange(options)
      await leaking(sound, () => sound.stat(upload, options), never)
    },
  })),
]

/** Makes a reader whose streams have a connection that they close in their own way. */
function streaming(close: (stream: Readable, close: () => void) => void) {
  return (sound: RemoteStore) => ({
    async read(...args: Parameters<RemoteStore['read']>) {
      const stream = await sound.read(...args)
      const connection = await sound.server.connect()
      close(stream, () => connection.close())
      return stream
    },
  })
}

/** Content readers that leave connections open. */
export const openedByReaders: readonly Broken[] = [
  reading(
    'downloads leave nothing open',
    'never closes the connection of a download',
    streaming(() => {}),
  ),
  reading(
    'downloads that stop early leave nothing open',
    'closes the connection at the end of a download',
    streaming((stream, close) => stream.on('end', close)),
  ),
  reading(
    'downloads that the storage cuts leave nothing open',
    'closes the connection of a download unless it fails',
    streaming((stream, close) => stream.on('close', () => stream.errored ?? close())),
  ),
]
