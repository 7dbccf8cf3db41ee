import assert from 'node:assert/strict'
import { concurrentCases } from '../case.js'
import { Alternation, cut } from '../fixture/alternation.js'
import type { Fixture } from '../fixture/fixture.js'
import { started } from '../fixture/gate.js'
import { assertSame } from '../fixture/read-content.js'
import { rejects } from '../fixture/rejects.js'
import { stallingBody } from '../fixture/stalling-body.js'
import { sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'
import { finalOf, partials } from './concatenator.js'

/** Contents that differ in their bytes and in their sizes. */
const contents = [sample(30_000), Buffer.alloc(41_000, 'B'), sample(52_000).reverse()] as const
const steps = 5

type Appending = 'append' | 'appendVerified'

/** Uploads that one instance, or two, serve at the same time. */
export const severalUploadsCases = [
  ...concurrentCases('dataStore', 'several-uploads-at-once', {
    async 'uploads whose batches alternate stay separate'(fixture) {
      const uploads = await begun(fixture)
      const turns = new Alternation(fixture, { calls: uploads.length, steps })
      const bodyOf = (i: number) => turns.body(i, cut(rest(i), steps))
      await turns.run(uploads.map((upload, i) => upload.append(bodyOf(i))))
      for (const [i, upload] of uploads.entries()) await upload.expectContent(contents[i]!)
    },

    async 'an upload that stalls keeps no other upload waiting'(fixture) {
      const { resume, stalled } = await stall(fixture, 'append')
      await fixture.soon(stalled.statOf(fixture.others), 'stat of an upload that stalls')
      const upload = elsewhere(fixture, fixture.upload({ length: contents[1].length }))
      await fixture.soon(upload.create(), 'create while another upload stalls')
      await fixture.soon(upload.stat(), 'stat while another upload stalls')
      await fixture.soon(upload.append(contents[1]), 'append while another upload stalls')
      await fixture.soon(upload.expectContent(contents[1]), 'the bytes while another upload stalls')
      await resume()
    },
  }),

  ...concurrentCases('verifiedAppender', 'several-uploads-at-once', {
    async 'chunks whose batches alternate stay separate, and so do the verdicts'(fixture) {
      const uploads = await begun(fixture)
      const turns = new Alternation(fixture, { calls: uploads.length, steps: steps + 1 })
      const bodyOf = (i: number) => turns.body(i, cut(rest(i), steps))
      const isRefused = (i: number) => i === 1
      const work = uploads.map((upload, i) =>
        upload.appendVerified(bodyOf(i), async () => (await turns.turn(i), !isRefused(i))),
      )
      await turns.run(work)
      for (const [i, upload] of uploads.entries()) {
        const low = isRefused(i) ? first(i) : contents[i]!.length
        await upload.resume(contents[i]!, { low, high: low })
      }
    },

    async 'a chunk that stalls keeps no other upload waiting'(fixture) {
      const { resume, stalled } = await stall(fixture, 'appendVerified')
      await fixture.soon(stalled.statOf(fixture.others), 'stat of an upload whose chunk stalls')
      const upload = elsewhere(fixture, await fixture.created({ length: contents[1].length }))
      const [one, two] = cut(contents[1], 2) as [Buffer, Buffer]
      await fixture.soon(upload.appendVerified(one), 'a chunk while another one stalls')
      await fixture.soon(upload.append(two), 'append while a chunk stalls')
      await upload.expectContent(contents[1])
      await resume()
    },
  }),

  ...concurrentCases('terminator', 'several-uploads-at-once', {
    async 'terminate affects no other upload, and waits for none'(fixture) {
      const other = elsewhere(fixture, await fixture.created())
      await other.append(contents[1])
      const { resume } = await stall(fixture, 'append')
      await fixture.soon(other.terminate(), 'terminate while another upload stalls')
      await rejects(() => other.stat(), 'ERR_DATA_MISSING', 'stat after terminate')
      const next = elsewhere(fixture, await fixture.created({ length: contents[2].length }))
      await next.append(contents[2])
      await resume()
      await next.expectContent(contents[2])
    },
  }),

  ...concurrentCases('concatenator', 'several-uploads-at-once', {
    async 'concatenations run side by side, and wait for no upload'(fixture) {
      const parts = await partials(fixture, ...contents)
      const { resume } = await stall(fixture, 'append')
      const orders = [
        [0, 1, 2],
        [2, 1, 0],
        [1, 1, 2],
      ]
      const finals: TestUpload[] = []
      for (const _ of orders) finals.push(await finalOf(fixture))
      elsewhere(fixture, finals[1]!)
      const joining = orders.map((order, i) => finals[i]!.concatenate(order.map((k) => parts[k]!)))
      await fixture.soon(Promise.all(joining), 'concatenations while another upload stalls')
      for (const [i, order] of orders.entries()) {
        await finals[i]!.expectContent(Buffer.concat(order.map((k) => contents[k]!)))
      }
      await resume()
    },
  }),

  ...concurrentCases('contentReader', 'several-uploads-at-once', {
    async 'downloads that are read in turn stay separate, and wait for no upload'(fixture) {
      const uploads = await begun(fixture)
      for (const [i, upload] of uploads.entries()) {
        for (const piece of cut(rest(i), steps)) await upload.append(piece)
        await upload.whole(contents[i]!.length)
      }
      const { resume } = await stall(fixture, 'append')
      const downloads = await Promise.all(
        uploads.map(async (upload) => {
          const stream = await fixture.soon(upload.content(), 'read while another upload stalls')
          return { chunks: stream[Symbol.asyncIterator](), read: [] as Buffer[] }
        }),
      )
      for (const unread = new Set(downloads); unread.size > 0;) {
        for (const download of unread) {
          const next = await fixture.soon(
            download.chunks.next(),
            'the bytes of one of several downloads',
          )
          if (next.done) unread.delete(download)
          else download.read.push(next.value as Buffer)
        }
      }
      for (const [i, { read }] of downloads.entries()) {
        assertSame(Buffer.concat(read), contents[i]!)
      }
      await resume()
    },
  }),
]

/** The number of bytes that an upload begins with. */
function first(i: number): number {
  return i * 1000
}

function rest(i: number): Buffer {
  return contents[i]!.subarray(first(i))
}

/** Creates an upload for each content, with different offsets. The second instance gets one. */
async function begun(fixture: Fixture): Promise<readonly TestUpload[]> {
  const uploads: TestUpload[] = []
  for (const [i, { length }] of contents.entries()) {
    const upload = await fixture.created({ length })
    if (i > 0) await upload.append(contents[i]!.subarray(0, first(i)))
    uploads.push(upload)
  }
  elsewhere(fixture, uploads[1]!)
  return uploads
}

/** Lets another instance do the work, if there is one. */
function elsewhere(fixture: Fixture, upload: TestUpload): TestUpload {
  upload.slots = fixture.others
  return upload
}

/** Begins to append to an upload whose client stalls after the first bytes. */
async function stall(fixture: Fixture, name: Appending) {
  const data = contents[0]
  const [first, ...rest] = cut(data, steps) as [Buffer, ...Buffer[]]
  const stalling = stallingBody(fixture, { first, rest, size: data.length })
  const stalled = await fixture.created({ length: data.length })
  const appending = started(
    name === 'append' ? stalled.append(stalling.body) : stalled.appendVerified(stalling.body),
  )
  await stalling.stalled(appending)
  return {
    stalled,
    /** Sends the rest. Fails unless all bytes are stored then. */
    async resume() {
      stalling.resume()
      assert.equal((await appending).offset, data.length, 'the offset after an append that stalled')
      await stalled.expectContent(data)
    },
  }
}
