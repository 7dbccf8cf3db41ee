import { TusError, type AppendOptions, type Stat } from 'tuskit'
import { breaking, type Broken } from './broken.js'
import { breakingRemote } from './broken-remote.js'
import type { RemoteStore } from './remote-store.js'

const store = breaking('dataStore')
const remote = breakingRemote('dataStore')
const verified = breakingRemote('verifiedAppender')
const reading = breakingRemote('contentReader')

/** Returns a size as it comes back from a field of 32 bits. */
const cut: Readonly<Record<string, (size: number) => number>> = {
  'in an unsigned field of 32 bits': (size) => size >>> 0,
  'in a signed field of 32 bits': (size) => size | 0,
}

/** Stores that cut sizes. */
export const sizes: readonly Broken[] = Object.entries(cut).flatMap(([field, cutOff]) => [
  store('a declared length can be beyond 2^32', `keeps the length ${field}`, (sound) => ({
    async append(upload, from, body, options) {
      const { offset } = await sound.append(upload, from, body, options)
      if (offset > cutOff(upload.length ?? offset)) throw new TusError('ERR_STORAGE_FULL')
      return { offset }
    },
  })),
  remote('append continues beyond 2^32', `keeps the size ${field}`, (sound) => ({
    stat: async (...args: Parameters<RemoteStore['stat']>) => {
      return { offset: cutOff((await sound.stat(...args)).offset) }
    },
  })),
  remote('append continues beyond 2^32', `sends the position ${field}`, (sound) => ({
    append: (...[upload, from, body, options]: Parameters<RemoteStore['append']>) =>
      elsewhere(from, cutOff(from.offset), options, (position, moved) =>
        sound.append(upload, position, body, moved),
      ),
  })),
])

/** Stores that cut the sizes of verified chunks. */
export const sizesOfVerified: readonly Broken[] = [
  verified('appendVerified continues beyond 2^32', 'sends the position in 32 bits', (sound) => ({
    appendVerified: (
      ...[upload, from, body, accept, options]: Parameters<RemoteStore['appendVerified']>
    ) =>
      elsewhere(from, from.offset >>> 0, options, (position, moved) =>
        sound.appendVerified(upload, position, body, accept, moved),
      ),
  })),
]

/** Stores that cut the ranges of downloads. */
export const sizesOfRanges: readonly Broken[] = [
  reading('read returns ranges beyond 2^32', 'asks for ranges in 32 bits', (sound) => ({
    read: (...[upload, range, options]: Parameters<RemoteStore['read']>) =>
      sound.read(upload, range && { start: range.start >>> 0, end: range.end >>> 0 }, options),
  })),
]

/** Writes at a position, and reports what follows `from`. */
async function elsewhere(
  from: Stat,
  position: number,
  options: AppendOptions,
  write: (position: Stat, options: AppendOptions) => Promise<Stat>,
): Promise<Stat> {
  const shift = from.offset - position
  const progress = (offset: number) => options.progress(offset + shift)
  const { offset } = await write({ offset: position }, { ...options, progress })
  return { offset: offset + shift }
}
