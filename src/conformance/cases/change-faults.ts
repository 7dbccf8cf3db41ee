import assert from 'node:assert/strict'
import type { Case } from '../case.js'
import { cases } from '../case.js'
import type { Clause } from '../clauses.js'
import type { Fixture } from '../fixture/fixture.js'
import { type FaultyTurn, proveTrue, unplugEverywhere } from '../fixture/outage.js'
import { isMissing, rejects } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'
import type { SlotName } from '../slots.js'
import { finalOf, partials } from './concatenator.js'

const data = sample(3000)
const [one, two] = [sample(1000), Buffer.from('the second part')] as const

type Attempt = (fixture: Fixture, turn: FaultyTurn) => Promise<void>

/**
 * Changes while the storage becomes unavailable: before the call, and at each check of the lock.
 */
export const changeFaultCases: readonly Case[] = [
  ...changing('dataStore', 'missing-or-unreachable', {
    name: 'create',
    promise: 'create makes an upload or rejects, and blocks no other upload',
    attempt: created,
  }),
  ...changing('terminator', 'terminating', {
    name: 'terminate',
    promise: 'terminate reports only a removal that happened',
    attempt: terminated,
  }),
  ...changing('concatenator', 'concatenating', {
    name: 'concatenate',
    promise: 'concatenate makes the whole upload or rejects, and can be repeated',
    attempt: concatenated,
  }),
  ...changing('finisher', 'finishing', {
    name: 'finish',
    promise: 'finish loses no byte, and can be repeated',
    attempt: finished,
  }),
]

function changing(
  slot: SlotName,
  clause: Clause,
  { name, promise, attempt }: { name: string; promise: string; attempt: Attempt },
): readonly Case[] {
  return [
    ...cases(
      slot,
      clause,
      {
        [`${promise}, when the storage becomes unavailable`]: (fixture) =>
          fixture.eachFault(fixture.faults, (fault) =>
            unplugEverywhere(fixture, fault, (turn) => attempt(fixture, turn)),
          ),
      },
      'unplug',
    ),
    ...cases(
      slot,
      'an-aborted-signal',
      {
        [`${name} settles when its signal aborts while the storage does not respond`]: (fixture) =>
          unplugEverywhere(fixture, 'paused', (turn) => attempt(fixture, turn)),
      },
      'paused',
    ),
  ]
}

async function created(fixture: Fixture, turn: FaultyTurn): Promise<void> {
  // A storage that is in use: before that, its place may not exist.
  await fixture.created()
  const upload = fixture.upload({ length: data.length })
  const succeeded = await turn(upload, (options) => upload.create(options))
  const exists = await fixture.recovered(() =>
    upload.statOf(fixture.others).then(() => true, isMissing),
  )
  assert.ok(exists || !succeeded, 'create made an upload, which is missing after the fault')
  if (exists) await proveTrue(fixture, upload, data, { high: succeeded ? 0 : data.length })
  else if (fixture.has('terminator')) await fixture.recovered(() => upload.terminate())
  const next = await fixture.recovered(() => fixture.created({ length: data.length }))
  await proveTrue(fixture, next, data, { high: 0 })
}

async function terminated(fixture: Fixture, turn: FaultyTurn): Promise<void> {
  const upload = await fixture.created({ length: data.length })
  await upload.append(data.subarray(0, 1000))
  const succeeded = await turn(upload, (options) => upload.terminate(options))
  if (!succeeded) await fixture.recovered(() => upload.terminate({ forced: true }))
  const stat = () => fixture.recovered(() => upload.stat())
  await rejects(stat, 'ERR_DATA_MISSING', 'stat after terminate')
}

async function concatenated(fixture: Fixture, turn: FaultyTurn): Promise<void> {
  const parts = await partials(fixture, one, two)
  const final = await finalOf(fixture)
  const succeeded = await turn(final, (options) => final.concatenate(parts, options))
  if (!succeeded) await fixture.recovered(() => final.concatenate(parts, { forced: true }))
  await fixture.recovered(() => final.expectContent(Buffer.concat([one, two])))
  await fixture.recovered(() => parts[0]!.expectContent(one))
}

async function finished(fixture: Fixture, turn: FaultyTurn): Promise<void> {
  const upload = await fixture.created({ length: data.length })
  await upload.append(data)
  const from = await upload.statOf(upload.slots)
  await turn(upload, (options) => upload.finish({ ...options, from }))
  const { offset } = await fixture.recovered(() => upload.stat())
  assert.equal(offset, data.length, 'stat after a finish that the storage interrupted')
  await fixture.recovered(() => upload.expectContent(data))
}
