import type { ListOptions, ReadOptions } from 'tuskit'
import type { Broken } from './broken.js'
import { breakingRemoteRecords, isUnavailable, unlessUnavailable } from './broken-record-faults.js'
import { noAbort } from '../support/stages.js'
import type { RemoteInfoStore } from './remote-info-store.js'

const expiry = breakingRemoteRecords('expiryIndex')
const lister = breakingRemoteRecords('infoLister')

const cut = 'yields every id or rejects when the storage becomes unavailable'
const unheard = 'settles when its signal aborts while the storage does not respond'

/** Ends at a failure as at the end of a list. */
async function* forgiving(ids: AsyncIterable<string>): AsyncGenerator<string> {
  try {
    yield* ids
  } catch (error) {
    if (!isUnavailable(error)) throw error
  }
}

/** Yields the ids whose records can be read. */
async function* readable(sound: RemoteInfoStore, ids: readonly string[], options: ReadOptions) {
  for (const id of ids) {
    if (await sound.get(id, options).catch(unlessUnavailable)) yield id
  }
}

function allIds(sound: RemoteInfoStore, { signal }: ReadOptions): Promise<string[]> {
  return sound.run(signal, 'read', (rows) => [...rows.keys()].sort())
}

/** Reads a list once, a page at a time, and then yields the part that it got. */
async function* once(known: string[], ids: AsyncIterable<string>): AsyncGenerator<string> {
  if (known.length === 0) for await (const id of ids) known.push(id)
  yield* known
}

export const brokenExpiryFaults: readonly Broken[] = [
  expiry(`expired ${cut}`, 'reads the index, and no record that it misses', (sound) => ({
    async *expired(_, options) {
      yield* readable(sound, await allIds(sound, options), options)
    },
  })),
  expiry(`expired ${cut}`, 'takes an unreachable index for an empty one', (sound) => ({
    expired: (...args) => forgiving(sound.expired(...args)),
  })),
  expiry(`expired ${unheard}`, 'hangs in a list with a storage that is paused', (sound) => ({
    expired: (now) => sound.expired(now, noAbort),
  })),
]

export const brokenListFaults: readonly Broken[] = [
  lister(`ids ${cut}`, 'takes a failure for the end of the list', (sound) => ({
    ids: (options) => forgiving(sound.ids(options)),
  })),
  lister(`ids ${cut}`, 'takes a place that is gone for an empty list', (sound) => ({
    async *ids(options) {
      const first = await sound.page(options.after, options.signal).catch((error: unknown) => {
        if ((error as { cause?: { code?: unknown } }).cause?.code === 'ENOENT') return []
        throw error
      })
      if (first.length > 0) yield* sound.ids(options)
    },
  })),
  lister(`ids ${cut}`, 'lists the first page when it cannot read the next', (sound) => ({
    async *ids(options: ListOptions) {
      const first = await sound.page(options.after, options.signal)
      yield* first
      const after = first.at(-1)
      if (after !== undefined) yield* forgiving(sound.ids({ ...options, after }))
    },
  })),
  lister(`ids ${cut}`, 'keeps the part of a list that it got', (sound) => {
    const known: string[] = []
    return { ids: (options) => once(known, sound.ids(options)) }
  }),
  lister(`ids ${unheard}`, 'hangs in a list with a storage that is paused', (sound) => ({
    ids: ({ after }) => sound.ids({ ...noAbort, ...(after !== undefined && { after }) }),
  })),
  lister(`ids ${unheard}`, 'ends a list when the signal aborts', (sound) => ({
    async *ids(options) {
      try {
        yield* sound.ids(options)
      } catch (error) {
        if (!options.signal.aborted) throw error
      }
    },
  })),
]
