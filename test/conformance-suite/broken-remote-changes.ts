import { TusError, type CreateOptions, type Upload, type WriteOptions } from 'tuskit'
import { deaf, type Broken } from './broken.js'
import { breakingRemote } from './broken-remote.js'
import { pathOf, type RemoteStore } from './remote-store.js'

const store = breakingRemote('dataStore')
const removing = breakingRemote('terminator')
const joining = breakingRemote('concatenator')
const finishing = breakingRemote('finisher')

/** Stores whose `create` is wrong about an unavailable storage. */
export const brokenRemoteCreations: readonly Broken[] = [
  store(
    'create makes an upload or rejects, and blocks no other upload, when the storage becomes unavailable',
    'takes the errors of a creation for those of a file that is there',
    (sound) => ({
      create: (upload: Upload, options: CreateOptions) =>
        sound.create(upload, options).catch(() => {}),
    }),
  ),
  store(
    'create settles when its signal aborts while the storage does not respond',
    'waits for a server that does not respond',
    (sound) => ({
      create: (upload: Upload, options: CreateOptions) => sound.create(upload, deaf(options)),
    }),
  ),
]

/** Stores whose `terminate` is wrong about an unavailable storage. */
export const brokenRemoteTerminators: readonly Broken[] = [
  ...(['ECONNREFUSED', 'ECONNRESET', 'EACCES'] as const).map((code) =>
    removing(
      'terminate reports only a removal that happened, when the storage becomes unavailable',
      `takes ${code} for absence`,
      (sound) => ({
        terminate: (upload: Upload, options: WriteOptions) =>
          sound.terminate(upload, options).catch((error: unknown) => {
            const { cause } = error as { cause?: { code?: string } }
            if (cause?.code !== code) throw error
          }),
      }),
    ),
  ),
  removing(
    'terminate settles when its signal aborts while the storage does not respond',
    'waits for a server that does not respond',
    (sound) => ({
      terminate: (upload: Upload, options: WriteOptions) => sound.terminate(upload, deaf(options)),
    }),
  ),
]

/** Stores whose `concatenate` is wrong about an unavailable storage. */
export const brokenRemoteConcatenators: readonly Broken[] = [
  joining(
    'concatenate makes the whole upload or rejects, and can be repeated, when the storage becomes unavailable',
    'swallows the errors of a copy',
    (sound) => ({
      concatenate: (...args: Parameters<RemoteStore['concatenate']>) =>
        sound.concatenate(...args).catch(() => {}),
    }),
  ),
  joining(
    'concatenate settles when its signal aborts while the storage does not respond',
    'waits for a server that does not respond',
    (sound) => ({
      concatenate: (...[final, partials, options]: Parameters<RemoteStore['concatenate']>) =>
        sound.concatenate(final, partials, deaf(options)),
    }),
  ),
]

/** Rewrites the file from its beginning. */
async function rewrite(sound: RemoteStore, upload: Upload, options: WriteOptions): Promise<void> {
  await sound.connected(options.signal, async (connection) => {
    const bytes = await connection.read(pathOf(upload), 0, upload.length!)
    for (const step of ['truncate', 'write'] as const) {
      if (!options.fence.held()) throw new TusError('ERR_LOCK_LOST')
      await (step === 'truncate'
        ? connection.truncate(pathOf(upload))
        : connection.write(pathOf(upload), 0, bytes))
    }
  })
}

/** Stores whose `finish` is wrong about an unavailable storage. */
export const brokenRemoteFinishers: readonly Broken[] = [
  finishing(
    'finish loses no byte, and can be repeated, when the storage becomes unavailable',
    'rewrites the file in place',
    (sound) => ({
      finish: (upload: Upload, _: unknown, options: WriteOptions) =>
        rewrite(sound, upload, options),
    }),
  ),
  finishing(
    'finish settles when its signal aborts while the storage does not respond',
    'waits for a server that does not respond',
    (sound) => ({
      finish: (upload: Upload, _: unknown, options: WriteOptions) =>
        rewrite(sound, upload, deaf(options)),
    }),
  ),
]
