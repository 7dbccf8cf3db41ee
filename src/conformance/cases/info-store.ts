import assert from 'node:assert/strict'
import type { ChangeOptions } from '../../capabilities/call-options.js'
import type { Upload } from '../../upload.js'
import { cases } from '../case.js'
import { nearIds } from './data-store.js'
import { noAbort, started, turns } from '../fixture/gate.js'
import { nextOf, recordAt, whole } from '../fixture/records.js'
import { rejects } from '../fixture/rejects.js'
import { shows } from '../fixture/shows.js'
import type { Slots } from '../slots.js'

/** Records. */
export const infoStoreCases = [
  ...cases('infoStore', 'getting-records', {
    async 'get returns undefined when there is no record'({ slots, others }) {
      await shows({ slots, others }, 'a', undefined)
      await slots.infoStore.create(recordAt('b'), noAbort)
      await shows({ slots, others }, 'a', undefined)
    },

    async 'get returns every member of a created record'({ slots, others }) {
      for (const record of whole) {
        await slots.infoStore.create(record, noAbort)
        for (const { infoStore } of [slots, others]) {
          const found = await infoStore.get(record.id, noAbort)
          assert.deepEqual(found, record, `The record ${record.id}`)
          const values = Object.getPrototypeOf(found!.metadata.values)
          assert.equal(values, null, 'metadata.values has no prototype, as parseUpload makes it')
        }
      }
    },
  }),

  ...cases('infoStore', 'creating-and-updating-records', {
    async 'create rejects with ERR_ID_TAKEN, and leaves the record unchanged'({ slots, others }) {
      const record = recordAt('a', { length: 1 })
      await slots.infoStore.create(record, noAbort)
      for (const { infoStore } of [slots, others]) {
        const work = () => infoStore.create(recordAt('a', { length: 2 }), noAbort)
        await rejects(work, 'ERR_ID_TAKEN', 'create')
        assert.deepEqual(await infoStore.get('a', noAbort), record)
      }
    },

    async 'update replaces the record with the next revision'({ slots, others }) {
      let record = recordAt('a', { length: 1 })
      await slots.infoStore.create(record, noAbort)
      for (const { infoStore } of [slots, slots, others, others, slots]) {
        // Members come and go, in updates of each instance.
        const { expiresAt, ...rest } = nextOf(record, { length: record.revision + 1 })
        record = expiresAt === undefined ? { ...rest, expiresAt: '2026-02-03T04:05:06.000Z' } : rest
        await infoStore.update(record, noAbort)
        await shows({ slots, others }, 'a', record)
      }
    },

    async 'update rejects with ERR_INFO_CONFLICT for any other revision'({ slots, others }) {
      const record = nextOf(recordAt('a'))
      await slots.infoStore.create(recordAt('a'), noAbort)
      await slots.infoStore.update(record, noAbort)
      for (const { infoStore } of [slots, others]) {
        for (const revision of [0, 1, 2, 4, 5]) {
          const stale = { ...record, revision, length: 99 }
          const work = () => infoStore.update(stale, noAbort)
          await rejects(work, 'ERR_INFO_CONFLICT', `update to revision ${revision}`)
        }
        await shows({ slots, others }, 'a', record)
      }
    },

    async 'update rejects with ERR_INFO_CONFLICT when there is no record'({ slots }) {
      for (const revision of [1, 2]) {
        const work = () => slots.infoStore.update(recordAt('a', { revision }), noAbort)
        await rejects(work, 'ERR_INFO_CONFLICT', 'update')
      }
      assert.equal(await slots.infoStore.get('a', noAbort), undefined)
    },
  }),

  ...cases('infoStore', 'creating-and-updating-records', {
    async 'update counts more revisions than a byte does'({ slots, others }) {
      let record = recordAt('a')
      await slots.infoStore.create(record, noAbort)
      while (record.revision < 260) {
        record = nextOf(record)
        await slots.infoStore.update(record, noAbort)
      }
      const stale = { ...record, revision: record.revision + 1 - 256, length: 99 }
      for (const { infoStore } of [slots, others]) {
        await rejects(() => infoStore.update(stale, noAbort), 'ERR_INFO_CONFLICT', 'update')
      }
      await shows({ slots, others }, 'a', record)
    },
  }),

  ...cases('infoStore', 'getting-records', {
    async 'get during updates returns one complete record after another'({ slots, others }) {
      const recordOf = (revision: number): Upload => {
        const raw = 'name '.padEnd(revision * 1000, 'A')
        return recordAt('a', { revision, metadata: { raw, values: recordAt('').metadata.values } })
      }
      await slots.infoStore.create(recordOf(1), noAbort)
      const updates = async () => {
        for (let revision = 2; revision <= 20; revision++) {
          await slots.infoStore.update(recordOf(revision), noAbort)
          await turns(1)
        }
      }
      let working = true
      const stop = () => void (working = false)
      const updating = started(updates())
      updating.then(stop, stop)
      const watch = async ({ infoStore }: Slots) => {
        let last = 1
        while (working) {
          const found = await infoStore.get('a', noAbort)
          assert.ok(found !== undefined && found.revision >= last, 'No record goes back or away')
          assert.deepEqual(found, recordOf(found.revision))
          last = found.revision
          await turns(1)
        }
      }
      await Promise.all([slots, others].map(watch))
      await updating
    },
  }),

  ...cases('infoStore', 'deleting-records', {
    async 'delete removes the record, and succeeds without one'({ slots, others }) {
      await slots.infoStore.delete('a', noAbort)
      const record = nextOf(recordAt('a'))
      await slots.infoStore.create(recordAt('a'), noAbort)
      await slots.infoStore.update(record, noAbort)
      await slots.infoStore.delete('a', noAbort)
      await others.infoStore.delete('a', noAbort)
      await shows({ slots, others }, 'a', undefined)
      await rejects(
        () => slots.infoStore.update(nextOf(record), noAbort),
        'ERR_INFO_CONFLICT',
        'update',
      )
      for (const { infoStore } of [others, slots]) {
        await infoStore.create(recordAt('a', { length: 7 }), noAbort)
        await shows({ slots, others }, 'a', recordAt('a', { length: 7 }))
        await infoStore.delete('a', noAbort)
        await shows({ slots, others }, 'a', undefined)
      }
    },
  }),

  ...cases('infoStore', 'an-aborted-signal', {
    async 'create, update and delete change nothing when their signal has aborted'(fixture) {
      const { infoStore } = fixture.slots
      const reason = new Error('Too late')
      const late = { signal: AbortSignal.abort(reason) }
      const record = recordAt('a')
      await infoStore.create(record, noAbort)
      await rejects(() => infoStore.create(recordAt('b'), late), reason, 'create')
      await rejects(() => infoStore.update(nextOf(record), late), reason, 'update')
      await rejects(() => infoStore.delete('a', late), reason, 'delete')
      await shows(fixture, 'a', record)
      await shows(fixture, 'b', undefined)
      await infoStore.create(recordAt('b'), noAbort)
    },

    async 'create, get, update and delete settle when their signal aborts during the call'(
      fixture,
    ) {
      const { infoStore } = fixture.slots
      const reason = new Error('Too late')
      const abandoned = async (call: (options: ChangeOptions) => Promise<unknown>) => {
        const controller = new AbortController()
        const work = started(call({ signal: controller.signal }))
        controller.abort(reason)
        const outcome = await fixture.soon(
          work.catch((error: unknown) => error),
          'a call whose signal has aborted',
        )
        // The change had happened by then, or not.
        return outcome === reason
      }
      const record = recordAt('a')
      if (await abandoned((options) => infoStore.create(record, options))) {
        await infoStore.delete('a', noAbort)
        await infoStore.create(record, noAbort)
      }
      await abandoned((options) => infoStore.get('a', options))
      await abandoned((options) => infoStore.update(nextOf(record), options))
      const found = await infoStore.get('a', noAbort)
      assert.ok(found?.revision === 1 || found?.revision === 2, 'One revision or the other')
      await infoStore.update(nextOf(found), noAbort)
      await abandoned((options) => infoStore.delete('a', options))
      await infoStore.delete('a', noAbort)
      assert.equal(await infoStore.get('a', noAbort), undefined)
    },
  }),

  ...cases('infoStore', 'getting-records', {
    async 'records with similar ids stay separate'({ slots, others }) {
      for (const [length, id] of nearIds.entries()) {
        await slots.infoStore.create(recordAt(id, { length }), noAbort)
      }
      await slots.infoStore.delete('a', noAbort)
      for (const [length, id] of nearIds.entries()) {
        const expected = id === 'a' ? undefined : recordAt(id, { length })
        await shows({ slots, others }, id, expected)
      }
    },
  }),
]
