import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StoreComposer, type Upload } from 'tuskit'
import { MemoryInfoStore, MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import { altered, changed } from '../conformance-suite/broken.js'
import type { Bug } from './bug.js'
import { draftBugs } from './draft-bugs.js'
import { agreesWithModel } from './property.js'
import { noAbort } from '../support/stages.js'

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
    shownBy: /bytes/,
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
    shownBy: /with (all that is missing, or )?\d+ bytes/,
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
    shownBy: /checksum (wrong|right.* end after)/,
  },
  {
    title: 'an info store that forgets a declared length',
    plant: (composer, _, infoStore) =>
      composer.useInfoStore(
        changed(infoStore, {
          async update({ length, ...upload }: Upload) {
            const before = await infoStore.get(upload.id)
            const isOther = upload.protocol === 'ietf' || upload.concat?.kind === 'final'
            const kept = before?.length ?? (isOther ? length : undefined)
            await infoStore.update(
              { ...upload, ...(kept !== undefined && { length: kept }) },
              noAbort,
            )
          },
        }),
      ),
    shownBy: /POST (partial )?of deferred length[^]*declaring the length/,
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
    shownBy: /POST final of/,
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
    shownBy: /GET \d, bytes/,
  },
  {
    title: 'a locker that lets two in',
    plant: (composer) =>
      composer.useLocker(
        changed(new MemoryLocker(), {
          // Uses a different lock for every request.
          acquire: (id, options) => new MemoryLocker().acquire(id, options),
          settle: async () => 'held',
        }),
      ),
    shownBy: /at once:|of which it has sent|HEAD after/,
  },
]

test.each([...bugs, ...draftBugs])('finds $title', async (bug) => {
  const compose = async () => {
    const [composer, store, infoStore] = [
      new StoreComposer(),
      new MemoryStore(),
      new MemoryInfoStore(),
    ]
    composer.use(store, infoStore)
    bug.plant?.(composer, store, infoStore)
    return composer
  }
  const options = { patience: 50, ...(bug.before && { before: bug.before }) }
  const details = await fc.check(agreesWithModel(compose, options), {
    seed: 4,
    numRuns: 500,
    includeErrorInReport: true,
  })
  expect(details.failed, 'the property fails').toBe(true)
  const report = fc.defaultReportMessage(details)!
  expect(report).toMatch(bug.shownBy)
  const steps = report.match(/^ {2}(client \d|at once): /gm)
  expect(steps!.length, report).toBeLessThanOrEqual(6)
})
