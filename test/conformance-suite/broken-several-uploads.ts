import { setImmediate as turn } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type {
  AppendOptions,
  Stat,
  Upload,
  UploadBody,
  VerifiedAppender,
  WriteOptions,
} from 'tuskit'
import type { MemoryStore } from 'tuskit/memory-store'
import { altered, bodyOf, breaking, type Broken } from './broken.js'
import { breakingRemote } from './broken-remote.js'
import { pathOf, type RemoteStore } from './remote-store.js'

/** Makes a store of which something is broken, and the case that catches it. */
type Break<S> = (
  caught: string,
  title: string,
  breakIt: (sound: S) => object,
  options?: { readonly elsewhere?: (sound: S) => object },
) => Broken

/** A mistake that shows on one instance, and on two. */
const twice = <S>(
  makeBroken: Break<S>,
  caught: string,
  title: string,
  breakIt: (sound: S) => object,
): readonly Broken[] => [
  makeBroken(caught, title, breakIt),
  makeBroken(`${caught}, on two instances`, title, breakIt, { elsewhere: breakIt }),
]

/** The static members of stores, by storage. */
const shared = new WeakMap<object, { last: Promise<unknown>; chunk: Buffer[] }>()

function sharedBy(sound: MemoryStore) {
  const found = shared.get(sound) ?? { last: Promise.resolve(), chunk: [] }
  shared.set(sound, found)
  return found
}

/** Lets these calls of all uploads run one after the other, as a single connection does. */
const queueing =
  (...names: readonly (keyof MemoryStore)[]) =>
  (sound: MemoryStore): Partial<MemoryStore> => {
    const queue = sharedBy(sound)
    const queued = (name: keyof MemoryStore) =>
      function (...args: unknown[]) {
        const call = () => Reflect.apply(sound[name] as () => Promise<unknown>, sound, args)
        const work = queue.last.then(call)
        queue.last = work.catch(() => {})
        return work
      }
    return Object.fromEntries(names.map((name) => [name, queued(name)]))
  }

const apart = 'uploads whose batches alternate stay separate'

/** Data stores that mix up uploads, or let them wait for each other. */
export const mixedAppends: readonly Broken[] = [
  ...twice(breaking('dataStore'), apart, 'keeps the options of a call in a member', (sound) => {
    let current: AppendOptions
    return {
      append(upload: Upload, from: Stat, body: UploadBody, options: AppendOptions) {
        current = options
        const progress = (offset: number) => current.progress(offset)
        return sound.append(upload, from, body, { ...options, progress })
      },
    }
  }),
  breakingRemote('dataStore')(apart, 'keeps the position of a call in a member', (sound) => {
    let offset = 0
    return {
      append: (upload: Upload, from: Stat, body: UploadBody, options: AppendOptions) =>
        sound.connected(options.signal, async (connection) => {
          offset = from.offset
          for await (const batch of body) {
            const bytes = Buffer.concat(batch)
            await connection.write(pathOf(upload), offset, bytes)
            offset += bytes.length
            options.progress(offset)
          }
          return { offset }
        }),
    }
  }),
  breakingRemote('dataStore')(apart, 'copies all batches into one buffer', (sound) => {
    const buffer = Buffer.alloc(65_536)
    return {
      append(upload: Upload, from: Stat, body: UploadBody, options: AppendOptions) {
        const copied = altered(body, async function* (batches) {
          for await (const batch of batches) {
            const size = Buffer.concat(batch).copy(buffer)
            yield [buffer.subarray(0, size)]
          }
        })
        return writtenLater(sound, upload, from, copied, options)
      },
    }
  }),
  breaking('dataStore')(apart, 'lets one upload write at a time', queueing('append')),
  ...twice(
    breaking('dataStore'),
    'an upload that stalls keeps no other upload waiting',
    'lets one upload write at a time',
    queueing('append'),
  ),
  breaking('dataStore')(
    'an upload that stalls keeps no other upload waiting',
    'looks at an upload when nobody writes',
    queueing('append', 'stat'),
  ),
]

/** Writes batches that the caller may change while they are on their way. */
async function writtenLater(
  sound: RemoteStore,
  upload: Upload,
  from: Stat,
  body: UploadBody,
  options: AppendOptions,
): Promise<Stat> {
  return sound.connected(options.signal, async (connection) => {
    let { offset } = from
    for await (const [bytes] of body) {
      await turn()
      await connection.write(pathOf(upload), offset, bytes!)
      offset += bytes!.length
      options.progress(offset)
    }
    return { offset }
  })
}

const chunksApart = 'chunks whose batches alternate stay separate, and so do the verdicts'

