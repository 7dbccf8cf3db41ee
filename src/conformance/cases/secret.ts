import assert from 'node:assert/strict'
import type { Case } from '../case.js'
import { cases } from '../case.js'
import { noAbort } from '../fixture/gate.js'
import type { Fixture } from '../fixture/fixture.js'
import { rejects, unless } from '../fixture/rejects.js'
import { dripping, sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

const data = sample(3000)
const failure = new Error('The record cannot be changed')

/** Records that cannot be changed when a store saves a secret in them. */
export const secretCases: readonly Case[] = cases('dataStore', 'record-before-data', {
  async 'a secret that cannot be saved fails the call, and no reported byte is lost'(fixture) {
    for (let saved = 0; saved < 20; saved++) {
      if (!(await failsAfter(fixture, saved))) return
    }
  },
})

/** Lets the record fail after some secrets. Returns whether the store saved so many. */
async function failsAfter(fixture: Fixture, saved: number): Promise<boolean> {
  const upload = fixture.upload({ length: data.length })
  let [left, low] = [saved, 0]
  const options = {
    onSecret() {
      if (left-- <= 0) throw failure
    },
    onProgress: (offset: number) => void (low = offset),
  }
  const isCreated = await settles(() => upload.create({ ...options, incoming: 'some' }))
  if (!isCreated) {
    await expectNothing(fixture, upload)
    return true
  }
  if (await settles(() => upload.append(dripping(data, 1000), options))) return false
  await upload.resume(data, { low })
  return true

  /** Makes a call. It must reject if a secret could not be saved. */
  async function settles(call: () => Promise<unknown>): Promise<boolean> {
    try {
      await call()
    } catch (error) {
      if (left >= 0) throw error
      return false
    }
    assert.ok(left >= 0, 'A call succeeded whose secret could not be saved')
    return true
  }
}

/** Asserts that a creation that failed has stored nothing, or nothing that stays. */
async function expectNothing(fixture: Fixture, upload: TestUpload): Promise<void> {
  const { dataStore } = fixture.slots
  const stat = () => dataStore.stat(upload.record, noAbort)
  const found = await unless('ERR_DATA_MISSING', stat)
  assert.equal(found?.offset ?? 0, 0, 'stat after a creation that failed')
  if (!fixture.has('terminator')) return
  await upload.terminate()
  await rejects(stat, 'ERR_DATA_MISSING', 'stat after terminate')
}
