import assert from 'node:assert/strict'
import type { InfoStore } from '../../capabilities/info-store.js'
import type { ErrorCode } from '../../error-codes.js'
import type { Upload } from '../../upload.js'
import { type Case, concurrentCases } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { noAbort, started, turns } from '../fixture/gate.js'
import { manyRecords } from '../fixture/many-records.js'
import { nextOf, recordAt } from '../fixture/records.js'
import { shows } from '../fixture/shows.js'
import type { Slots } from '../slots.js'

const [expiresAt, now] = ['2026-01-02T03:04:05.678Z', new Date('2026-03-01T00:00:00.000Z')]

/** How many turns of the event loop one change is ahead of another. */
const leads = [0, 1, 2, 3, 4, 6, 8, 12, 16]

/** Changes and lists of records at the same time. */
export const recordRaceCases: readonly Case[] = [
  ...concurrentCases('infoStore', 'creating-and-updating-records', {
    async 'create succeeds for one of many concurrent calls'(fixture) {
      const records = [1, 2, 3, 4, 5, 6, 7, 8].map((length) => recordAt('a', { length }))
      const work = records.map((record, i) => storeOf(fixture, i).create(record, noAbort))
      const winner = await onlyWinner(work, 'ERR_ID_TAKEN')
      await shows(fixture, 'a', records[winner])
    },

    async 'update succeeds for one of many concurrent calls'(fixture) {
      let record = recordAt('a')
      await fixture.slots.infoStore.create(record, noAbort)
      for (let round = 0; round < 5; round++) {
        const nexts = [1, 2, 3, 4, 5, 6, 7, 8].map((length) => nextOf(record, { length }))
        const work = nexts.map((next, i) => storeOf(fixture, i).update(next, noAbort))
        record = nexts[await onlyWinner(work, 'ERR_INFO_CONFLICT')]!
        await shows(fixture, 'a', record)
      }
    },

    async 'concurrent changes of different records do not affect each other'(fixture) {
      const ids = Array.from({ length: 40 }, (_, i) => `u${i}`)
      const work = ids.map(async (id, i) => {
        const [one, other] = [storeOf(fixture, i), storeOf(fixture, i + 1)]
        const record = recordAt(id, { length: i })
        await one.create(record, noAbort)
        assert.deepEqual(await other.get(id, noAbort), record)
        const next = nextOf(record, { expiresAt })
        await other.update(next, noAbort)
        assert.deepEqual(await one.get(id, noAbort), next)
        if (i % 4 === 3) await one.delete(id, noAbort)
        return i % 4 === 3 ? undefined : next
      })
      const records = await Promise.all(work)
      for (const [i, id] of ids.entries()) await shows(fixture, id, records[i])
    },
  }),

  ...concurrentCases('infoStore', 'deleting-records', {
    async 'update during a delete does not bring the record back'(fixture) {
      await eachLead(async (id, race) => {
        const record = recordAt(id)
        await fixture.slots.infoStore.create(record, noAbort)
        await race(
          () =>
            isDone(fixture.slots.infoStore.update(nextOf(record), noAbort), 'ERR_INFO_CONFLICT'),
          () => fixture.others.infoStore.delete(id, noAbort),
        )
        await shows(fixture, id, undefined)
      })
    },

    async 'create during a delete makes a record only in place of the old one'(fixture) {
      await eachLead(async (id, race) => {
        const created = await createDuringDelete(fixture, id, race)
        await shows(fixture, id, created)
      })
    },
  }),

  ...concurrentCases('infoLister', 'listing-records', {
    async 'ids yields each record once and in order while others come and go'(fixture) {
      const { infoStore } = fixture.others
      const ids = (await manyRecords(fixture, 'u', 1100)).sort()
      const found: string[] = []
      for await (const id of fixture.slots.infoLister.ids(noAbort)) {
        // Each of these moves the rest of the list to another position.
        if (found.push(id) % 7 === 1) await infoStore.delete(id, noAbort)
        if (found.length % 100 === 2) await infoStore.create(recordAt(`a${id}`), noAbort)
      }
      assert.equal(found.length, ids.length, 'The number of listed ids')
      assert.deepEqual(found, ids)
    },

    async 'ids yields a record that was created during a delete'(fixture) {
      await eachLead(async (id, race) => {
        if ((await createDuringDelete(fixture, id, race)) === undefined) return
        await lists(fixture, id, ({ infoLister }) => infoLister.ids(noAbort))
      })
    },
  }),

  ...concurrentCases('expiryIndex', 'listing-records', {
    async 'expired yields a record that was created during a delete'(fixture) {
      await eachLead(async (id, race) => {
        if ((await createDuringDelete(fixture, id, race)) === undefined) return
        await lists(fixture, id, ({ expiryIndex }) => expiryIndex.expired(now, noAbort))
      })
    },

    async 'expired yields a record whose expiry was set during another update'(fixture) {
      await eachLead(async (id, race) => {
        const record = recordAt(id, { expiresAt })
        await fixture.slots.infoStore.create(record, noAbort)
        let isCleared = false
        const clear = async () => {
          await fixture.slots.infoStore.update(nextOf(recordAt(id)), noAbort)
          isCleared = true
        }
        const set = async () => {
          const update = () => fixture.others.infoStore.update(nextOf(nextOf(record)), noAbort)
          while (!isCleared && !(await isDone(update(), 'ERR_INFO_CONFLICT'))) await turns(1)
          await isDone(update(), 'ERR_INFO_CONFLICT')
        }
        await race(clear, set)
        await lists(fixture, id, ({ expiryIndex }) => expiryIndex.expired(now, noAbort))
      })
    },
  }),
]

