import type { Case } from '../case.js'
import { cases } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { calm, proveTrue, succeeds } from '../fixture/outage.js'
import { sample } from '../fixture/test-body.js'

type Appending = 'append' | 'appendVerified'

/** After how much of a body the connections are cut. */
const parts = [0, 0.1, 0.5, 0.9, 1]

/** Appends whose connections are cut while the bytes are on their way. */
export const appendCutCases: readonly Case[] = (['append', 'appendVerified'] as const).flatMap(
  (name) =>
    cases(
      name === 'append' ? 'dataStore' : 'verifiedAppender',
      'missing-or-unreachable',
      {
        [`${name} neither loses nor doubles bytes when its connections are cut`]: (fixture) =>
          eachCut(fixture, name),
      },
      'cutAfter',
    ),
)

async function eachCut(fixture: Fixture, name: Appending): Promise<void> {
  const data = sample(Math.min(1_000_000, fixture.slots.dataStore.maxSize))
  const stored = Math.floor(data.length / 10)
  for (const part of parts) {
    const upload = await fixture.created({ length: data.length })
    await upload.append(data.subarray(0, stored))
    const rest = data.subarray(stored)
    let low = stored
    const options = {
      from: await upload.statOf(upload.slots),
      onProgress: (offset: number) => void (low = offset),
    }
    const end = await fixture.cutAfter(Math.max(1, Math.floor(part * rest.length)))
    const accept = async () => true
    const work =
      name === 'append'
        ? upload.append(rest, options)
        : upload.appendVerified(rest, accept, options)
    const succeeded = await succeeds(work)
    await end()
    await calm(fixture, upload)
    await proveTrue(fixture, upload, data, {
      low: succeeded ? data.length : low,
      high: data.length,
    })
  }
}
