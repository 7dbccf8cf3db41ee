import assert from 'node:assert/strict'
import { cases } from '../case.js'
import { interruptEverywhere } from '../fixture/interrupt-everywhere.js'
import type { Fixture } from '../fixture/fixture.js'
import { rejects } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

const data = sample(3000)

/** The step that turns the bytes into the finished object. */
export const finisherCases = [
  ...cases('finisher', 'finishing', {
    async 'finish preserves the stored bytes'(fixture) {
      const upload = await full(fixture)
      await upload.finish()
      await upload.expectContent(data)
    },

    async 'finish accepts the result of append under the same lock'(fixture) {
      const upload = fixture.upload({ length: data.length })
      const stored = await upload.createWith(data, { incoming: 'everything' })
      await upload.slots.finisher.finish(upload.record, stored, upload.turn())
      await upload.expectContent(data)
    },

    async 'finish can be repeated, even by another instance'(fixture) {
      const upload = await full(fixture)
      for (const slots of [fixture.slots, fixture.slots, fixture.others]) {
        upload.slots = slots
        await upload.finish()
        assert.equal((await upload.stat()).offset, data.length, 'stat after finish')
      }
      await upload.expectContent(data)
    },

    async 'finish accepts an empty upload'(fixture) {
      const upload = await fixture.created({ length: 0 })
      await upload.finish()
      await upload.expectContent('')
    },
  }),

  ...cases('finisher', 'an-aborted-signal', {
    async 'finish changes nothing when its signal has aborted'(fixture) {
      const upload = await full(fixture)
      const reason = new Error('Another holder has the lock')
      await rejects(() => upload.finish({ signal: AbortSignal.abort(reason) }), reason, 'finish')
      assert.equal((await upload.stat()).offset, data.length, 'stat after a finish that failed')
      await upload.expectContent(data)
    },
  }),

  ...cases('finisher', 'the-fence', {
    async 'finish checks the lock before every change, and can be repeated'(fixture) {
      await interruptEverywhere(async (turn) => {
        const upload = await full(fixture)
        const outcome = await turn((held) => upload.finish({ held }))
        assert.equal((await upload.stat()).offset, data.length, 'stat after a finish that failed')
        await upload.expectContent(data)
        return outcome
      })
    },
  }),
]

async function full(fixture: Fixture): Promise<TestUpload> {
  const upload = await fixture.created({ length: data.length })
  await upload.append(data.subarray(0, 1000))
  await upload.append(data.subarray(1000))
  return upload
}
