import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import type { Case, Runs } from '../case.js'
import { cases } from '../case.js'
import type { StorageFault } from '../conformance-options.js'
import type { Fixture } from '../fixture/fixture.js'
import { turns } from '../fixture/gate.js'
import { leavesNothingOpen } from '../fixture/open-handles.js'
import { Outage } from '../fixture/outage.js'
import { rejects } from '../fixture/rejects.js'
import { sample, TestBody } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'
import type { Requirement, SlotName } from '../slots.js'
import { finalOf, partials } from './concatenator.js'
import { finished, neverShort } from './read-faults.js'

const data = sample(3000)
const part = data.subarray(0, 1000)
const reason = new Error('Another holder has the lock')
const lost = { held: () => false }

/** Connections and file descriptors after calls that end in every way. */
export const openHandleCases: readonly Case[] = [
  ...open('dataStore', {
    'appends leave nothing open': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const upload = await fixture.created({ length: data.length })
        await upload.append(part)
        await upload.append(data.subarray(part.length))
        await upload.stat()
      }),

    'bodies that end early leave nothing open': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const upload = await fixture.created({ length: data.length })
        await upload.append(new TestBody([], data.length))
        await upload.append(new TestBody([[part]], data.length))
      }),

    'appends that are interrupted leave nothing open': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const aborted = await fixture.created({ length: data.length })
        const controller = new AbortController()
        const abort = interrupted(() => controller.abort(reason))
        await rejects(() => aborted.append(abort, { signal: controller.signal }), reason, 'append')
        const upload = await fixture.created({ length: data.length })
        let isHeld = true
        const lose = interrupted(() => (isHeld = false))
        await rejects(() => upload.append(lose, { held: () => isHeld }), 'ERR_LOCK_LOST', 'append')
      }),

    'calls that are refused leave nothing open': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const [upload, missing] = [await fixture.created(), fixture.upload()]
        await rejects(() => missing.stat(), 'ERR_DATA_MISSING', 'stat')
        await rejects(() => upload.create(), 'ERR_DATA_EXISTS', 'create')
        await rejects(() => missing.create(lost), 'ERR_LOCK_LOST', 'create')
        await rejects(() => upload.append(part, lost), 'ERR_LOCK_LOST', 'append')
        const signal = AbortSignal.abort(reason)
        await rejects(() => upload.append(part, { signal }), reason, 'append')
      }),
  }),

  ...open(
    'dataStore',
    {
      async 'calls that the storage fails leave nothing open'(fixture) {
        const upload = await fixture.created()
        await fixture.eachFault(fixture.faults, (fault) => {
          return leavesNothingOpen(fixture, () => failing(fixture, upload, fault), 1)
        })
      },
    },
    'unplug',
  ),

  ...open(
    'dataStore',
    {
      async 'calls that are aborted while the storage does not respond leave nothing open'(
        fixture,
      ) {
        const upload = await fixture.created()
        await leavesNothingOpen(fixture, () => failing(fixture, upload, 'paused'), 1)
      },
    },
    'paused',
  ),

  ...open('verifiedAppender', {
    'chunks leave nothing open, whether they are accepted or not': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const upload = await fixture.created({ length: data.length })
        await upload.appendVerified(part)
        await upload.appendVerified(part, async () => false)
        await upload.appendVerified(new TestBody([[part]], 2000), async () => false)
        const refuse = () => Promise.reject(reason)
        await rejects(() => upload.appendVerified(part, refuse), reason, 'appendVerified')
      }),
  }),

  ...open('finisher', {
    'finish leaves nothing open': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const upload = await fixture.created({ length: part.length })
        await upload.append(part)
        await rejects(() => upload.finish(lost), 'ERR_LOCK_LOST', 'finish')
        await upload.finish()
      }),
  }),

  ...open('terminator', {
    'terminate leaves nothing open': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const upload = await fixture.created({ length: data.length })
        await upload.append(part)
        await rejects(() => upload.terminate(lost), 'ERR_LOCK_LOST', 'terminate')
        await upload.terminate()
        await upload.terminate()
      }),
  }),

  ...open('concatenator', {
    'concatenate leaves nothing open': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const [one] = await partials(fixture, part)
        const final = await finalOf(fixture)
        const missing = fixture.upload({ length: 5 })
        await rejects(() => final.concatenate([one!, missing]), 'ERR_DATA_MISSING', 'concatenate')
        await rejects(() => final.concatenate([one!], lost), 'ERR_LOCK_LOST', 'concatenate')
        await final.concatenate([one!, one!])
      }),
  }),

  ...open('contentReader', {
    async 'downloads leave nothing open'(fixture) {
      const upload = await finished(fixture, data)
      const missing = fixture.upload({ length: data.length })
      await leavesNothingOpen(fixture, async () => {
        await buffer(await upload.content())
        await buffer(await upload.content({ range: { start: 1, end: 1000 } }))
        await rejects(() => missing.content(), 'ERR_DATA_MISSING', 'read')
      })
    },

    async 'downloads that stop early leave nothing open'(fixture) {
      const upload = await finished(fixture, long(fixture))
      await leavesNothingOpen(fixture, async () => {
        for (const isBegun of [false, true]) {
          const stream = await upload.content()
          if (isBegun) await once(stream, 'readable')
          const closed = once(stream, 'close')
          stream.destroy()
          await fixture.soon(closed, 'a destroyed stream to close')
        }
      })
    },
  }),

  ...open(
    'contentReader',
    {
      async 'downloads that the storage cuts leave nothing open'(fixture) {
        const bytes = long(fixture)
        const upload = await finished(fixture, bytes)
        await fixture.eachFault(fixture.faults, (fault) => {
          const round = async () => {
            let end = async () => {}
            await neverShort(upload, bytes, async () => void (end = await fixture.unplug(fault)))
            await end()
            await fixture.recovered(() => upload.stat())
          }
          return leavesNothingOpen(fixture, round, 1)
        })
      },
    },
    'unplug',
  ),
]

/** Names cases that count what is open. */
export function open(slot: SlotName, runs: Runs, ...more: readonly Requirement[]): readonly Case[] {
  return cases(slot, 'what-stays-open', runs, 'openHandles', ...more)
}

/** Makes a body in which something happens after the first bytes. */
function interrupted(interrupt: () => unknown): TestBody {
  async function* batches() {
    yield [part]
    await turns()
    interrupt()
    yield [part]
  }
  return new TestBody(batches(), data.length)
}

/** Makes each call of a data store during a fault. */
async function failing(fixture: Fixture, upload: TestUpload, fault: StorageFault): Promise<void> {
  const from = await upload.statOf(upload.slots)
  const outage = new Outage(fixture, fault)
  await outage.begin()
  const { signal } = outage
  const next = fixture.upload()
  await outage.settles(() => fixture.slots.dataStore.stat(upload.record, { signal }))
  await outage.settles(() => next.create({ signal }))
  await outage.settles(() => upload.append(part, { from, signal }))
  await outage.end(upload)
  await fixture.recovered(() => upload.statOf(upload.slots))
}

/** More than a stream reads ahead. */
function long({ slots }: Fixture): Buffer {
  return sample(Math.min(4 * 1024 * 1024, slots.dataStore.maxSize))
}