/** Verified appenders that mix up chunks, or let them wait for each other. */
export const mixedChunks: readonly Broken[] = [
  breaking('verifiedAppender')(chunksApart, 'keeps accept in a member', (sound) => {
    let verify: () => Promise<boolean>
    return {
      appendVerified(upload, from, body, accept, options) {
        verify = accept
        return sound.appendVerified(upload, from, body, () => verify(), options)
      },
    }
  }),
  ...twice(
    breaking('verifiedAppender'),
    chunksApart,
    'collects all chunks at the same place',
    (sound) => ({
      async appendVerified(
        ...[upload, from, body, accept, options]: Parameters<VerifiedAppender['appendVerified']>
      ) {
        const spool = sharedBy(sound)
        spool.chunk = []
        for await (const batch of body) spool.chunk.push(...batch)
        const chunk = bodyOf(Buffer.concat(spool.chunk))
        return (await accept()) ? sound.append(upload, from, chunk, options) : from
      },
    }),
  ),
  ...twice(
    breaking('verifiedAppender'),
    'a chunk that stalls keeps no other upload waiting',
    'verifies one chunk at a time',
    queueing('appendVerified'),
  ),
]

/** Terminators that affect other uploads, or wait for them. */
export const mixedTerminations: readonly Broken[] = [
  breakingRemote('terminator')(
    'terminate affects no other upload, and waits for none',
    'forgets the positions of all uploads',
    (sound) => {
      const positions = new Map<string, number>()
      return {
        append: (upload: Upload, from: Stat, body: UploadBody, options: AppendOptions) =>
          sound.connected(options.signal, async (connection) => {
            positions.set(upload.id, from.offset)
            for await (const batch of body) {
              const [at, bytes] = [positions.get(upload.id) ?? 0, Buffer.concat(batch)]
              await connection.write(pathOf(upload), at, bytes)
              positions.set(upload.id, at + bytes.length)
              options.progress(at + bytes.length)
            }
            return { offset: positions.get(upload.id) ?? from.offset }
          }),
        terminate(upload: Upload, options: WriteOptions) {
          positions.clear()
          return sound.terminate(upload, options)
        },
      }
    },
  ),
  ...twice(
    breaking('terminator'),
    'terminate affects no other upload, and waits for none',
    'removes an upload when nobody writes',
    queueing('append', 'terminate'),
  ),
]

const joinedApart = 'concatenations run side by side, and wait for no upload'

/** Concatenators that mix up final uploads, or wait for others. */
export const mixedConcatenations: readonly Broken[] = [
  breakingRemote('concatenator')(
    joinedApart,
    'keeps the position of a copy in a member',
    (sound) => {
      let at = 0
      return {
        concatenate: (final: Upload, partials: readonly Upload[], options: WriteOptions) =>
          sound.connected(options.signal, async (connection) => {
            at = 0
            await connection.truncate(pathOf(final))
            for (const partial of partials) {
              const bytes = await connection.read(pathOf(partial), 0, partial.length!)
              await connection.write(pathOf(final), at, bytes)
              at += bytes.length
            }
          }),
      }
    },
  ),
  ...twice(
    breaking('concatenator'),
    joinedApart,
    'copies when nobody writes',
    queueing('append', 'concatenate'),
  ),
]

const readApart = 'downloads that are read in turn stay separate, and wait for no upload'

/** Makes a reader that returns a stream of pieces of the content. */
const inPieces =
  (pieces: (whole: Buffer) => Iterable<Buffer>) =>
  (sound: MemoryStore): Partial<MemoryStore> => ({
    async read(...args: Parameters<MemoryStore['read']>) {
      const whole = await buffer(await sound.read(...args))
      return Readable.from(pieces(whole), { objectMode: false, highWaterMark: 1 })
    },
  })

/** Content readers that mix up downloads, or let them wait for uploads. */
export const mixedDownloads: readonly Broken[] = [
  breaking('contentReader')(readApart, 'reads into one buffer', (sound) => {
    const piece = Buffer.alloc(10_000)
    return inPieces(function* (whole) {
      for (let at = 0; at < whole.length; at += piece.length) {
        yield piece.subarray(0, whole.copy(piece, 0, at))
      }
    })(sound)
  }),
  breaking('contentReader')(readApart, 'keeps the position of a download in a member', (sound) => {
    let position = 0
    return inPieces(function* (whole) {
      for (position = 0; position < whole.length; position += 10_000) {
        yield whole.subarray(position, position + 10_000)
      }
    })(sound)
  }),
  ...twice(
    breaking('contentReader'),
    readApart,
    'reads when nobody writes',
    queueing('append', 'read'),
  ),
]
