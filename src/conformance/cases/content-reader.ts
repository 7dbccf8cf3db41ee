import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { cases, concurrentCases } from '../case.js'
import { noAbort, started, turns } from '../fixture/gate.js'
import { largeBody } from '../fixture/large-body.js'
import { MemoryWatch } from '../fixture/memory-watch.js'
import { assertSame, readAllOrFail } from '../fixture/read-content.js'
import type { Fixture } from '../fixture/fixture.js'
import { rejects } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

const data = sample(5000)
/** More than streams hold, so that a download does not end before its signal aborts. */
const large = 1024 * 1024

const reason = new Error('The download was cancelled')

/** Downloads. */
export const contentReaderCases = [
  ...cases('contentReader', 'reading', {
    async 'read without a range returns all bytes'(fixture) {
      const upload = await finished(fixture)
      assertSame(await upload.bytes(), data)
      assertSame(await upload.bytes(), data)
    },

    async 'read of an empty upload returns no bytes'(fixture) {
      const upload = await fixture.created({ length: 0 })
      await upload.whole(0)
      assertSame(await upload.bytes(), Buffer.alloc(0))
    },

    async 'read returns ranges, including their last byte'(fixture) {
      const upload = await finished(fixture)
      for (const [start, end] of [
        [0, 0],
        [0, 4999],
        [999, 1000],
        [1000, 1999],
        [1, 4998],
        [4999, 4999],
      ] as const) {
        assertSame(await upload.bytes({ start, end }), data.subarray(start, end + 1))
      }
    },
  }),

  ...cases('contentReader', 'reading', {
    async 'read returns large ranges from anywhere'(fixture) {
      const bytes = sample(Math.min(3 * large, fixture.slots.dataStore.maxSize))
      const upload = await whole(fixture, bytes)
      const third = Math.floor(bytes.length / 3)
      for (const [start, end] of [
        [1, bytes.length - 2],
        [third, 2 * third],
        [third + 1, third + 10],
        [bytes.length - third, bytes.length - 1],
      ] as const) {
        assertSame(await upload.bytes({ start, end }), bytes.subarray(start, end + 1))
      }
    },

    async 'read fails when fewer bytes are stored than the record says'(fixture) {
      const upload = await finished(fixture)
      const length = data.length + 1000
      upload.record = { ...upload.record, length }
      const promised = Buffer.concat([data, Buffer.alloc(1000)])
      for (const range of [undefined, { start: 1000, end: length - 1 }]) {
        const { contentReader } = fixture.slots
        const reading = contentReader.read(upload.record, range, noAbort)
        const content = await reading.catch(() => undefined)
        // Another server sends the bytes of a redirect.
        if (!(content instanceof Readable)) continue
        await readAllOrFail(content, promised.subarray(range?.start))
      }
    },
  }),

  ...cases('contentReader', 'missing-or-unreachable', {
    async 'read rejects with ERR_DATA_MISSING when the data is missing'(fixture) {
      const upload = fixture.upload({ length: 5 })
      await rejects(() => upload.bytes(), 'ERR_DATA_MISSING', 'read')
      await rejects(() => upload.bytes({ start: 1, end: 2 }), 'ERR_DATA_MISSING', 'read')
    },
  }),

  ...cases('contentReader', 'reading', {
    async 'read with an aborted signal rejects, or returns the bytes as usual'(fixture) {
      const upload = await finished(fixture)
      const reading = upload.content({ signal: AbortSignal.abort(reason) })
      const content = await reading.catch((error: unknown) => {
        assert.equal(error, reason, 'read rejects with the reason of its signal')
      })
      // A stream that fails before it has a listener would end the process.
      if (content) assertSame(await buffer(content), data)
      assertSame(await upload.bytes(), data)
    },

    async 'read whose signal aborts meanwhile rejects with its reason, or returns the bytes'(
      fixture,
    ) {
      const upload = await finished(fixture)
      for (const delay of [0, 1, 2, 4, 8, 16, 32, 64]) {
        const { controller, reading } = cancellable(upload)
        await turns(delay)
        controller.abort(reason)
        const settled = await fixture.soon(Promise.allSettled([reading]), 'read to settle')
        const [result] = settled
        if (result.status === 'fulfilled') await readAllOrFail(result.value, data)
        else assert.equal(result.reason, reason, 'read rejects with the reason of its signal')
      }
      assertSame(await upload.bytes(), data)
    },

    async 'a download whose signal aborts later delivers all bytes or fails'(fixture) {
      const bytes = sample(Math.min(large, fixture.slots.dataStore.maxSize))
      const upload = await whole(fixture, bytes)
      const { controller, reading } = cancellable(upload)
      await readAllOrFail(await reading, bytes, async () => controller.abort(reason))
      assertSame(await upload.bytes(), bytes)
    },
  }),

  ...concurrentCases('contentReader', 'reading', {
    async 'several readers can read at once, and one can stop early'(fixture) {
      const upload = await finished(fixture)
      const streams = await Promise.all(
        [0, 1, 2].map(() => upload.content({ slots: fixture.others })),
      )
      streams[0]!.destroy()
      for (const stream of streams.slice(1)) assertSame(await buffer(stream), data)
      if (!streams[0]!.closed)
        await fixture.soon(once(streams[0]!, 'close'), 'a destroyed stream to close')
      assertSame(await upload.bytes(), data)
    },
  }),

  ...cases('contentReader', 'memory', {
    async 'read uses no more memory than declared'(fixture) {
      const { body, size, digest } = await largeBody(fixture)
      const upload = await fixture.created({ length: size })
      await upload.append(body)
      await upload.whole(size)
      const hash = createHash('sha1')
      const memory = await MemoryWatch.begin()
      let read = 0
      for await (const bytes of await upload.content()) {
        const before = read
        read += (bytes as Buffer).length
        hash.update(bytes as Buffer)
        if (Math.floor(read / (size / 8)) > Math.floor(before / (size / 8))) await memory.look()
      }
      memory.assertWithin(fixture.memory)
      assert.equal(hash.digest('hex'), digest(), 'The bytes that are read are those that were sent')
    },
  }),
]

/** Stores an upload in one chunk. */
async function whole(fixture: Fixture, bytes: Buffer): Promise<TestUpload> {
  const upload = await fixture.created({ length: bytes.length })
  await upload.append(bytes)
  await upload.whole(bytes.length)
  return upload
}

/** Starts a download. Its stream may fail before anything reads it. */
function cancellable(upload: TestUpload) {
  const controller = new AbortController()
  const reading = started(upload.content({ signal: controller.signal }))
  void started(reading.then((content) => content.on('error', () => {})))
  return { controller, reading }
}

/** Stores an upload in several chunks, with ranges that cross their boundaries. */
async function finished(fixture: Fixture): Promise<TestUpload> {
  const upload = await fixture.created({ length: data.length })
  for (const end of [1000, 2000, 5000]) {
    await upload.append(data.subarray((await upload.stat()).offset, end))
  }
  await upload.whole(data.length)
  return upload
}
