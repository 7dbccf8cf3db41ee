import assert from 'node:assert/strict'
import type { ChangeOptions } from '../../capabilities/call-options.js'
import type { Upload } from '../../upload.js'
import { type Case, cases } from '../case.js'
import type { Clause } from '../clauses.js'
import type { StorageFault } from '../conformance-options.js'
import type { Fixture } from '../fixture/fixture.js'
import { noAbort } from '../fixture/gate.js'
import { made, proveRecord } from '../fixture/prove-record.js'
import { nextOf, recordAt } from '../fixture/records.js'
import { rejects } from '../fixture/rejects.js'
import { type FaultyCall, unplugDuring } from '../fixture/unplug-during.js'

/** Records while the storage becomes unavailable. */
export const recordFaultCases: readonly Case[] = [
  ...cases(
    'infoStore',
    'missing-or-unreachable',
    {
      async 'get rejects when it cannot reach the storage'(fixture) {
        const record = recordAt('a')
        await fixture.slots.infoStore.create(record, noAbort)
        await fixture.eachFault(fixture.unreachable, async (fault) => {
          const end = await fixture.unplug(fault)
          for (const { infoStore } of [fixture.slots, fixture.others]) {
            for (const id of ['a', 'missing']) {
              const what = `get of a record that ${id === 'a' ? 'is' : 'is not'} there`
              await rejects(() => infoStore.get(id, noAbort), 'ERR_STORAGE_UNAVAILABLE', what)
            }
          }
          await end()
          await proveRecord(fixture, `missing-${fault}`, [undefined])
          assert.deepEqual(await recordIn(fixture, 'a'), record)
        })
      },

      async 'create, update and delete reject when they cannot reach the storage'(fixture) {
        const { infoStore } = fixture.slots
        await fixture.eachFault(fixture.unreachable, async (fault) => {
          const record = recordAt(fault)
          await made(fixture, () => infoStore.create(record, noAbort))
          const [next, another] = [nextOf(record), recordAt(`new-${fault}`)]
          const end = await fixture.unplug(fault)
          for (const slots of [fixture.slots, fixture.others]) {
            for (const [name, change] of [
              ['create', () => slots.infoStore.create(another, noAbort)],
              ['update', () => slots.infoStore.update(next, noAbort)],
              ['delete', () => slots.infoStore.delete(fault, noAbort)],
            ] as const) {
              await rejects(change, 'ERR_STORAGE_UNAVAILABLE', name)
            }
          }
          await end()
          await proveRecord(fixture, another.id, [undefined, another])
          await proveRecord(fixture, record.id, [undefined, record, next])
        })
      },
    },
    'unreachable',
  ),

  ...failing('missing-or-unreachable', {
    name: 'get',
    promise: 'returns the record or rejects',
    attempt: gotten,
  }),
  ...failing('creating-and-updating-records', {
    name: 'create',
    promise: 'makes the whole record or rejects',
    attempt: created,
  }),
  ...failing('creating-and-updating-records', {
    name: 'update',
    promise: 'makes the whole revision or rejects',
    attempt: updated,
  }),
  ...failing('deleting-records', {
    name: 'delete',
    promise: 'reports only a removal that happened',
    attempt: deleted,
  }),
]

type Attempt = (fixture: Fixture, record: Upload, during: FaultyCall) => Promise<void>

function failing(
  clause: Clause,
  { name, promise, attempt }: { name: string; promise: string; attempt: Attempt },
): readonly Case[] {
  return [
    ...cases(
      'infoStore',
      clause,
      {
        [`${name} ${promise} when the storage becomes unavailable`]: (fixture) =>
          everywhere(fixture, fixture.faults, attempt),
      },
      'unplug',
    ),
    ...cases(
      'infoStore',
      'an-aborted-signal',
      {
        [`${name} settles when its signal aborts while the storage does not respond`]: (fixture) =>
          everywhere(fixture, ['paused'], attempt),
      },
      'paused',
    ),
  ]
}

/** Runs an attempt with each fault, which begins before the call and at several points of it. */
async function everywhere(
  fixture: Fixture,
  faults: readonly StorageFault[],
  attempt: Attempt,
): Promise<void> {
  const bystander = recordAt('bystander')
  await fixture.slots.infoStore.create(bystander, noAbort)
  let count = 0
  await fixture.eachFault(faults, (fault) =>
    unplugDuring(fixture, fault, (during) => attempt(fixture, largeRecord(++count), during)),
  )
  assert.deepEqual(await recordIn(fixture, 'bystander'), bystander)
}

async function gotten(fixture: Fixture, record: Upload, during: FaultyCall): Promise<void> {
  const { infoStore } = fixture.slots
  await made(fixture, () => infoStore.create(record, noAbort))
  let found: Upload | undefined = record
  await during(async (options) => (found = await infoStore.get(record.id, options)))
  assert.deepEqual(found, record, 'The result of get while the storage became unavailable')
  await proveRecord(fixture, record.id, [record])
}

async function created(fixture: Fixture, record: Upload, during: FaultyCall): Promise<void> {
  const create = (options: ChangeOptions) => fixture.slots.infoStore.create(record, options)
  const succeeded = await during(create)
  await proveRecord(fixture, record.id, succeeded ? [record] : [undefined, 'unreadable', record])
}

async function updated(fixture: Fixture, record: Upload, during: FaultyCall): Promise<void> {
  const { infoStore } = fixture.slots
  await made(fixture, () => infoStore.create(record, noAbort))
  const next = nextOf(record, { expiresAt: '2026-02-03T04:05:06.000Z' })
  const succeeded = await during((options) => infoStore.update(next, options))
  await proveRecord(fixture, record.id, succeeded ? [next] : [record, next])
}

async function deleted(fixture: Fixture, record: Upload, during: FaultyCall): Promise<void> {
  const { infoStore } = fixture.slots
  await made(fixture, () => infoStore.create(record, noAbort))
  const succeeded = await during((options) => infoStore.delete(record.id, options))
  await proveRecord(fixture, record.id, succeeded ? [undefined] : [record, undefined])
}

/** Returns a record that is written in several pieces. */
function largeRecord(count: number): Upload {
  const raw = `name ${Buffer.alloc(30_000, count).toString('base64')}`
  const { values } = recordAt('').metadata
  return recordAt(`u${count}`, { length: count, metadata: { raw, values } })
}

function recordIn(fixture: Fixture, id: string): Promise<Upload | undefined> {
  return fixture.recovered(() => fixture.slots.infoStore.get(id, noAbort))
}
