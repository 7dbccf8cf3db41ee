import assert from 'node:assert/strict'
import { cases, concurrentCases } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { Gate, started, turns } from '../fixture/gate.js'
import { rejects } from '../fixture/rejects.js'
import { interruptEverywhere } from '../fixture/interrupt-everywhere.js'
import { sample, TestBody } from '../fixture/test-body.js'
import type { TestUpload, TurnOptions } from '../fixture/test-upload.js'

const data = sample(6000)
const reason = new Error('Another holder has the lock')

/** Writes that are interrupted because the lock is lost. */
export const interruptionCases = [
  ...cases('dataStore', 'an-aborted-signal', {
    async 'create changes nothing when its signal has aborted'(fixture) {
      const upload = fixture.upload()
      const signal = AbortSignal.abort(reason)
      await rejects(() => upload.create({ signal }), reason, 'create')
      await rejects(() => upload.stat(), 'ERR_DATA_MISSING', 'stat')
    },
  }),

  ...cases('dataStore', 'the-fence', {
    async 'create changes nothing without the lock'(fixture) {
      const upload = fixture.upload()
      await rejects(() => upload.create({ held: () => false }), 'ERR_LOCK_LOST', 'create')
      await rejects(() => upload.stat(), 'ERR_DATA_MISSING', 'stat')
    },
  }),

  ...cases('dataStore', 'an-aborted-signal', {
    async 'append changes nothing when its signal has aborted'(fixture) {
      const upload = await fixture.created({ length: data.length })
      await upload.append(data.subarray(0, 1000))
      const signal = AbortSignal.abort(reason)
      await rejects(() => upload.append(data.subarray(1000), { signal }), reason, 'append')
      await upload.resume(data, { low: 1000, high: 1000, forced: true })
    },
  }),

  ...cases('dataStore', 'the-fence', {
    async 'append changes nothing without the lock'(fixture) {
      const upload = await fixture.created({ length: data.length })
      await upload.append(data.subarray(0, 1000))
      const work = () => upload.append(data.subarray(1000), { held: () => false })
      await rejects(work, 'ERR_LOCK_LOST', 'append')
      await upload.resume(data, { low: 1000, high: 1000, forced: true })
    },
  }),

  ...cases('dataStore', 'an-aborted-signal', {
    async 'append changes nothing after its signal aborts, even when more bytes arrive'(fixture) {
      const upload = await fixture.created({ length: data.length })
      const controller = new AbortController()
      const announced: number[] = []
      async function* batches() {
        yield [data.subarray(0, 1000)]
        controller.abort(reason)
        yield [Buffer.alloc(1000, 'X')]
        yield [Buffer.alloc(1000, 'Y')]
      }
      const body = new TestBody(batches(), data.length)
      const options = {
        signal: controller.signal,
        onProgress: (offset: number) => void announced.push(offset),
      }
      await rejects(() => upload.append(body, options), reason, 'append')
      await turns()
      assert.ok((announced.at(-1) ?? 0) <= 1000, 'Later bytes are not reported')
      const low = announced.at(-1) ?? 0
      await upload.resume(data, { low, high: 1000, forced: true })
    },

    async 'append rejects when its signal aborts before the body ends early'(fixture) {
      const upload = await fixture.created({ length: data.length })
      const controller = new AbortController()
      async function* batches() {
        yield [data.subarray(0, 1000)]
        await turns()
        controller.abort(reason)
      }
      const body = new TestBody(batches(), data.length)
      await rejects(() => upload.append(body, { signal: controller.signal }), reason, 'append')
      await upload.resume(data, { high: 1000, forced: true })
    },
  }),

  ...cases('dataStore', 'the-fence', {
    async 'append changes nothing after the lock is lost, even when more bytes arrive'(fixture) {
      const upload = await fixture.created({ length: data.length })
      let held = true
      async function* batches() {
        yield [data.subarray(0, 1000)]
        held = false
        yield [Buffer.alloc(1000, 'X')]
        yield [Buffer.alloc(1000, 'Y')]
      }
      const work = () => upload.append(new TestBody(batches()), { held: () => held })
      await rejects(work, 'ERR_LOCK_LOST', 'append')
      await turns()
      await upload.resume(data, { high: 1000, forced: true })
    },

    async 'append checks the lock before every change, and loses no reported byte'(fixture) {
      await interruptEverywhere(async (turn) => {
        const upload = await fixture.created({ length: data.length })
        const third = [0, 2000, 4000].map((start) => [data.subarray(start, start + 2000)])
        let low = 0
        const onProgress = (offset: number) => void (low = offset)
        const outcome = await turn((held) => {
          return upload.append(new TestBody(third, data.length), { held, onProgress })
        })
        await upload.resume(data, { low, forced: true })
        return outcome
      })
    },

    async 'append continues after a holder that never released the lock'(fixture) {
      const upload = await fixture.created({ length: data.length })
      await upload.append(data.subarray(0, 1000))
      await upload.append(data.subarray(1000, 2000), { forced: true })
      await upload.resume(data, { low: 2000, high: 2000 })
    },
  }),

  ...concurrentCases(
    'dataStore',
    'the-fence',
    {
      async 'append shuts out a holder that never released the lock'(fixture) {
        const upload = await fixture.created({ length: data.length })
        const wake = await sleeping(fixture, upload)
        await upload.append(data.subarray((await upload.statOf(fixture.others)).offset, 3000), {
          forced: true,
        })
        await wake()
        await upload.resume(data, { low: 3000, high: 3000 })
      },

      async 'append reports that a holder is shut out only when it is'(fixture) {
        // The next holder loses its client before the first byte, or the lock at some check.
        await shutOutBy((upload, turn) => upload.append(new TestBody([], data.length), turn))
        await interruptEverywhere(async (interrupted) => {
          let outcome: Awaited<ReturnType<typeof interrupted>> = 'done'
          await shutOutBy(async (upload, turn) => {
            const bytes = data.subarray((await upload.statOf(fixture.others)).offset, 3000)
            outcome = await interrupted((held) => upload.append(bytes, { ...turn, held }))
          })
          return outcome
        })

        async function shutOutBy(
          work: (upload: TestUpload, turn: TurnOptions) => Promise<unknown>,
        ): Promise<void> {
          const upload = await fixture.created({ length: data.length })
          const wake = await sleeping(fixture, upload)
          let forced = true
          await work(upload, { forced, onShutOut: () => void (forced = false) })
          if (!forced) await wake()
          await upload.resume(data, { high: 3000, forced })
          await wake()
          await upload.expectContent(data)
        }
      },
    },
    'fenced',
  ),
]

/**
 * Lets a holder sleep in the middle of an append, and the other instance take over. Its fence
 * wrongly says yes, as in the moment between the check and the change. Returns what wakes it, and
 * waits until it has done its harm.
 */
async function sleeping(fixture: Fixture, upload: TestUpload): Promise<() => Promise<void>> {
  const [reached, wake] = [new Gate(), new Gate()]
  fixture.onCleanup(wake.open)
  async function* batches() {
    yield [data.subarray(0, 1000)]
    reached.open()
    await wake.opened
    yield [Buffer.alloc(7000, 'Z')]
  }
  const zombie = started(upload.append(new TestBody(batches())))
  await Promise.race([reached.opened, zombie])
  upload.slots = fixture.others
  return async () => {
    wake.open()
    await Promise.allSettled([zombie])
  }
}
