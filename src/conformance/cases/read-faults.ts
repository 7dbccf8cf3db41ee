import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { Case } from '../case.js'
import { cases } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { turns } from '../fixture/gate.js'
import { Outage, succeeds } from '../fixture/outage.js'
import { assertSame, readAllOrFail } from '../fixture/read-content.js'
import { rejects } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

const data = sample(3000)

/** More than sockets hold, so that a download does not end before a fault begins. */
const large = 16 * 1024 * 1024

/** Calls that read while the storage becomes unavailable. */
export const readFaultCases: readonly Case[] = [
  ...cases(
    'dataStore',
    'missing-or-unreachable',
    {
      async 'stat does not report missing data when it cannot reach the storage'(fixture) {
        const upload = await fixture.created()
        await upload.append(data)
        const missing = fixture.upload()
        await fixture.eachFault(fixture.unreachable, async (fault) => {
          const end = await fixture.unplug(fault)
          for (const slots of [fixture.slots, fixture.others]) {
            for (const one of [upload, missing]) {
              await rejects(() => one.statOf(slots), 'ERR_STORAGE_UNAVAILABLE', 'stat')
            }
          }
          await end()
          await expectStored(fixture, upload, missing)
        })
      },
    },
    'unreachable',
  ),

  ...cases(
    'dataStore',
    'missing-or-unreachable',
    {
      async 'stat returns the truth or rejects when the storage refuses, and recovers'(fixture) {
        const upload = await fixture.created()
        await upload.append(data)
        const missing = fixture.upload()
        await fixture.eachFault(fixture.faults, async (fault) => {
          const end = await fixture.unplug(fault)
          for (const slots of [fixture.slots, fixture.others]) {
            const stat = upload.statOf(slots)
            if (await succeeds(stat)) assert.equal((await stat).offset, data.length)
          }
          await end()
          await expectStored(fixture, upload, missing)
        })
      },
    },
    'unplug',
  ),

  ...cases(
    'dataStore',
    'an-aborted-signal',
    {
      async 'stat settles when its signal aborts while the storage does not respond'(fixture) {
        const upload = await fixture.created()
        await upload.append(data)
        const outage = new Outage(fixture, 'paused')
        await outage.begin()
        const { signal } = outage
        await outage.settles(() => fixture.slots.dataStore.stat(upload.record, { signal }))
        await outage.end()
        await expectStored(fixture, upload, fixture.upload())
      },
    },
    'paused',
  ),

  ...cases(
    'contentReader',
    'missing-or-unreachable',
    {
      async 'read does not report missing data when it cannot reach the storage'(fixture) {
        const upload = await finished(fixture, data)
        await fixture.eachFault(fixture.unreachable, async (fault) => {
          const end = await fixture.unplug(fault)
          for (const slots of fixture.instances) {
            for (const one of [upload, fixture.upload()]) {
              one.slots = slots
              await neverShort(one, data)
            }
          }
          await end()
          assertSame(await fixture.recovered(() => upload.bytes()), data)
        })
      },
    },
    'unreachable',
  ),

  ...cases(
    'contentReader',
    'reading',
    {
      async 'read delivers all bytes or fails when the storage becomes unavailable'(fixture) {
        const bytes = sample(Math.min(large, fixture.slots.dataStore.maxSize))
        const upload = await finished(fixture, bytes)
        await fixture.eachFault(fixture.faults, async (fault) => {
          let end = async () => {}
          await neverShort(upload, bytes, async () => {
            end = await fixture.unplug(fault)
          })
          await end()
          const range = { start: 10, end: 2009 }
          const again = () => fixture.recovered(() => upload.bytes(range))
          assertSame(await again(), bytes.subarray(10, 2010))
        })
      },
    },
    'unplug',
  ),

  ...cases(
    'contentReader',
    'an-aborted-signal',
    {
      async 'read settles when its signal aborts while the storage does not respond'(fixture) {
        const upload = await finished(fixture, data)
        const outage = new Outage(fixture, 'paused')
        await outage.begin()
        await outage.settles(async () => {
          const { signal } = outage
          const content = await fixture.slots.contentReader.read(upload.record, undefined, {
            signal,
          })
          if (content instanceof Readable) content.on('error', () => {}).destroy()
        })
        await outage.end()
        assertSame(await fixture.recovered(() => upload.bytes()), data)
      },
    },
    'paused',
  ),

  ...cases(
    'contentReader',
    'reading',
    {
      async 'a stream can be destroyed while the storage does not respond'(fixture) {
        const bytes = sample(Math.min(large, fixture.slots.dataStore.maxSize))
        const upload = await finished(fixture, bytes)
        const stream = await upload.content()
        await once(stream, 'readable')
        const end = await fixture.unplug('paused')
        const closed = once(
          stream.on('error', () => {}),
          'close',
        )
        // The stream begins to wait for the storage.
        stream.resume()
        await turns()
        stream.destroy()
        await fixture.soon(closed, 'a destroyed stream to close')
        await end()
        await neverShort(upload, bytes)
      },

      async 'read delivers all bytes or fails when the storage responds again'(fixture) {
        const bytes = sample(Math.min(large, fixture.slots.dataStore.maxSize))
        const upload = await finished(fixture, bytes)
        await neverShort(upload, bytes, async () => {
          const end = await fixture.unplug('paused')
          void turns().then(end)
        })
      },
    },
    'paused',
  ),
]

/** Stores and finishes an upload. */
export async function finished(fixture: Fixture, bytes: Buffer): Promise<TestUpload> {
  const upload = await fixture.created({ length: bytes.length })
  await upload.append(bytes)
  await upload.whole(bytes.length)
  return upload
}

/** Asserts that `stat` knows again which data is there. */
async function expectStored(
  fixture: Fixture,
  upload: TestUpload,
  missing: TestUpload,
): Promise<void> {
  const { offset } = await fixture.recovered(() => upload.stat())
  assert.equal(offset, data.length, 'stat after the end of a fault')
  const stat = () => fixture.recovered(() => missing.stat())
  await rejects(stat, 'ERR_DATA_MISSING', 'stat of missing data after the end of a fault')
}

/** Asserts that reading delivers exactly the expected bytes, or fails. */
export async function neverShort(
  upload: TestUpload,
  expected: Buffer,
  onFirst?: () => Promise<void>,
): Promise<void> {
  const reading = upload.content()
  if (await succeeds(reading)) await readAllOrFail(await reading, expected, onFirst)
}
