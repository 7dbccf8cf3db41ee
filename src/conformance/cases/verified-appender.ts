import assert from 'node:assert/strict'
import { cases, concurrentCases } from '../case.js'
import { Gate, started, turns } from '../fixture/gate.js'
import { interruptEverywhere } from '../fixture/interrupt-everywhere.js'
import { largeBody } from '../fixture/large-body.js'
import type { Fixture } from '../fixture/fixture.js'
import { rejects } from '../fixture/rejects.js'
import { dripping, sample, TestBody } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'
import { watchStat } from '../fixture/watch-stat.js'

const data = sample(6000)
const wrong = Buffer.alloc(1500, 'W')
const refuse = async () => false

/** Chunks that count only once they are verified. */
export const verifiedAppenderCases = [
  ...cases('verifiedAppender', 'verified-chunks', {
    async 'a chunk counts when it is accepted, and not before'(fixture) {
      const upload = await withFirst(fixture)
      const announced: number[] = []
      const accept = async () => {
        assert.equal((await upload.stat()).offset, 1000, 'stat before the chunk is accepted')
        assert.deepEqual(announced, [], 'reported before the chunk is accepted')
        return true
      }
      const onProgress = (offset: number) => void announced.push(offset)
      await upload.appendVerified(data.subarray(1000, 3000), accept, { onProgress })
      await upload.resume(data, { low: 3000, high: 3000 })
    },

    async 'a chunk that is not accepted is discarded'(fixture) {
      const upload = await withFirst(fixture)
      for (let round = 0; round < 2; round++) {
        await upload.appendVerified(wrong, refuse)
        assert.equal((await upload.stat()).offset, 1000, 'stat after the chunk was refused')
      }
      await upload.appendVerified(data.subarray(1000, 2000))
      await upload.appendVerified(wrong, refuse)
      await upload.resume(data, { low: 2000, high: 2000 })
    },

    async 'a refused first chunk leaves 0 bytes'(fixture) {
      const upload = await fixture.created({ length: data.length })
      await upload.appendVerified(wrong, refuse)
      await upload.resume(data, { low: 0, high: 0 })
    },

    async 'a chunk that ends early is refused, and none of its bytes count'(fixture) {
      const upload = await withFirst(fixture)
      for (const batches of [[], [[wrong]], [[wrong], [wrong]]]) {
        await upload.appendVerified(new TestBody(batches, 5000), refuse)
        assert.equal((await upload.stat()).offset, 1000, 'stat after the chunk was refused')
      }
      await upload.resume(data, { low: 1000, high: 1000 })
    },

    async 'an error of accept is passed on, and no byte counts'(fixture) {
      const upload = await withFirst(fixture)
      const failure = new Error('No digest')
      const work = () => upload.appendVerified(wrong, () => Promise.reject(failure))
      await rejects(work, failure, 'appendVerified')
      await upload.resume(data, { low: 1000, high: 1000 })
    },

    async 'verified and plain chunks can alternate'(fixture) {
      const upload = await fixture.created({ length: data.length })
      for (let start = 0; start < data.length; start += 1000) {
        const chunk = data.subarray(start, start + 1000)
        if (start % 2000 === 0) await upload.appendVerified(chunk)
        else await upload.append(chunk)
        assert.equal((await upload.stat()).offset, start + 1000)
      }
      await upload.expectContent(data)
    },

    async 'a chunk can come with the creation of an upload without a length'(fixture) {
      const upload = await fixture.created()
      await upload.appendVerified(data)
      await upload.expectContent(data)
    },

    async 'a chunk in batches of one byte is stored in order'(fixture) {
      const upload = await fixture.created({ length: 300 })
      await upload.appendVerified(dripping(data.subarray(0, 300), 1))
      await upload.expectContent(data.subarray(0, 300))
    },
  }),

  ...concurrentCases('verifiedAppender', 'verified-chunks', {
    async 'stat during a chunk never reports unverified bytes'(fixture) {
      const upload = await withFirst(fixture)
      const watch = watchStat(upload, fixture.others)
      async function* batches() {
        for (let start = 1000; start < data.length; start += 500) {
          yield [data.subarray(start, start + 500)]
          await watch.next()
        }
      }
      let accepted = false
      const accept = async () => {
        await watch.next()
        return (accepted = true)
      }
      const onProgress = (offset: number) => watch.atLeast(offset)
      const body = new TestBody(batches(), data.length - 1000)
      const appending = upload.appendVerified(body, accept, { onProgress })
      await watch.during(appending, () => (accepted ? data.length : 1000))
      await upload.expectContent(data)
    },
  }),

  ...concurrentCases('verifiedAppender', 'verified-chunks', {
    async 'no byte counts of a chunk whose writer died before it was accepted'(fixture) {
      for (const place of ['body', 'accept'] as const) {
        const upload = await withFirst(fixture)
        const [reached, never] = [new Gate(), new Gate()]
        fixture.onCleanup(never.open)
        const hang = async () => {
          reached.open()
          await never.opened
        }
        async function* batches() {
          yield [wrong]
          if (place === 'body') await hang()
        }
        const accept = async () => (await hang(), false)
        const dead = started(upload.appendVerified(new TestBody(batches(), 5000), accept))
        await Promise.race([reached.opened, dead])
        await turns()
        upload.slots = fixture.others
        await upload.resume(data, { low: 1000, high: 1000, forced: true })
      }
    },
  }),

  ...cases('verifiedAppender', 'verified-chunks', {
    async 'no byte counts when the signal aborts before the chunk is accepted'(fixture) {
      const upload = await withFirst(fixture)
      const reason = new Error('Another holder has the lock')
      const controller = new AbortController()
      const accept = async () => {
        controller.abort(reason)
        return true
      }
      const { signal } = controller
      await rejects(
        () => upload.appendVerified(wrong, accept, { signal }),
        reason,
        'appendVerified',
      )
      const aborted = () => upload.appendVerified(wrong, undefined, { signal })
      await rejects(aborted, reason, 'appendVerified')
      await upload.resume(data, { low: 1000, high: 1000, forced: true })
    },
  }),

  ...cases('verifiedAppender', 'the-fence', {
    async 'appendVerified checks the lock before every change'(fixture) {
      await interruptEverywhere(async (turn) => {
        const upload = await withFirst(fixture)
        const outcome = await turn((held) =>
          upload.appendVerified(dripping(data.subarray(1000, 3000), 700), undefined, { held }),
        )
        await upload.resume(data, { low: outcome === 'done' ? 3000 : 1000, forced: true })
        return outcome
      })
    },

    async 'a refused chunk checks the lock too, and leaves nothing behind'(fixture) {
      for (let questions = 0; questions < 20; questions++) {
        const upload = await withFirst(fixture)
        let left = questions
        const held = () => left-- > 0
        await upload.appendVerified(wrong, refuse, { held }).catch(() => {})
        await upload.resume(data, { low: 1000, high: 1000, forced: true })
      }
    },
  }),

  ...cases('verifiedAppender', 'memory', {
    async 'a chunk uses no more memory than declared'(fixture) {
      const { body, size, memory } = await largeBody(fixture)
      const upload = await fixture.created({ length: size })
      await upload.appendVerified(body)
      memory.assertWithin(fixture.memory)
      await upload.whole(size)
    },
  }),

  ...concurrentCases(
    'verifiedAppender',
    'the-fence',
    {
      async 'a holder that never released the lock is shut out'(fixture) {
        const upload = await withFirst(fixture)
        const [reached, wake] = [new Gate(), new Gate()]
        fixture.onCleanup(wake.open)
        async function* batches() {
          yield [wrong]
          reached.open()
          await wake.opened
          yield [wrong]
        }
        // Its fence wrongly says yes, as in the moment between the check and the change.
        const zombie = started(upload.appendVerified(new TestBody(batches())))
        await Promise.race([reached.opened, zombie])
        upload.slots = fixture.others
        await upload.append(data.subarray(1000, 2000), { forced: true })
        wake.open()
        await Promise.allSettled([zombie])
        await upload.resume(data, { low: 2000, high: 2000 })
      },
    },
    'fenced',
  ),
]

/** Creates an upload whose first 1,000 bytes are stored and verified. */
async function withFirst(fixture: Fixture): Promise<TestUpload> {
  const upload = await fixture.created({ length: data.length })
  await upload.appendVerified(data.subarray(0, 1000))
  return upload
}
