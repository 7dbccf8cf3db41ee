import assert from 'node:assert/strict'
import type { Upload } from '../../upload.js'
import { cases } from '../case.js'
import { noAbort } from '../fixture/gate.js'
import { nextOf, recordAt } from '../fixture/records.js'
import type { Fixture } from '../fixture/fixture.js'
import { shows } from '../fixture/shows.js'

const now = Date.parse('2026-03-01T00:00:00.000Z')
const expiresAt = new Date(now - 1).toISOString()

/** Damaged records, and the records next to them. */
export const damagedRecordCases = [
  ...cases(
    'infoStore',
    'records-that-cannot-be-read',
    {
      async 'get of a damaged record rejects'(fixture) {
        await withDamage(fixture)
        await mustReject(fixture, 'b')
      },

      async 'a damaged record does not affect the others'(fixture) {
        const [a, , c] = await withDamage(fixture)
        const { infoStore } = fixture.slots
        await shows(fixture, 'a', a)
        await infoStore.update(nextOf(c), noAbort)
        await shows(fixture, 'c', nextOf(c))
        await infoStore.create(recordAt('d'), noAbort)
        await infoStore.delete('a', noAbort)
        await shows(fixture, 'a', undefined)
        await mustReject(fixture, 'b')
      },

      async 'update of a damaged record rejects and leaves it damaged'(fixture) {
        const [, b] = await withDamage(fixture)
        await assert.rejects(async () => fixture.slots.infoStore.update(nextOf(b), noAbort))
        await mustReject(fixture, 'b')
      },

      async 'create over a damaged record replaces it, or rejects and leaves it damaged'(fixture) {
        await withDamage(fixture)
        const record = recordAt('b', { length: 5 })
        const created = await fixture.slots.infoStore.create(record, noAbort).then(
          () => true,
          () => false,
        )
        if (created) await shows(fixture, 'b', record)
        else await mustReject(fixture, 'b')
      },

      async 'delete removes a damaged record'(fixture) {
        await withDamage(fixture)
        await fixture.slots.infoStore.delete('b', noAbort)
        await shows(fixture, 'b', undefined)
      },
    },
    'damage',
  ),

  ...cases(
    'expiryIndex',
    'records-that-cannot-be-read',
    {
      async 'expired yields the other records despite a damaged one'(fixture) {
        await withDamage(fixture)
        for (const { expiryIndex } of [fixture.slots, fixture.others]) {
          const ids = await collected(expiryIndex.expired(new Date(now), noAbort))
          // An index that knows its id may yield it.
          assert.deepEqual(ids.filter((id) => id !== 'b').sort(), ['a', 'c'])
        }
      },
    },
    'damage',
  ),

  ...cases(
    'infoLister',
    'records-that-cannot-be-read',
    {
      async 'ids yields the id of a damaged record among the others'(fixture) {
        await withDamage(fixture)
        for (const { infoLister } of [fixture.slots, fixture.others]) {
          assert.deepEqual(await collected(infoLister.ids(noAbort)), ['a', 'b', 'c'])
        }
      },
    },
    'damage',
  ),
]

/** Creates three records and damages the second. */
async function withDamage(fixture: Fixture): Promise<readonly [Upload, Upload, Upload]> {
  const records = [
    recordAt('a', { expiresAt }),
    recordAt('b', { expiresAt }),
    recordAt('c', { expiresAt }),
  ] as const
  for (const record of records) await fixture.slots.infoStore.create(record, noAbort)
  await fixture.damage('b')
  return records
}

/** Asserts that no instance reports a record that cannot be read as missing. */
async function mustReject({ slots, others }: Fixture, id: string): Promise<void> {
  for (const { infoStore } of [slots, others]) {
    await assert.rejects(
      async () => infoStore.get(id, noAbort),
      'get of a damaged record should reject',
    )
  }
}

async function collected(ids: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const id of ids) all.push(id)
  return all
}
