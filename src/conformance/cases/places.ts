import assert from 'node:assert/strict'
import type { Case } from '../case.js'
import { cases, concurrentCases } from '../case.js'
import type { Place } from '../conformance-options.js'
import type { Fixture } from '../fixture/fixture.js'
import { recordOf } from '../fixture/records.js'
import { rejects, unless } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

const data = sample(3000)

/** Terms that stores of files, objects and rows use for places. */
const usualTerms = ['path', 'key', 'name', 'file', 'folder', 'id']

/** Texts that are hardly a good place. */
const strange = [
  '',
  '.',
  '..',
  ' ',
  '\0',
  'CON',
  '%2e%2e%2fx',
  'e\u0301',
  '\u{1f600}',
  'x'.repeat(300),
]

/** Places that hooks request. */
export const placeCases: readonly Case[] = [
  ...cases(
    'dataStore',
    'places',
    {
      async 'locate rejects the bad places'(fixture) {
        const { good, bad } = fixture.places
        const refused: Place[] = [
          ...bad,
          ...good.map((place) => ({ ...place, 'no such term': 'x' })),
        ]
        if (good.length === 0) refused.push(...usualTerms.map((term) => ({ [term]: 'x' })))
        for (const place of refused) {
          const work = async () => fixture.slots.dataStore.locate({ ...recordOf('a'), place })
          await rejects(work, 'ERR_INVALID_PLACE', `locate with ${JSON.stringify(place)}`)
        }
      },
    },
    'places',
  ),

  ...cases(
    'dataStore',
    'places',
    {
      async 'uploads at different places stay separate'(fixture) {
        const places = [undefined, ...fixture.places.good]
        const uploads = places.map((place, i) => placed(fixture, place, 100 + i))
        for (const upload of uploads) await upload.create()
        for (const [i, upload] of uploads.entries()) await upload.append(sample(100 + i))
        for (const [i, upload] of uploads.entries()) await upload.expectContent(sample(100 + i))
      },

      async 'no place leads out of the storage'(fixture) {
        await eachTerm(fixture, async (_, text, at) => {
          for (const separator of ['/', '\\']) {
            const leads = async (prefix: string) => destination(fixture, at(prefix + text))
            const inside = [`.${separator}`, `x${separator}..${separator}`]
            const outside = [`..${separator}`.repeat(40), separator]
            const found = await Promise.all(inside.map(leads))
            // Otherwise the whole text is a name, without a meaning of its parts.
            if (!found.includes('there')) continue
            for (const prefix of outside) {
              const message = `${JSON.stringify(at(prefix + text))} leads out of the storage`
              assert.notEqual(await leads(prefix), 'elsewhere', message)
            }
          }
        })
      },

      async 'uploads at similar places stay separate'(fixture) {
        await eachTerm(fixture, async (upload, text, at) => {
          const similar = [
            ...['.', ' ', '/', '\0', '\0x', '/x', '.info', '.part', '\\x'].map((end) => text + end),
            ...[' ', './', 'x/../', '.'].map((start) => start + text),
            text.toUpperCase(),
            ...strange,
          ]
          const others: TestUpload[] = []
          for (const other of similar) {
            const made = await created(fixture, at(other), 100 + others.length)
            if (made === undefined) continue
            await made.append(sample(100 + others.length))
            others.push(made)
          }
          for (const [i, other] of others.entries()) await other.expectContent(sample(100 + i))
          await upload.expectContent(data)
        })
      },
    },
    'placing',
  ),

  ...concurrentCases(
    'dataStore',
    'creating',
    {
      async 'of several uploads at one place, create makes one'(fixture) {
        for (const place of fixture.places.good) {
          const uploads = Array.from({ length: 6 }, () => placed(fixture, place, data.length))
          const made = await Promise.all(
            uploads.map(async (upload, i) => {
              if (i % 2 > 0) upload.slots = fixture.others
              const create = () => upload.create().then(() => [upload])
              return (await unless('ERR_DATA_EXISTS', create)) ?? []
            }),
          )
          // A store can add the id to the place.
          const different = new Set(uploads.map(({ record }) => JSON.stringify(record.storage.at)))
          assert.equal(
            made.flat().length,
            different.size,
            'The number of uploads that create makes',
          )
          for (const upload of made.flat()) await upload.resume(data, { high: 0 })
        }
      },
    },
    'placing',
  ),
]

/** Makes an upload with a place and no data. */
function placed(fixture: Fixture, place: Place | undefined, length: number): TestUpload {
  return fixture.upload({ length, ...(place && { place }) })
}

/** Creates an upload at a place, unless the store refuses that. */
async function created(
  fixture: Fixture,
  place: Place,
  length: number,
): Promise<TestUpload | undefined> {
  const upload = await unless('ERR_INVALID_PLACE', () => placed(fixture, place, length))
  // The storage can have rules for names that the store does not know.
  return upload?.create().then(
    () => upload,
    () => undefined,
  )
}

/**
 * Stores uploads at all good places. Calls `attempt` for each text in a place, with the upload
 * there, and a function that returns the place with another text.
 */
async function eachTerm(
  fixture: Fixture,
  attempt: (upload: TestUpload, text: string, at: (text: string) => Place) => Promise<void>,
): Promise<void> {
  const { good } = fixture.places
  const uploads = good.map((place) => placed(fixture, place, data.length))
  for (const upload of uploads) {
    await upload.create()
    await upload.append(data)
  }
  for (const [i, place] of good.entries()) {
    for (const [term, text] of Object.entries(place)) {
      await attempt(uploads[i]!, text, (other) => ({ ...place, [term]: other }))
    }
  }
}

/** Returns whether a place leads to the data of an upload. Makes nothing. */
async function destination(
  fixture: Fixture,
  place: Place,
): Promise<'nowhere' | 'there' | 'elsewhere'> {
  const other = await unless('ERR_INVALID_PLACE', () => placed(fixture, place, data.length))
  if (other === undefined) return 'nowhere'
  const { offset } = await other.statOf(fixture.slots).catch(() => ({ offset: undefined }))
  return offset === data.length ? 'there' : 'elsewhere'
}
