import assert from 'node:assert/strict'
import { cases } from '../case.js'
import { interruptEverywhere } from '../fixture/interrupt-everywhere.js'
import { rejects, type Stage } from '../fixture/fixture.js'
import { sample } from '../fixture/test-body.js'
import type { TrialUpload } from '../fixture/test-upload.js'

const [one, two, none] = [sample(1000), Buffer.from('the second part'), Buffer.alloc(0)] as const

/** Final uploads that are made of others. */
export const concatenatorCases = cases('concatenator', {
  async 'concatenate joins partials in order, also one that comes twice and one without bytes'(
    stage,
  ) {
    const [a, b, empty] = await partials(stage, one, two, none)
    const final = await finalOf(stage)
    await final.concatenate([b!, a!, empty!, b!])
    await final.expectContent(Buffer.concat([two, one, two]))
  },

  async 'concatenate joins partials of several MiB'(stage) {
    const parts = [sample(1_500_000), sample(2_097_152), sample(3)]
    const final = await finalOf(stage)
    await final.concatenate(await partials(stage, ...parts))
    await final.expectContent(Buffer.concat(parts))
  },

  async 'concatenate joins what another instance stored'(stage) {
    const [a, b] = await partials(stage, one, two)
    const final = await finalOf(stage)
    final.slots = stage.others
    await final.concatenate([a!, b!])
    await final.expectContent(Buffer.concat([one, two]))
  },

  async 'concatenate leaves the partials as they are'(stage) {
    const [a, b] = await partials(stage, one, two)
    const final = await finalOf(stage)
    await final.concatenate([a!, b!])
    await a!.expectContent(one)
    await b!.expectContent(two)
    if (stage.has('terminator')) await a!.terminate()
    await final.expectContent(Buffer.concat([one, two]))
  },

  async 'concatenate starts from zero when it is repeated'(stage) {
    const [a, b] = await partials(stage, one, two)
    const final = await finalOf(stage)
    await final.concatenate([a!, b!])
    assert.equal((await final.stat()).offset, one.length + two.length)
    await final.concatenate([a!, b!])
    assert.equal((await final.stat()).offset, one.length + two.length)
    await final.concatenate([b!])
    await final.expectContent(two)
  },

  async 'concatenate rejects with ERR_DATA_MISSING when a partial is not there'(stage) {
    const [a] = await partials(stage, one)
    const final = await finalOf(stage)
    await rejects(() => final.concatenate([a!, stage.upload({ length: 5 })]), 'ERR_DATA_MISSING')
    await final.concatenate([a!])
    await final.expectContent(one)
  },

  async 'concatenate changes nothing when its signal has aborted'(stage) {
    const [a] = await partials(stage, one)
    const final = await finalOf(stage)
    const reason = new Error('The storage belongs to somebody else')
    const options = { signal: AbortSignal.abort(reason) }
    await rejects(() => final.concatenate([a!], options), reason, 'concatenate')
    assert.equal((await final.stat()).offset, 0)
  },

  async 'concatenate asks for the lock before every change, and can be done again'(stage) {
    const parts = await partials(stage, one, two)
    await interruptEverywhere(async (turn) => {
      const final = await finalOf(stage)
      const outcome = await turn((held) => final.concatenate(parts, { held }))
      await final.concatenate(parts, { forced: true })
      await final.expectContent(Buffer.concat([one, two]))
      return outcome
    })
  },
})

/** Finished partial uploads. */
async function partials(stage: Stage, ...parts: readonly Buffer[]): Promise<TrialUpload[]> {
  const uploads: TrialUpload[] = []
  for (const part of parts) {
    const upload = stage.upload({ length: part.length, concat: { kind: 'partial', finals: [] } })
    await upload.create()
    if (part.length > 0) await upload.append(part)
    await upload.whole(part.length)
    uploads.push(upload)
  }
  return uploads
}

async function finalOf(stage: Stage): Promise<TrialUpload> {
  const concat = { kind: 'final', header: 'final;/files/a', partials: ['a'] } as const
  return stage.created({ concat, finish: 'recorded' })
}
