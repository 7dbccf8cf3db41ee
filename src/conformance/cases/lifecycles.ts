import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Case, Runs } from '../case.js'
import { cases } from '../case.js'
import type { StorageFault } from '../conformance-options.js'
import type { Fixture } from '../fixture/fixture.js'
import { noAbort, started, turns } from '../fixture/gate.js'
import { settledCount } from '../fixture/open-handles.js'
import { readAllOrFail } from '../fixture/read-content.js'
import { recordAt, recordOf } from '../fixture/records.js'
import { rejects } from '../fixture/rejects.js'
import { stallingBody } from '../fixture/stalling-body.js'
import { sample } from '../fixture/test-body.js'
import type { Requirement } from '../slots.js'

const data = sample(3000)
/** More than streams hold, so that a download does not end before the close. */
const large = 1024 * 1024

const requestRelease = () => true

/** Objects that are opened before they are used, and closed afterwards. */
export const lifecyclesCases: readonly Case[] = [
  ...opening({
    async 'everything works as soon as open has resolved'(fixture) {
      await fixture.open()
      await expectWorking(fixture)
    },

    async 'close settles, and so do the calls in progress'(fixture) {
      await fixture.open()
      const { calls, proceed } = await callsInProgress(fixture)
      const closing = started(fixture.shutFirst())
      await turns()
      // A close may wait for them.
      await proceed()
      await fixture.soon(closing, 'close')
      await fixture.soon(Promise.allSettled(calls), 'calls to settle that close found in progress')
    },
  }),

  ...opening(
    {
      async 'locate and maxSize work before open'(fixture) {
        const { dataStore } = fixture.slots
        assert.ok(dataStore.maxSize > 0, 'maxSize before open')
        const ref = dataStore.locate(recordOf('a'))
        await fixture.open()
        assert.deepEqual(dataStore.locate(recordOf('a')), ref, 'locate before and after open')
      },
    },
    'dataStore',
  ),

  ...opening(
    {
      async 'a download during close delivers all bytes or fails'(fixture) {
        await fixture.open()
        const bytes = sample(Math.min(large, fixture.slots.dataStore.maxSize))
        const upload = await fixture.created({ length: bytes.length })
        await upload.append(bytes)
        await upload.whole(bytes.length)
        let closing = Promise.resolve()
        const content = await upload.content()
        const reading = readAllOrFail(content, bytes, async () => {
          closing = started(fixture.shutFirst())
        })
        await fixture.soon(reading, 'the end of a download that close found in progress')
        await fixture.soon(closing, 'close')
      },
    },
    'contentReader',
  ),

  ...opening(
    {
      async 'the release of a lock settles after close'(fixture) {
        await fixture.open()
        const lock = await fixture.slots.locker.acquire('a', { ...noAbort, requestRelease })
        await fixture.shutFirst()
        await fixture.soon(Promise.allSettled([lock.release()]), 'a release after close')
      },
    },
    'locker',
  ),

  ...opening(
    {
      async 'open rejects while the storage is down, and works when it is called again'(fixture) {
        // First the one in which nothing can open.
        const faults: readonly StorageFault[] = ['down', 'gone', 'refused']
        await fixture.eachFault(
          faults.filter((fault) => fixture.faults.includes(fault)),
          async (fault) => {
            const end = await fixture.unplug(fault)
            const opening = started(fixture.open())
            if (fault === 'down') await rejects(() => opening, 'ERR_STORAGE_UNAVAILABLE', 'open')
            // Such a fault can also be a mistake in the configuration, or do no harm.
            else await opening.catch(() => {})
            await end()
          },
        )
        await fixture.recovered(() => fixture.open())
        await fixture.recovered(() => expectWorking(fixture))
      },
    },
    'unplug',
  ),

  ...opening(
    {
      async 'close leaves nothing open'(fixture) {
        const before = await fixture.openHandles()
        await fixture.open()
        await expectWorking(fixture)
        await fixture.shutFirst()
        const count = await settledCount(fixture, before)
        assert.ok(count <= before, `${before} handles were open before open, ${count} after close`)
      },
    },
    'openHandles',
  ).map((one) => ({ ...one, alone: true })),

  ...opening(
    {
      async 'close of one instance does not affect another'(fixture) {
        await fixture.open()
        await expectWorking(fixture)
        await fixture.shutFirst()
        await expectWorking(fixture, fixture.others)
      },
    },
    'another',
  ),
]

/** Names cases that open everything themselves. */
function opening(runs: Runs, ...more: readonly Requirement[]): readonly Case[] {
  return cases('lifecycles', 'opening-and-closing', runs, ...more).map((one) => {
    return { ...one, opened: false }
  })
}

/** Uses each slot of an instance that everything else depends on. */
async function expectWorking(fixture: Fixture, slots = fixture.slots): Promise<void> {
  const id = randomUUID()
  if (fixture.has('dataStore')) {
    const upload = fixture.upload({ id, length: data.length })
    upload.slots = slots
    await upload.create()
    await upload.append(data)
    await upload.expectContent(data)
  }
  if (fixture.has('infoStore')) {
    await slots.infoStore.create(recordAt(id), noAbort)
    assert.deepEqual(await slots.infoStore.get(id, noAbort), recordAt(id))
  }
  if (fixture.has('locker')) {
    const lock = await slots.locker.acquire(id, { ...noAbort, requestRelease })
    await lock.release()
  }
}

/** Starts calls of each slot. Some wait until `proceed` is called. */
async function callsInProgress(fixture: Fixture) {
  const { slots } = fixture
  const calls: Promise<unknown>[] = []
  const steps: (() => unknown)[] = []
  if (fixture.has('dataStore')) {
    const upload = await fixture.created({ length: data.length })
    const first = data.subarray(0, 1000)
    const { body, stalled, resume } = stallingBody(fixture, { first, size: data.length })
    const appending = started(upload.append(body))
    await stalled(appending)
    calls.push(appending, started(upload.statOf(slots)))
    steps.push(resume)
  }
  if (fixture.has('infoStore')) {
    calls.push(started(slots.infoStore.create(recordAt('a'), noAbort)))
    calls.push(started(slots.infoStore.get('b', noAbort)))
  }
  if (fixture.has('locker')) {
    const lock = await slots.locker.acquire('a', { ...noAbort, requestRelease })
    const waiting = slots.locker.acquire('a', { ...noAbort, requestRelease })
    calls.push(started(waiting.then((next) => next.release())))
    calls.push(started(slots.locker.settle('a', noAbort)))
    steps.push(() => lock.release())
  }
  const proceed = () => Promise.allSettled(steps.map(async (step) => step()))
  return { calls, proceed }
}
