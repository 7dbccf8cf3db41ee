import assert from 'node:assert/strict'
import { cases } from '../case.js'
import { interruptEverywhere } from '../fixture/interrupt-everywhere.js'
import { rejects, type Stage } from '../fixture/fixture.js'
import { sample } from '../fixture/test-body.js'
import type { TrialUpload } from '../fixture/test-upload.js'

const data = sample(3000)

/** The act that turns the bytes into the finished object. */
export const finisherCases = cases('finisher', {
  async 'finish gives the bytes that were stored'(stage) {
    const upload = await full(stage)
    await upload.finish()
    await upload.expectContent(data)
  },

  async 'finish takes what append returned in the same turn'(stage) {
    const upload = stage.upload({ length: data.length })
    const stored = await upload.createWith(data, { incoming: 'everything' })
    await upload.slots.finisher.finish(upload.record, stored, upload.turn())
    await upload.expectContent(data)
  },

  async 'finish may be repeated, also by another instance'(stage) {
    const upload = await full(stage)
    for (let round = 0; round < 3; round++) {
      await upload.finish()
      assert.equal((await upload.stat()).offset, data.length, 'stat after finish')
      upload.slots = stage.others
    }
    await upload.expectContent(data)
  },

  async 'finish takes an upload of 0 bytes'(stage) {
    const upload = await stage.created({ length: 0 })
    await upload.finish()
    await upload.expectContent('')
  },

  async 'finish changes nothing when its signal has aborted'(stage) {
    const upload = await full(stage)
    const reason = new Error('The storage belongs to somebody else')
    await rejects(() => upload.finish({ signal: AbortSignal.abort(reason) }), reason, 'finish')
    assert.equal((await upload.stat()).offset, data.length, 'stat after a finish that failed')
    await upload.expectContent(data)
  },

  async 'finish asks for the lock before every change, and can be done again'(stage) {
    await interruptEverywhere(async (turn) => {
      const upload = await full(stage)
      const outcome = await turn((held) => upload.finish({ held }))
      assert.equal((await upload.stat()).offset, data.length, 'stat after a finish that failed')
      await upload.expectContent(data)
      return outcome
    })
  },
})

async function full(stage: Stage): Promise<TrialUpload> {
  const upload = await stage.created({ length: data.length })
  await upload.append(data.subarray(0, 1000))
  await upload.append(data.subarray(1000))
  return upload
}
