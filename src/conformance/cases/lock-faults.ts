import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { ReadOptions } from '../../capabilities/call-options.js'
import type { Lock } from '../../capabilities/locker.js'
import { cases } from '../case.js'
import type { StorageFault } from '../conformance-options.js'
import type { Fixture } from '../fixture/fixture.js'
import { started, turns } from '../fixture/gate.js'
import { letGo, proveAlone, taken, takenByAll } from '../fixture/locks.js'
import { Outage } from '../fixture/outage.js'
import { unplugDuring } from '../fixture/unplug-during.js'

const clause = 'writing-a-locker'

/** Locks while the storage becomes unavailable. */
export const lockFaultCases = [
  ...cases(
    'locker',
    clause,
    {
      'acquire gives no lock while the storage cannot be reached, and works again after that': (
        fixture,
      ) => fixture.eachFault(fixture.unreachable, (fault) => acquireFails(fixture, fault)),

      'settle never returns free while the storage cannot be reached': (fixture) =>
        fixture.eachFault(fixture.unreachable, (fault) => settleFails(fixture, fault)),
    },
    'unreachable',
  ),

  ...cases(
    'locker',
    clause,
    {
      'acquire ends with its signal while the storage does not respond': (fixture) =>
        acquireFails(fixture, 'paused'),

      'settle ends with its signal while the storage does not respond': (fixture) =>
        settleFails(fixture, 'paused'),
    },
    'paused',
  ),

  ...cases(
    'locker',
    clause,
    {
      async 'settle never returns free while the lock is held and the storage becomes unavailable'(
        fixture,
      ) {
        await fixture.eachFault(fixture.everyFault, (fault) =>
          unplugDuring(fixture, fault, settled, mayWait),
        )

        async function settled(during: During) {
          const id = fixture.newId()
          const lock = await acquireDeclining(fixture, id)
          const { locker } = fixture.others
          let result: unknown
          await during(async (options) => (result = await locker.settle(id, options)))
          assert.ok(result !== 'free' || !lock.held(), 'settle returned free, but the lock is held')
          await letGo(lock)
        }
      },
    },
    'unplug',
  ),

  ...cases(
    'locker',
    clause,
    {
      async 'a fault during acquire does not keep the lock from others, and never gives it to two'(
        fixture,
      ) {
        const ids: string[] = []
        await takenByAll(fixture, fixture.newId())
        await fixture.eachFault(fixture.everyFault, (fault) =>
          unplugDuring(fixture, fault, acquired, mayWait),
        )
        await Promise.all(ids.map((id) => takenByAll(fixture, id)))

        async function acquired(during: During) {
          const id = fixture.newId()
          ids.push(id)
          let lock: Lock | undefined
          await during(async (options) => (lock = await fixture.acquire(id, options)))
          if (lock) await proveAlone(fixture, id, lock)
        }
      },

      async 'tokens grow when the storage was unavailable'(fixture) {
        let last = -Infinity
        const next = async () => {
          for (const { locker } of [fixture.slots, fixture.others]) {
            const lock = await taken(fixture, 'a', locker)
            assert.ok(lock.token > last, `Tokens grow: ${lock.token} came after ${last}`)
            last = lock.token
            await letGo(lock)
          }
        }
        for (let count = 0; count < 3; count++) await next()
        await fixture.eachFault(fixture.everyFault, async (fault) => {
          const end = await fixture.unplug(fault)
          await end()
          await next()
        })
      },

      async 'release settles after a fault at the latest, and the lock becomes free'(fixture) {
        const ids: string[] = []
        await fixture.eachFault(fixture.everyFault, async (fault) => {
          for (const after of [undefined, 0, 1, 2, 4, 8]) {
            const id = fixture.newId()
            ids.push(id)
            const lock = await taken(fixture, id)
            const early = after === undefined ? await fixture.unplug(fault) : undefined
            const releasing = letGo(lock)
            await turns(after)
            const end = early ?? (await fixture.unplug(fault))
            await Promise.race([releasing, delay(fixture.patience / 10)])
            await end()
            await fixture.soon(releasing, 'release to settle after the end of a fault')
          }
        })
        await Promise.all(ids.map((id) => takenByAll(fixture, id)))
      },
    },
    'unplug',
    'lease',
  ),
]

/** Calls may also wait for the storage, until their signal aborts. */
const mayWait = true

type During = Parameters<Parameters<typeof unplugDuring>[2]>[0]

async function acquireFails(fixture: Fixture, fault: StorageFault): Promise<void> {
  // Locks that are in use: before that, their place may not exist.
  await takenByAll(fixture, fixture.newId())
  for (const { locker } of [fixture.slots, fixture.others]) {
    const call = (options: ReadOptions) => fixture.acquire(fixture.newId(), options, locker)
    const succeeded = await callDuring(fixture, fault, call)
    assert.ok(!succeeded, 'acquire gave a lock while it could not reach the storage')
    await letGo(await taken(fixture, fixture.newId(), locker))
  }
}

async function settleFails(fixture: Fixture, fault: StorageFault): Promise<void> {
  await takenByAll(fixture, fixture.newId())
  const held = fixture.newId()
  const lock = await acquireDeclining(fixture, held)
  for (const { locker } of [fixture.slots, fixture.others]) {
    for (const id of [held, fixture.newId()]) {
      let result: unknown
      const call = async (options: ReadOptions) => (result = await locker.settle(id, options))
      await callDuring(fixture, fault, call)
      assert.notEqual(result, 'free', 'The result of settle while it could not reach the storage')
    }
  }
  await letGo(lock)
}

/** Calls something while the storage is unavailable. Returns whether it succeeded. */
async function callDuring(
  fixture: Fixture,
  fault: StorageFault,
  call: (options: ReadOptions) => Promise<unknown>,
): Promise<boolean> {
  const outage = new Outage(fixture, fault, mayWait)
  await outage.begin()
  const succeeded = await outage.settles(() => started(call({ signal: outage.signal })))
  await outage.end()
  return succeeded
}

/** Takes a lock whose holder continues when a reader asks. */
function acquireDeclining(fixture: Fixture, id: string): Promise<Lock> {
  return fixture.acquire(id, { requestRelease: (requester) => requester === 'writer' })
}
