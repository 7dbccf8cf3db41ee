import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { cases, concurrentCases } from '../case.js'
import { Gate, started, turns } from '../fixture/gate.js'
import { largeBody, mebibyte, timeFor } from '../fixture/large-body.js'
import { stallingBody } from '../fixture/stalling-body.js'
import { dripping, sample, TestBody } from '../fixture/test-body.js'
import { watchStat } from '../fixture/watch-stat.js'

/** Appending bodies of every shape. */
export const appendCases = [
  ...cases('dataStore', 'bytes-are-the-truth', {
    async 'append continues where the last one ended'(fixture) {
      const data = sample(1000)
      const upload = await fixture.created({ length: data.length })
      for (const [start, end] of [
        [0, 1],
        [1, 500],
        [500, 501],
        [501, 1000],
      ] as const) {
        await upload.append(data.subarray(start, end))
        assert.equal((await upload.stat()).offset, end)
      }
      await upload.expectContent(data)
    },
  }),

  ...cases('dataStore', 'the-end-of-a-body', {
    async 'append returns normally when the body ends before its first byte'(fixture) {
      const upload = await fixture.created({ length: 11 })
      assert.equal((await upload.append(new TestBody([], 11))).offset, 0)
      await upload.append('hello ')
      assert.equal((await upload.append(new TestBody([], 5))).offset, 6)
      await upload.resume(Buffer.from('hello world'), { low: 6, high: 6 })
    },

    async 'append keeps the bytes of a body that ends early'(fixture) {
      const data = sample(5000)
      const upload = await fixture.created({ length: data.length })
      await upload.append(new TestBody([[data.subarray(0, 700)]], 5000))
      await upload.append(
        new TestBody([[data.subarray(700, 1400)], [data.subarray(1400, 1401)]], 4300),
      )
      await upload.resume(data, { low: 1401, high: 1401 })
    },

    async 'append keeps the bytes of a creation that ended early'(fixture) {
      const data = sample(3000)
      for (const incoming of ['some', 'everything'] as const) {
        for (const end of [0, 1000]) {
          const upload = fixture.upload({ length: data.length })
          const batches = end === 0 ? [] : [[data.subarray(0, end)]]
          await upload.createWith(new TestBody(batches, data.length), { incoming })
          await upload.resume(data, { low: end, high: end })
        }
      }
    },

    async 'append accepts bodies of unknown size'(fixture) {
      const data = sample(2000)
      const upload = await fixture.created()
      await upload.append(new TestBody([[data.subarray(0, 900)], [data.subarray(900)]]))
      await upload.expectContent(data)
    },
  }),

  ...cases('dataStore', 'bytes-are-the-truth', {
    async 'append stores batches of one byte in order'(fixture) {
      const data = sample(300)
      const upload = await fixture.created({ length: data.length })
      await upload.append(dripping(data, 1))
      await upload.expectContent(data)
    },

    async 'append stores batches of 1,024 buffers in order'(fixture) {
      const data = sample(3 * 1024 * 5)
      const batches = [0, 1, 2].map((batch) =>
        Array.from({ length: 1024 }, (_, i) =>
          data.subarray((batch * 1024 + i) * 5).subarray(0, 5),
        ),
      )
      const upload = await fixture.created({ length: data.length })
      await upload.append(new TestBody(batches, data.length))
      await upload.expectContent(data)
    },
  }),

  ...concurrentCases('dataStore', 'bytes-are-the-truth', {
    async 'append keeps the bytes of a body that stalls, and readers do not wait for it'(fixture) {
      const data = sample(4000)
      const first = data.subarray(0, 1000)
      const { body, stalled, resume } = stallingBody(fixture, { first, size: data.length })
      const upload = await fixture.created({ length: data.length })
      const announced: number[] = []
      const appending = started(upload.append(body, { onProgress: (at) => announced.push(at) }))
      await stalled(appending)
      await turns()
      const low = announced.at(-1) ?? 0
      const { offset } = await fixture.soon(
        upload.statOf(fixture.others),
        'stat during a body that stalls',
      )
      assert.ok(low <= offset && offset <= body.given)
      resume()
      assert.equal((await appending).offset, 1000)
      await upload.resume(data, { low: 1000, high: 1000 })
    },
  }),

  ...concurrentCases('dataStore', 'progress', {
    async 'progress reports only bytes that stat confirms'(fixture) {
      const data = sample(20_000)
      const upload = await fixture.created({ length: data.length })
      const confirmed: Promise<void>[] = []
      const onProgress = (announced: number) => {
        const confirm = async () => {
          const { offset } = await upload.statOf(fixture.others)
          assert.ok(offset >= announced, `${announced} bytes were reported, ${offset} are stored`)
        }
        confirmed.push(started(confirm()))
      }
      await upload.append(dripping(data, 1000), { onProgress })
      await Promise.all(confirmed)
    },
  }),

  ...cases('dataStore', 'progress', {
    async 'progress holds back no more than the declared memory'(fixture) {
      const { memory, slots } = fixture
      if (memory === Infinity) return
      const size = Math.min(memory + 4 * mebibyte, slots.dataStore.maxSize)
      fixture.deadline.extend(timeFor(size))
      const [reported, released] = [new Gate(), new Gate()]
      fixture.onCleanup(released.open)
      const onProgress = (offset: number) => {
        if (offset >= size - memory) reported.open()
      }
      if (size <= memory) reported.open()
      async function* batches() {
        for (let start = 0; start < size; start += mebibyte) {
          yield [Buffer.alloc(Math.min(mebibyte, size - start), start / mebibyte)]
        }
        // The client stalls before it ends its request.
        await released.opened
      }
      const upload = await fixture.created()
      const appending = started(upload.append(new TestBody(batches()), { onProgress }))
      const limit = fixture.patience + timeFor(size)
      const what = `progress to report ${size - memory} of ${size} bytes`
      await fixture.soon(Promise.race([reported.opened, appending]), what, limit)
      released.open()
      await appending
    },
  }),

  ...concurrentCases('dataStore', 'bytes-are-the-truth', {
    async 'stat during an append is between the reported and the received offset'(fixture) {
      const data = sample(40_000)
      const upload = await fixture.created({ length: data.length })
      const watch = watchStat(upload, fixture.others)
      async function* batches() {
        for (let start = 0; start < data.length; start += 1000) {
          yield [data.subarray(start, start + 1000)]
          await watch.next()
        }
      }
      const body = new TestBody(batches(), data.length)
      const appending = upload.append(body, { onProgress: (offset) => watch.atLeast(offset) })
      await watch.during(appending, () => body.given)
      await upload.expectContent(data)
    },
  }),

  ...cases('dataStore', 'memory', {
    async 'append uses no more memory than declared'(fixture) {
      const { body, size, digest, memory } = await largeBody(fixture)
      const upload = await fixture.created({ length: size })
      await upload.append(body)
      memory.assertWithin(fixture.memory)
      await upload.whole(size)
      const read = (await upload.content()).pipe(createHash('sha1').setEncoding('hex'))
      assert.equal(await text(read), digest(), 'The bytes that are read are those that were sent')
    },
  }),
]
