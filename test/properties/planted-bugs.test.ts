import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StoreComposer, type Upload } from 'tuskit'
import { MemoryInfoStore, MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import { altered, changed } from '../conformance-suite/broken.js'
import { agreesWithModel } from './property.js'

interface Bug {
  readonly title: string
  /** Puts it in the place of what is sound. */
  plant(composer: StoreComposer, store: MemoryStore, infoStore: MemoryInfoStore): void
  /** What its shortest history tells about. */
  readonly tells: RegExp
}

const bugs: readonly Bug[] = [
  {
    title: 'a store that loses the last byte of a batch',
    plant: (composer, store) =>
      composer.useDataStore(
        changed(store, {
          append: (upload, from, body, options) => {
            const shortened = altered(body, async function* (batches) {
              for await (const batch of batches) yield [Buffer.concat(batch).subarray(0, -1)]
            })
            return store.append(upload, from, shortened, options)
          },
        }),
      ),
    tells: /bytes/,
  },
  {
    title: 'a store that keeps the bytes of a chunk in the wrong order',
    plant: (composer, store) =>
      composer.useDataStore(
        changed(store, {
          append: (upload, from, body, options) => {
            const reversed = altered(body, async function* (batches) {
              for await (const batch of batches) yield [Buffer.from(Buffer.concat(batch)).reverse()]
            })
            return store.append(upload, from, reversed, options)
          },
        }),
      ),
    tells: /with (all that is missing, or )?\d+ bytes/,
  },
  {
    title: 'an appender that keeps a chunk with a wrong checksum',
    plant: (composer, store) =>
      composer.useVerifiedAppender(
        changed(store, {
          appendVerified: (upload, from, body, accept, options) =>
            store.appendVerified(upload, from, body, async () => (await accept()) || true, options),
        }),
      ),
    tells: /checksum wrong|with a checksum, end after/,
  },
  {
    title: 'an info store that forgets a declared length',
    plant: (composer, _, infoStore) =>
      composer.useInfoStore(
        changed(infoStore, {
          async update({ length, ...upload }: Upload) {
            const before = await infoStore.get(upload.id)
            const kept = before?.length ?? (upload.concat?.kind === 'final' ? length : undefined)
            await infoStore.update({ ...upload, ...(kept !== undefined && { length: kept }) })
          },
        }),
      ),
    tells: /POST (partial )?of deferred length[^]*declaring the length/,
  },
  {
    title: 'a concatenator that takes the parts in the wrong order',
    plant: (composer, store) =>
      composer.useConcatenator(
        changed(store, {
          concatenate: (final, partials, options) =>
            store.concatenate(final, [...partials].reverse(), options),
        }),
      ),
    tells: /POST final of/,
  },
  {
    title: 'a reader that forgets the last byte of a range',
    plant: (composer, store) =>
      composer.useContentReader(
        changed(store, {
          read: (upload, range, options) =>
            store.read(
              upload,
              range && { ...range, end: Math.max(range.start, range.end - 1) },
              options,
            ),
        }),
      ),
    tells: /GET \d, bytes/,
  },
  {
    title: 'a locker that lets two in',
    plant: (composer) =>
      composer.useLocker(
        changed(new MemoryLocker(), {
          // As if every request asked for another upload.
          acquire: (id, options) => new MemoryLocker().acquire(id, options),
          settle: async () => 'held',
        }),
      ),
    tells: /at once:|while somebody has sent/,
  },
]

test.each(bugs)('finds $title', { timeout: 60_000 }, async ({ plant, tells }) => {
  const compose = async () => {
    const [composer, store, infoStore] = [
      new StoreComposer(),
      new MemoryStore(),
      new MemoryInfoStore(),
    ]
    store.useIn(composer)
    infoStore.useIn(composer)
    plant(composer, store, infoStore)
    return composer
  }
  const details = await fc.check(agreesWithModel(compose, 200), {
    seed: 4,
    numRuns: 500,
    includeErrorInReport: true,
  })
  expect(details.failed, 'the property fails').toBe(true)
  const report = fc.defaultReportMessage(details)!
  expect(report).toMatch(tells)
  const steps = report.match(/^ {2}(client \d|at once): /gm)
  expect(steps!.length, report).toBeLessThanOrEqual(6)
})
