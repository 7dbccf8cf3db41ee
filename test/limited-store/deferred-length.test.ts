import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { createUpload, download, head, offsetOf, openPatch, patch, post } from '../support/serve.js'
import { remove, untilOffset } from '../support/serve.js'
import { createOf, deferred, inners, serveLimited, storeWith, tryToCreate } from './limited.js'

function sha1(text: string) {
  return { 'upload-checksum': `sha1 ${createHash('sha1').update(text).digest('base64')}` }
}

describe.each(inners)('uploads without a length, in $medium', ({ open }) => {
  test('use space as their bytes arrive, and continue once there is space again', async () => {
    const site = await serveLimited(await open())
    const url = await createUpload(site, deferred)
    expect((await patch(url, 0, 'hello ')).status).toBe(204)
    expect(site.counter.used).toBe(6)
    const other = await createOf(site, 5)
    const refused = await patch(url, 6, 'world')
    expect(refused).toMatchObject({
      status: 507,
      headers: { 'upload-offset': '6' },
      text: expect.stringMatching(/^ERR_STORAGE_FULL/),
    })
    expect((await head(url)).headers['upload-offset']).toBe('6')
    expect(site.counter.used).toBe(11)
    await remove(other)
    expect((await patch(url, 6, 'world')).status).toBe(204)
    expect((await patch(url, 11, '', { 'upload-length': '11' })).status).toBe(204)
    expect(await download(url)).toBe('hello world')
    await remove(url)
    expect(site.counter.used).toBe(0)
  })

  test('keep the bytes that arrived before the space ran out', async () => {
    const site = await serveLimited(await open())
    const url = await createUpload(site, deferred)
    const { request, reply } = openPatch(url, 0, { 'transfer-encoding': 'chunked' })
    for (const offset of [5, 10]) {
      request.write('12345')
      await untilOffset(url, offset)
    }
    request.write('12345')
    expect(await reply).toMatchObject({ status: 507, headers: { 'upload-offset': '10' } })
    expect(await offsetOf(url)).toBe('10')
    expect(site.counter.used).toBe(10)
    request.destroy()
  })

  test('that race for the last bytes never exceed the limit together', async () => {
    const limit = 1_000_000
    const site = await serveLimited({ ...(await open()), limit })
    const urls = await Promise.all(Array.from({ length: 8 }, () => createUpload(site, deferred)))
    const data = Buffer.alloc(300_000, 'x')
    // A connection may be cut before its client has read the response to the excess.
    await Promise.allSettled(urls.map((url) => patch(url, 0, data)))
    const offsets = await Promise.all(urls.map(async (url) => Number(await offsetOf(url))))
    const sum = offsets.reduce((a, b) => a + b)
    expect(sum).toBeLessThanOrEqual(limit)
    expect(site.counter.used).toBe(sum)
  })

  test('use none for a chunk whose checksum is wrong, or that does not fit', async () => {
    const site = await serveLimited(await open())
    const url = await createUpload(site, deferred)
    expect((await patch(url, 0, 'hello', sha1('other'))).status).toBe(460)
    expect(site.counter.used).toBe(0)
    const refused = await patch(url, 0, 'more than fits', sha1('more than fits'))
    expect([refused.status, refused.headers['upload-offset']]).toEqual([507, '0'])
    expect(site.counter.used).toBe(0)
    expect((await patch(url, 0, 'hello world', sha1('hello world'))).status).toBe(204)
    expect(site.counter.used).toBe(11)
  })

  test('are refused at once, although a checksum needs the whole body', async () => {
    const site = await serveLimited(await open())
    const url = await createUpload(site, deferred)
    const { request, reply } = openPatch(url, 0, { 'content-length': '100', ...sha1('whatever') })
    request.write('more than fits')
    expect(await reply).toMatchObject({ status: 507, headers: { 'upload-offset': '0' } })
    expect(site.counter.used).toBe(0)
    request.destroy()
  })

  test('may be created with bytes', async () => {
    const site = await serveLimited(await open())
    const refused = await post(site, deferred, 'more than fits')
    expect(refused.status).toBe(507)
    expect(site.counter.used).toBe(0)
    expect((await post(site, deferred, 'hello world')).status).toBe(201)
    expect(site.counter.used).toBe(11)
    expect((await tryToCreate(site, 1)).status).toBe(507)
  })
})

test('a chunk that the storage fails to store uses space only for the stored part', async () => {
  const store = storeWith((inner) => ({
    async append(upload, from, body, options) {
      const batches = body[Symbol.asyncIterator]()
      const { value } = await batches.next()
      const first = { size: undefined, readable: () => Readable.from(value) }
      async function* one() {
        yield value
      }
      await inner.append(upload, from, { ...first, [Symbol.asyncIterator]: one }, options)
      // The second batch gets its space, and is lost.
      await batches.next()
      throw new Error('The disk is gone')
    },
  }))
  const site = await serveLimited({ store, infoStore: new MemoryInfoStore(), limit: 2_000_000 })
  const url = await createUpload(site, deferred)
  const { request, reply } = openPatch(url, 0, { 'transfer-encoding': 'chunked' })
  request.write('hello')
  await untilOffset(url, 5)
  request.end('world')
  expect((await reply).status).toBe(500)
  expect(site.counter.used).toBe(5)
})
