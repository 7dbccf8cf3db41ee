import assert from 'node:assert/strict'
import type { ReadOptions } from '../../capabilities/call-options.js'
import type { StorageFault } from '../conformance-options.js'
import { type Case, cases } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { noAbort } from '../fixture/gate.js'
import { manyRecords } from '../fixture/many-records.js'
import { Outage } from '../fixture/outage.js'
import { unplugDuring } from '../fixture/unplug-during.js'
import type { Slots } from '../slots.js'

type List = (slots: Slots, options: ReadOptions) => AsyncIterable<string>

const [expiresAt, now] = ['2026-01-02T03:04:05.678Z', new Date('2026-03-01T00:00:00.000Z')]

/** Lists of records while the storage becomes unavailable: before the call, and in the middle. */
export const listFaultCases: readonly Case[] = [
  ...listing('expiryIndex', 'expired', 300, ({ expiryIndex }, options) =>
    expiryIndex.expired(now, options),
  ),
  ...listing('infoLister', 'ids', 1100, ({ infoLister }, options) => infoLister.ids(options)),
]

function listing(
  slot: 'expiryIndex' | 'infoLister',
  name: string,
  count: number,
  list: List,
): readonly Case[] {
  return [
    ...cases(
      slot,
      'listing-records',
      {
        [`${name} yields every id or rejects when the storage becomes unavailable`]: (fixture) =>
          everywhere(fixture, fixture.faults, count, list),
      },
      'unplug',
    ),
    ...cases(
      slot,
      'an-aborted-signal',
      {
        [`${name} settles when its signal aborts while the storage does not respond`]: (fixture) =>
          everywhere(fixture, ['paused'], count, list),
      },
      'paused',
    ),
  ]
}

/** Lists records with each fault, first a few of them, then more than fit on a page. */
async function everywhere(
  fixture: Fixture,
  faults: readonly StorageFault[],
  count: number,
  list: List,
): Promise<void> {
  const few = await manyRecords(fixture, 'a', 20, { expiresAt })
  await fixture.eachFault(faults, (fault) =>
    unplugDuring(fixture, fault, async (during) => {
      const found: string[] = []
      const work = async (options: ReadOptions) => {
        for await (const id of list(fixture.slots, options)) found.push(id)
      }
      if (await during(work)) assertComplete(found, few)
      await listsAll(fixture, few, list)
    }),
  )
  const all = [...few, ...(await manyRecords(fixture, 'b', count - few.length, { expiresAt }))]
  await fixture.eachFault(faults, async (fault) => {
    for (const yielded of [1, count / 2]) {
      const found: string[] = []
      const outage = new Outage(fixture, fault)
      const succeeded = await outage.settles(async () => {
        for await (const id of list(fixture.slots, { signal: outage.signal })) {
          if (found.push(id) === yielded) await outage.begin()
        }
      })
      await outage.end()
      if (succeeded) assertComplete(found, all)
      await listsAll(fixture, all, list)
    }
  })
}

/** Asserts after the end of a fault that each instance lists all ids. */
async function listsAll(fixture: Fixture, ids: readonly string[], list: List): Promise<void> {
  for (const slots of [fixture.slots, fixture.others]) {
    const found = await fixture.recovered(async () => {
      const yielded: string[] = []
      for await (const id of list(slots, noAbort)) yielded.push(id)
      return yielded
    })
    assertComplete(found, ids)
  }
}

function assertComplete(found: readonly string[], ids: readonly string[]): void {
  assert.equal(found.length, ids.length, 'The number of listed ids')
  assert.deepEqual(found.toSorted(), ids.toSorted())
}
