import { cases } from '../case.js'
import { nearIds } from './data-store.js'
import { interruptEverywhere } from '../fixture/interrupt-everywhere.js'
import type { Fixture } from '../fixture/fixture.js'
import { rejects } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

const data = sample(3000)

/** Removal. */
export const terminatorCases = [
  ...cases('terminator', 'terminating', {
    async 'terminate removes an unfinished upload'(fixture) {
      for (const end of [0, 1000]) {
        const upload = await unfinished(fixture, end)
        await upload.terminate()
        await expectMissing(upload, fixture)
      }
    },

    async 'terminate removes a finished upload'(fixture) {
      const upload = await unfinished(fixture, data.length)
      await upload.expectContent(data)
      await upload.terminate()
      await expectMissing(upload, fixture)
    },

    async 'terminate succeeds when there is no data'(fixture) {
      const upload = fixture.upload()
      await upload.terminate()
      await upload.create()
      for (const slots of [fixture.slots, fixture.slots, fixture.others]) {
        upload.slots = slots
        await upload.terminate()
      }
      await expectMissing(upload, fixture)
    },

    async 'terminate leaves nothing behind for the next upload at the same place'(fixture) {
      const upload = await unfinished(fixture, 2000)
      if (fixture.has('verifiedAppender')) {
        await upload.appendVerified(Buffer.alloc(500, 'W'), async () => false)
      }
      await upload.terminate()
      const next = fixture.upload({ id: upload.record.id, length: 11 })
      await next.create()
      await next.resume(Buffer.from('hello world'), { low: 0, high: 0 })
    },

    async 'terminate does not affect uploads with similar ids'(fixture) {
      const uploads = nearIds.map((id) => fixture.upload({ id, length: data.length }))
      for (const upload of uploads) {
        await upload.create()
        await upload.append(data.subarray(0, 1000))
      }
      const [first, ...others] = uploads
      await first!.terminate()
      for (const upload of others) await upload.resume(data, { low: 1000, high: 1000 })
    },
  }),

  ...cases('terminator', 'an-aborted-signal', {
    async 'terminate changes nothing when its signal has aborted'(fixture) {
      const upload = await unfinished(fixture, 1000)
      const reason = new Error('Another holder has the lock')
      await rejects(
        () => upload.terminate({ signal: AbortSignal.abort(reason) }),
        reason,
        'terminate',
      )
      await upload.resume(data, { low: 1000, high: 1000, forced: true })
    },
  }),

  ...cases('terminator', 'the-fence', {
    async 'terminate changes nothing without the lock'(fixture) {
      const upload = await unfinished(fixture, 1000)
      const work = () => upload.terminate({ held: () => false })
      await rejects(work, 'ERR_LOCK_LOST', 'terminate')
      await upload.resume(data, { low: 1000, high: 1000, forced: true })
    },

    async 'terminate checks the lock before every change, and can be repeated'(fixture) {
      await interruptEverywhere(async (turn) => {
        const upload = await unfinished(fixture, 1000)
        const outcome = await turn((held) => upload.terminate({ held }))
        await upload.terminate({ forced: true })
        await expectMissing(upload, fixture)
        return outcome
      })
    },
  }),
]

async function unfinished(fixture: Fixture, end: number): Promise<TestUpload> {
  const upload = await fixture.created({ length: data.length })
  if (end > 0) await upload.append(data.subarray(0, end))
  return upload
}

async function expectMissing(upload: TestUpload, fixture: Fixture): Promise<void> {
  await rejects(() => upload.stat(), 'ERR_DATA_MISSING', 'stat after terminate')
  if (!fixture.has('contentReader')) return
  await rejects(() => upload.bytes(), 'ERR_DATA_MISSING', 'read after terminate')
}
