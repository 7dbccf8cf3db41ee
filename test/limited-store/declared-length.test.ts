import { describe, expect, test } from 'vitest'
import { TusError } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'
import {
  createUpload,
  head,
  idOf,
  namesIn,
  openPatch,
  patch,
  remove,
  temporaryDirectory,
} from '../support/serve.js'
import { createOf, inFiles, inners, recordsOf, serveLimited } from './limited.js'
import { storeWith, tryToCreate } from './limited.js'
import { noAbort } from '../support/stages.js'

describe.each(inners)('uploads with a length, in $medium', ({ open }) => {
  test('use it from their creation to the last byte', async () => {
    const site = await serveLimited(await open())
    await createOf(site, 6)
    const last = await createOf(site, 5)
    const refused = await tryToCreate(site, 1)
    expect(refused).toMatchObject({ status: 507, text: expect.stringMatching(/^ERR_STORAGE_FULL/) })
    expect(refused.headers.location).toBeUndefined()
    expect(await recordsOf(site.composer)).toHaveLength(2)
    expect((await patch(last, 0, 'hello')).status).toBe(204)
    expect((await tryToCreate(site, 0)).status).toBe(201)
    expect(site.counter.used).toBe(11)
  })

  test('that are larger than the limit are refused', async () => {
    const site = await serveLimited(await open())
    expect((await tryToCreate(site, 12)).status).toBe(507)
    expect(site.counter.used).toBe(0)
  })

  test('that are created at the same moment never exceed the limit together', async () => {
    const site = await serveLimited({ ...(await open()), limit: 100 })
    const replies = await Promise.all(Array.from({ length: 30 }, () => tryToCreate(site, 9)))
    const statuses = replies.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(11)
    expect(statuses.filter((status) => status === 507)).toHaveLength(19)
    expect(site.counter.used).toBe(99)
    expect(await recordsOf(site.composer)).toHaveLength(11)
  })

  test('free it when they are terminated, once', async () => {
    const site = await serveLimited(await open())
    const [one] = [await createOf(site, 5), await createOf(site, 6)]
    expect((await remove(one)).status).toBe(204)
    expect((await remove(one)).status).toBe(404)
    expect(site.counter.used).toBe(6)
    expect((await tryToCreate(site, 6)).status).toBe(507)
    expect((await tryToCreate(site, 5)).status).toBe(201)
  })

  test('free it when they expire', async () => {
    const site = await serveLimited(await open(), { expiration: { after: 1 } })
    const url = await createOf(site, 11)
    const { infoStore } = site.composer.slots()
    const { expiresAt } = (await infoStore!.get(idOf(url), noAbort))!
    while (Date.now() < Date.parse(expiresAt!)) await new Promise(setImmediate)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect(site.counter.used).toBe(0)
    expect((await tryToCreate(site, 11)).status).toBe(201)
  })

  test('need no more than they have once they are rejected', async () => {
    const hooks = {
      postReceive: ({ offset }: { offset: number }) =>
        offset > 0 ? { stop: { status: 422 } } : undefined,
    }
    const site = await serveLimited(await open(), { hooks, progressInterval: 1 })
    const url = await createOf(site, 11)
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello')
    expect((await reply).status).toBe(422)
    expect(site.counter.used).toBe(5)
    expect((await tryToCreate(site, 6)).status).toBe(201)
  })

  test('that declare it later are refused while there is no space', async () => {
    const site = await serveLimited(await open())
    const url = await createUpload(site, { 'upload-defer-length': '1' })
    expect((await patch(url, 0, 'hello ')).status).toBe(204)
    const other = await createOf(site, 1)
    const refused = await patch(url, 6, 'wor', { 'upload-length': '11' })
    expect([refused.status, refused.headers['upload-offset']]).toEqual([507, '6'])
    await remove(other)
    expect((await patch(url, 6, 'wor', { 'upload-length': '11' })).status).toBe(204)
    expect(site.counter.used).toBe(11)
    expect((await patch(url, 9, 'ld')).headers['upload-offset']).toBe('11')
  })
})

test('a refused creation leaves no file', async () => {
  const directory = await temporaryDirectory()
  const site = await serveLimited(inFiles(directory))
  expect((await tryToCreate(site, 12)).status).toBe(507)
  expect(await namesIn(directory)).toEqual([])
})

// In the first failure the data is removed again; in the second one it belongs to another upload.
test.each([
  [500, new Error('The disk is gone')],
  [422, new TusError('ERR_DATA_EXISTS')],
])('a creation that fails frees its space: %s, %s', async (status, failure) => {
  let broken = true
  const store = storeWith((inner) => ({
    create: (upload, options) => (broken ? Promise.reject(failure) : inner.create(upload, options)),
  }))
  const site = await serveLimited({ store, infoStore: new MemoryInfoStore() })
  expect((await tryToCreate(site, 11)).status).toBe(status)
  expect(site.counter.used).toBe(0)
  broken = false
  const url = await createOf(site, 11)
  expect((await head(url)).headers['upload-offset']).toBe('0')
})