/** Alternates between the two instances. */
function storeOf({ slots, others }: Fixture, index: number): InfoStore {
  return index % 2 === 0 ? slots.infoStore : others.infoStore
}

/** Asserts that one call succeeds and all others are refused. Returns the index of that call. */
async function onlyWinner(
  work: readonly Promise<void>[],
  code: 'ERR_ID_TAKEN' | 'ERR_INFO_CONFLICT',
): Promise<number> {
  const outcomes = await Promise.all(work.map((one) => isDone(one, code)))
  assert.equal(outcomes.filter(Boolean).length, 1, 'One of the concurrent calls succeeds')
  return outcomes.indexOf(true)
}

/** Returns whether a change succeeded. A failure with another code fails the case. */
async function isDone(work: Promise<void>, code: ErrorCode): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    assert.equal((error as { code?: unknown })?.code, code, String(error))
    return false
  }
}

/** Runs two changes at the same time, and returns the result of the first. */
type Race = <T>(one: () => Promise<T>, other: () => Promise<unknown>) => Promise<T>

/** Runs an attempt for each lead that one of two changes can have. */
async function eachLead(attempt: (id: string, race: Race) => Promise<void>): Promise<void> {
  for (const [i, lead] of leads.entries()) {
    await attempt(`one-${i}`, async (one, other) => {
      const first = started(one())
      await turns(lead)
      await other()
      return first
    })
    await attempt(`other-${i}`, async (one, other) => {
      const first = started(other())
      await turns(lead)
      const result = await one()
      await first
      return result
    })
  }
}

/** Creates a record while an old one is deleted. Returns the record if that succeeded. */
async function createDuringDelete(
  { slots, others }: Fixture,
  id: string,
  race: Race,
): Promise<Upload | undefined> {
  const record = recordAt(id, { length: 7, expiresAt })
  await slots.infoStore.create(recordAt(id, { expiresAt }), noAbort)
  const succeeded = await race(
    () => isDone(slots.infoStore.create(record, noAbort), 'ERR_ID_TAKEN'),
    () => others.infoStore.delete(id, noAbort),
  )
  return succeeded ? record : undefined
}

/** Asserts that the lists of each instance have the id. */
async function lists(
  { slots, others }: Fixture,
  id: string,
  list: (slots: Slots) => AsyncIterable<string>,
): Promise<void> {
  for (const instance of [slots, others]) {
    const found: string[] = []
    for await (const one of list(instance)) found.push(one)
    assert.ok(found.includes(id), `The list has the id ${id} of a record that exists`)
  }
}
