import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fileComposer, memoryComposer, temporaryDirectory } from '../support/serve.js'
import { agreesWithModel } from './property.js'

/**
 * Different in every run, unless `PROPERTY_SEED` repeats one: fast-check prints it with a
 * counterexample.
 */
const seed = Number(process.env.PROPERTY_SEED ?? Date.now() % 2 ** 31)

describe.each([
  ['memory', 600, async () => memoryComposer()],
  ['files', 120, async () => fileComposer(await temporaryDirectory())],
] as const)('several clients and a server on %s', (_, numRuns, compose) => {
  test(`agree with the model in ${numRuns} histories`, async () => {
    const details = await fc.check(agreesWithModel(compose), {
      seed,
      numRuns,
      includeErrorInReport: true,
    })
    expect(details.failed && fc.defaultReportMessage(details)).toBe(false)
  })
})
