import { cases } from '../case.js'
import { nearIds } from './data-store.js'
import { interruptEverywhere } from '../fixture/interrupt-everywhere.js'
import { rejects, type Stage } from '../fixture/fixture.js'
import { sample } from '../fixture/test-body.js'
import type { TrialUpload } from '../fixture/test-upload.js'

const data = sample(3000)

/** Removal. */
export const terminatorCases = cases('terminator', {
  async 'terminate removes an unfinished upload'(stage) {
    for (const end of [0, 1000]) {
      const upload = await unfinished(stage, end)
      await upload.terminate()
      await expectMissing(upload, stage)
    }
  },

  async 'terminate removes a finished upload'(stage) {
    const upload = await unfinished(stage, data.length)
    await upload.expectContent(data)
    await upload.terminate()
    await expectMissing(upload, stage)
  },

  async 'terminate of what is not there succeeds'(stage) {
    const upload = stage.upload()
    await upload.terminate()
    await upload.create()
    await upload.terminate()
    upload.slots = stage.others
    await upload.terminate()
    await expectMissing(upload, stage)
  },

  async 'terminate leaves nothing behind for an upload at the same place'(stage) {
    const upload = await unfinished(stage, 2000)
    if (stage.has('verifiedAppender')) {
      await upload.appendVerified(Buffer.alloc(500, 'W'), async () => false)
    }
    await upload.terminate()
    const next = stage.upload({ id: upload.record.id, length: 11 })
    await next.create()
    await next.resume(Buffer.from('hello world'), { low: 0, high: 0 })
  },

  async 'terminate leaves uploads with near ids alone'(stage) {
    const uploads = nearIds.map((id) => stage.upload({ id, length: data.length }))
    for (const upload of uploads) {
      await upload.create()
      await upload.append(data.subarray(0, 1000))
    }
    const [first, ...others] = uploads
    await first!.terminate()
    for (const upload of others) await upload.resume(data, { low: 1000, high: 1000 })
  },

  async 'terminate changes nothing when its signal has aborted'(stage) {
    const upload = await unfinished(stage, 1000)
    const reason = new Error('The storage belongs to somebody else')
    await rejects(
      () => upload.terminate({ signal: AbortSignal.abort(reason) }),
      reason,
      'terminate',
    )
    await upload.resume(data, { low: 1000, high: 1000, forced: true })
  },

  async 'terminate changes nothing without the lock'(stage) {
    const upload = await unfinished(stage, 1000)
    const work = () => upload.terminate({ held: () => false })
    await rejects(work, 'ERR_LOCK_LOST', 'terminate')
    await upload.resume(data, { low: 1000, high: 1000, forced: true })
  },

  async 'terminate asks for the lock before every change, and can be done again'(stage) {
    await interruptEverywhere(async (turn) => {
      const upload = await unfinished(stage, 1000)
      const outcome = await turn((held) => upload.terminate({ held }))
      await upload.terminate({ forced: true })
      await expectMissing(upload, stage)
      return outcome
    })
  },
})

async function unfinished(stage: Stage, end: number): Promise<TrialUpload> {
  const upload = await stage.created({ length: data.length })
  if (end > 0) await upload.append(data.subarray(0, end))
  return upload
}

async function expectMissing(upload: TrialUpload, stage: Stage): Promise<void> {
  await rejects(() => upload.stat(), 'ERR_DATA_MISSING', 'stat after terminate')
  if (!stage.has('contentReader')) return
  await rejects(() => upload.content(), 'ERR_DATA_MISSING', 'read after terminate')
}
