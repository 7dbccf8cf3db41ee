import { describe } from 'vitest'
import type { Upload } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import {
  breaking,
  careless,
  composed,
  deaf,
  everything,
  testCaught,
  type Broken,
} from './broken.js'
import { openedByConcatenators } from './broken-handles.js'
import { brokenRemoteConcatenators } from './broken-remote-changes.js'
import { mixedConcatenations } from './broken-several-uploads.js'

const joining = breaking('concatenator')

const concatenators: readonly Broken[] = [
  joining(
    'concatenate joins partials in order, including a repeated and an empty one',
    'sorts the partials',
    (sound) => ({
      concatenate: (final, partials, options) =>
        sound.concatenate(
          final,
          partials.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
          options,
        ),
    }),
  ),
  joining(
    'concatenate joins partials in order, including a repeated and an empty one',
    'takes each partial once',
    (sound) => ({
      concatenate(final, partials, options) {
        const ids = partials.map(({ id }) => id)
        return sound.concatenate(
          final,
          partials.filter(({ id }, i) => ids.indexOf(id) === i),
          options,
        )
      },
    }),
  ),
  joining('concatenate joins many partials, in any order', 'joins one page of them', (sound) => ({
    concatenate: (final, partials, options) =>
      sound.concatenate(final, partials.slice(0, 25), options),
  })),
  joining('concatenate joins partials of several MiB', 'copies 2 MiB at most', (sound) => ({
    concatenate(final, partials, options) {
      const short = partials.filter(({ length }) => (length ?? 0) <= 2_097_000)
      return sound.concatenate(final, short, options)
    },
  })),
  joining(
    'concatenate joins what another instance stored',
    'knows its own partials only',
    () => ({}),
    {
      another: () => {
        const other = new MemoryStore()
        return composed({ dataStore: other, concatenator: other, contentReader: other }).composer
      },
    },
  ),
  joining('concatenate leaves the partials unchanged', 'consumes the partials', (sound) => ({
    async concatenate(final, partials, options) {
      await sound.concatenate(final, partials, options)
      for (const partial of partials) await sound.terminate(partial, options)
    },
  })),
  joining('concatenate starts from zero when repeated', 'continues where it was', (sound) => {
    const joined: Upload[] = []
    return {
      async concatenate(final, partials, options) {
        joined.push(...partials)
        await sound.concatenate(final, joined, options)
      },
    }
  }),
  joining(
    'concatenate rejects with ERR_DATA_MISSING when a partial is missing',
    'skips what is not there',
    (sound) => ({
      async concatenate(final, partials, options) {
        const there: Upload[] = []
        for (const partial of partials) {
          if (await sound.stat(partial, options).catch(() => undefined)) there.push(partial)
        }
        await sound.concatenate(final, there, options)
      },
    }),
  ),
  joining(
    'concatenate changes nothing when its signal has aborted',
    'ignores signals',
    (sound) => ({
      concatenate: (final, partials, options) => sound.concatenate(final, partials, deaf(options)),
    }),
  ),
  joining(
    'concatenate checks the lock before every change, and can be repeated',
    'asks nobody for the lock',
    (sound) => ({
      concatenate: (final, partials, options) =>
        sound.concatenate(final, partials, careless(options)),
    }),
  ),
]

describe('Of stores with a broken concatenator, the suite catches one that', () => {
  testCaught(
    [
      ...concatenators,
      ...mixedConcatenations,
      ...openedByConcatenators,
      ...brokenRemoteConcatenators,
    ],
    everything('dataStore', 'concatenator'),
  )
})
