import assert from 'node:assert/strict'
import { cases } from '../case.js'
import { recordOf } from '../fixture/records.js'
import { rejects } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'

/** Ids that a careless storage would mix up: prefixes of each other, or different only in case. */
export const nearIds = [
  ...['a', 'A', 'aa', 'a.b', 'a-b', 'a_b', 'a~b', 'a.info', 'a.part', 'a1', '-a', 'a+b', '+a'],
  // The longest that an id can be.
  ...['', 'b', 'c'].map((end) => `${'a'.repeat(199)}${end}`),
]

const hello = Buffer.from('hello world')

/** Places of data, and the data there. */
export const dataStoreCases = [
  ...cases('dataStore', 'lengths-and-sizes', {
    async 'maxSize is a number of bytes, or Infinity'({ slots }) {
      const { maxSize } = slots.dataStore
      assert.ok(maxSize === Infinity || (Number.isSafeInteger(maxSize) && maxSize > 0))
    },
  }),

  ...cases('dataStore', 'record-before-data', {
    async 'locate returns the same plain data for the same upload, and different data for each upload'(
      fixture,
    ) {
      const { dataStore } = fixture.slots
      const refs = nearIds.map((id) => dataStore.locate(recordOf(id)))
      for (const [i, ref] of refs.entries()) {
        assert.deepEqual(dataStore.locate(recordOf(nearIds[i]!)), ref)
        assert.deepEqual(fixture.others.dataStore.locate(recordOf(nearIds[i]!)), ref)
        assert.deepEqual(JSON.parse(JSON.stringify(ref)), ref, 'A StorageRef is plain data')
        assert.ok(typeof ref.kind === 'string' && ref.kind !== '')
        for (const value of Object.values(ref.at)) assert.equal(typeof value, 'string')
      }
      assert.equal(new Set(refs.map(({ at }) => JSON.stringify(at))).size, nearIds.length)
    },
  }),

  ...cases('dataStore', 'places', {
    async 'locate rejects a place that it does not understand'({ slots }) {
      const place = { 'unknown to every store': '../../etc/passwd' }
      const work = async () => slots.dataStore.locate({ ...recordOf('a'), place })
      await rejects(work, 'ERR_INVALID_PLACE', 'locate')
    },
  }),

  ...cases('dataStore', 'missing-or-unreachable', {
    async 'stat of missing data rejects with ERR_DATA_MISSING'(fixture) {
      const upload = fixture.upload()
      await rejects(() => upload.stat(), 'ERR_DATA_MISSING', 'stat')
      await fixture.created()
      await rejects(() => upload.stat(), 'ERR_DATA_MISSING', 'stat')
    },
  }),

  ...cases('dataStore', 'creating', {
    async 'create without append leaves 0 bytes'(fixture) {
      const upload = await fixture.created({ length: 0 })
      await upload.expectContent('')
      assert.equal((await upload.stat()).offset, 0)
    },

    async 'create rejects with ERR_DATA_EXISTS where data exists, and leaves it unchanged'(
      fixture,
    ) {
      const upload = await fixture.created({ length: 11 })
      await upload.append('hello ')
      await rejects(() => upload.create(), 'ERR_DATA_EXISTS', 'create')
      await upload.resume(hello, { low: 6, high: 6 })
    },

    async 'create rejects with ERR_DATA_EXISTS where an empty upload exists'(fixture) {
      const upload = await fixture.created()
      await rejects(() => upload.create(), 'ERR_DATA_EXISTS', 'create')
      await upload.resume(hello)
    },

    async 'all bytes can come with the creation'(fixture) {
      const upload = fixture.upload({ length: 11 })
      await upload.createWith(hello, { incoming: 'everything' })
      await upload.expectContent(hello)
    },

    async 'some bytes can come with the creation'(fixture) {
      const upload = fixture.upload({ length: 11 })
      await upload.createWith(hello.subarray(0, 4), { incoming: 'some' })
      await upload.resume(hello, { low: 4, high: 4 })
    },
  }),

  ...cases('dataStore', 'lengths-and-sizes', {
    async 'the length can be declared after the first bytes'(fixture) {
      const upload = await fixture.created()
      await upload.append('hello ')
      upload.record = { ...upload.record, revision: upload.record.revision + 1, length: 11 }
      await upload.append('world')
      await upload.expectContent(hello)
    },

    async 'the length can be declared after the last byte'(fixture) {
      const upload = fixture.upload()
      await upload.createWith('hello ', { incoming: 'some' })
      await upload.append('world')
      await upload.expectContent(hello)
    },
  }),

  ...cases('dataStore', 'places', {
    async 'uploads with similar ids stay separate'(fixture) {
      const uploads = nearIds.map((id, i) => fixture.upload({ id, length: i + 1 }))
      for (const upload of uploads) await upload.create()
      await Promise.all(uploads.map((upload, i) => upload.append(sample(i + 1))))
      for (const [i, upload] of uploads.entries()) await upload.expectContent(sample(i + 1))
    },
  }),

  ...cases(
    'dataStore',
    'bytes-are-the-truth',
    {
      async 'another instance continues where the first one ended'(fixture) {
        const upload = await fixture.created({ length: 11 })
        await upload.append('hello ')
        upload.slots = fixture.others
        await upload.resume(hello, { low: 6, high: 6 })
      },
    },
    'another',
  ),
]
