import assert from 'node:assert/strict'
import { cases } from '../case.js'
import { interruptEverywhere } from '../fixture/interrupt-everywhere.js'
import type { Fixture } from '../fixture/fixture.js'
import { rejects } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

const [one, two, none] = [sample(1000), Buffer.from('the second part'), Buffer.alloc(0)] as const

/** Final uploads, made of partial ones. */
export const concatenatorCases = [
  ...cases('concatenator', 'concatenating', {
    async 'concatenate joins partials in order, including a repeated and an empty one'(fixture) {
      const [a, b, empty] = await partials(fixture, one, two, none)
      const final = await finalOf(fixture)
      await final.concatenate([b!, a!, empty!, b!])
      await final.expectContent(Buffer.concat([two, one, two]))
    },

    async 'concatenate joins many partials, in any order'(fixture) {
      const parts = Array.from({ length: 12 }, (_, i) => sample(100 + 10 * i).reverse())
      const uploads = await partials(fixture, ...parts)
      const order = Array.from({ length: 30 }, (_, i) => (i * 7) % parts.length)
      const final = await finalOf(fixture)
      await final.concatenate(order.map((i) => uploads[i]!))
      await final.expectContent(Buffer.concat(order.map((i) => parts[i]!)))
    },

    async 'concatenate joins partials of several MiB'(fixture) {
      const size = Math.min(2_097_152, Math.floor(fixture.slots.dataStore.maxSize / 2))
      const parts = [sample(size - 500), sample(size), sample(3)]
      const final = await finalOf(fixture)
      await final.concatenate(await partials(fixture, ...parts))
      await final.expectContent(Buffer.concat(parts))
    },

    async 'concatenate joins what another instance stored'(fixture) {
      const [a, b] = await partials(fixture, one, two)
      const final = await finalOf(fixture)
      final.slots = fixture.others
      await final.concatenate([a!, b!])
      await final.expectContent(Buffer.concat([one, two]))
    },

    async 'concatenate leaves the partials unchanged'(fixture) {
      const [a, b] = await partials(fixture, one, two)
      const final = await finalOf(fixture)
      await final.concatenate([a!, b!])
      await a!.expectContent(one)
      await b!.expectContent(two)
      if (fixture.has('terminator')) await a!.terminate()
      await final.expectContent(Buffer.concat([one, two]))
    },

    async 'concatenate starts from zero when repeated'(fixture) {
      const [a, b] = await partials(fixture, one, two)
      const final = await finalOf(fixture)
      await final.concatenate([a!, b!])
      assert.equal((await final.stat()).offset, one.length + two.length)
      await final.concatenate([a!, b!])
      assert.equal((await final.stat()).offset, one.length + two.length)
      await final.concatenate([b!])
      await final.expectContent(two)
    },

    async 'concatenate rejects with ERR_DATA_MISSING when a partial is missing'(fixture) {
      const [a] = await partials(fixture, one)
      const final = await finalOf(fixture)
      await rejects(
        () => final.concatenate([a!, fixture.upload({ length: 5 })]),
        'ERR_DATA_MISSING',
      )
      await final.concatenate([a!])
      await final.expectContent(one)
    },
  }),

  ...cases('concatenator', 'an-aborted-signal', {
    async 'concatenate changes nothing when its signal has aborted'(fixture) {
      const [a] = await partials(fixture, one)
      const final = await finalOf(fixture)
      const reason = new Error('Another holder has the lock')
      const options = { signal: AbortSignal.abort(reason) }
      await rejects(() => final.concatenate([a!], options), reason, 'concatenate')
      assert.equal((await final.stat()).offset, 0)
    },
  }),

  ...cases('concatenator', 'the-fence', {
    async 'concatenate checks the lock before every change, and can be repeated'(fixture) {
      const parts = await partials(fixture, one, two)
      await interruptEverywhere(async (turn) => {
        const final = await finalOf(fixture)
        const outcome = await turn((held) => final.concatenate(parts, { held }))
        await final.concatenate(parts, { forced: true })
        await final.expectContent(Buffer.concat([one, two]))
        return outcome
      })
    },
  }),
]

/** Finished partial uploads. */
export async function partials(
  fixture: Fixture,
  ...parts: readonly Buffer[]
): Promise<TestUpload[]> {
  const uploads: TestUpload[] = []
  for (const part of parts) {
    const upload = fixture.upload({ length: part.length, concat: { kind: 'partial', finals: [] } })
    await upload.create()
    if (part.length > 0) await upload.append(part)
    await upload.whole(part.length)
    uploads.push(upload)
  }
  return uploads
}

/** Creates a final upload. */
export async function finalOf(fixture: Fixture): Promise<TestUpload> {
  const concat = { kind: 'final', header: 'final;/files/a', partials: ['a'] } as const
  return fixture.created({ concat, finish: 'recorded' })
}
