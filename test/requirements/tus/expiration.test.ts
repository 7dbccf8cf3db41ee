import { describe, expect, test } from 'vitest'
import type { StoreComposer } from 'tuskit'
import {
  createUpload,
  download,
  head,
  memoryComposer,
  openPatch,
  patch,
  post,
  remove,
  send,
  serve,
  stores,
  until,
  untilOffset,
} from '../../support/serve.js'
import { noAbort } from '../../support/stages.js'

const hour = 3_600_000
const imfFixdate =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/

/** Sets when an upload expires, relative to now, as if it had been created earlier. */
async function expireIn(composer: StoreComposer, url: string, milliseconds: number) {
  const { infoStore } = composer.slots()
  const upload = (await infoStore!.get(url.split('/').at(-1)!, noAbort))!
  const expiresAt = new Date(Date.now() + milliseconds).toISOString()
  await infoStore!.update({ ...upload, expiresAt, revision: upload.revision + 1 }, noAbort)
}

function untilGone(url: string) {
  return until(
    () => head(url),
    ({ status }) => status !== 200,
  )
}

describe.each(stores)('an upload that expires ($store store)', ({ compose }) => {
  test('T-120 T-121 POST, PATCH and HEAD report when, as an HTTP date', async () => {
    const before = Math.floor(Date.now() / 1000) * 1000
    const site = await serve({ composer: await compose(), expiration: { after: hour } })
    const created = await post(site, { 'upload-length': '11' })
    const withBytes = await post(site, { 'upload-length': '11' }, 'hello')
    const url = site.origin + created.headers.location
    const replies = [created, withBytes, await patch(url, 0, 'hello'), await head(url)]
    for (const { headers } of replies) {
      expect(headers['upload-expires']).toMatch(imfFixdate)
      const expires = Date.parse(headers['upload-expires'] as string)
      expect(expires).toBeGreaterThanOrEqual(before + hour)
      expect(expires).toBeLessThanOrEqual(Date.now() + hour)
    }
  })

  test('T-120 a refused PATCH reports it too', async () => {
    const site = await serve({ composer: await compose(), expiration: { after: hour } })
    const url = await createUpload(site)
    const sha1 = Buffer.alloc(20).toString('base64')
    const replies = [
      await patch(url, 3, 'hello'),
      await patch(url, 0, 'hello', { 'upload-checksum': `sha1 ${sha1}` }),
      await patch(url, 0, 'hello world!'),
    ]
    expect(replies.map(({ status }) => status)).toEqual([409, 460, 413])
    for (const { headers } of replies) expect(headers['upload-expires']).toMatch(imfFixdate)
  })

  test('T-122 gets the whole time again when less than half of it is left', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration: { after: hour } })
    const url = await createUpload(site)
    await expireIn(composer, url, hour / 3)
    const { headers } = await patch(url, 0, 'hello')
    expect(Date.parse(headers['upload-expires'] as string)).toBeGreaterThan(Date.now() + hour / 2)
    expect((await head(url)).headers['upload-expires']).toBe(headers['upload-expires'])
  })

  test('T-123 is gone for every method as soon as it expires, before the cleaner runs', async () => {
    const site = await serve({ composer: await compose(), expiration: { after: 1 } })
    const url = await createUpload(site)
    const replies = [
      await untilGone(url),
      await patch(url, 0, 'hello'),
      await remove(url),
      await head(url),
    ]
    for (const { status, headers } of replies) {
      expect(status).toBe(410)
      expect(headers).not.toHaveProperty('upload-offset')
      expect(headers).not.toHaveProperty('upload-expires')
    }
  })

  test('T-123 is removed by the cleaner, data and record', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration: { after: 1 } })
    const url = await createUpload(site)
    await untilGone(url)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect([404, 410]).toContain((await head(url)).status)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
  })

  test('T-123 is removed by the timer', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration: { after: 1, sweepEvery: 5 } })
    const url = await createUpload(site)
    const record = () => composer.slots().infoStore!.get(url.split('/').at(-1)!, noAbort)
    expect(await until(record, (upload) => upload === undefined)).toBeUndefined()
  })

  test('T-124 does not expire once it is finished', async () => {
    const composer = await compose()
    for (const hooks of [{}, { preFinish: () => {} }]) {
      const site = await serve({ composer, expiration: { after: hour }, hooks })
      const url = await createUpload(site)
      const last = await patch(url, 0, 'hello world')
      expect([last.status, last.headers['upload-expires']]).toEqual([204, undefined])
      const whole = await post(site, { 'upload-length': '5' }, 'whole')
      expect([whole.status, whole.headers['upload-expires']]).toEqual([201, undefined])
      await expireIn(composer, url, -1)
      await site.handler.uploads.removeExpired()
      const { status, headers } = await head(url)
      expect([status, headers['upload-offset']]).toEqual([200, '11'])
      expect(headers).not.toHaveProperty('upload-expires')
      expect(await download(url)).toBe('hello world')
      const refused = await patch(url, 3, 'x')
      expect([refused.status, refused.headers['upload-expires']]).toEqual([409, undefined])
    }
  })

  test('T-125 is not removed during a request, which may finish', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration: { after: hour }, takeoverAfter: hour })
    const url = await createUpload(site)
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello')
    await untilOffset(url, 5)
    await expireIn(composer, url, -1)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    request.end(' world')
    expect((await reply).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-126 does not expire while an unfinished final upload needs it', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration: { after: hour } })
    const url = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
    const final = await createUpload(site, { 'upload-concat': `final;${url}` })
    await expireIn(composer, url, -1)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect((await head(url)).status).toBe(200)
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    await untilOffset(final, 5)
    expect(await download(final)).toBe('hello')
  })

  test('T-126 expires with the final upload that needed it', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration: { after: hour } })
    const url = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
    const final = await createUpload(site, { 'upload-concat': `final;${url}` })
    await expireIn(composer, url, -1)
    await expireIn(composer, final, -1)
    expect((await head(final)).status).toBe(410)
    const removed = await site.handler.uploads.removeExpired()
    expect(removed + (await site.handler.uploads.removeExpired())).toBe(2)
    expect([404, 410]).toContain((await head(url)).status)
  })

  test('T-123 T-171 a final upload cannot bring it back', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration: { after: hour } })
    const url = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
    await expireIn(composer, url, -1)
    expect((await head(url)).status).toBe(410)
    expect((await post(site, { 'upload-concat': `final;${url}` })).status).toBe(400)
    expect((await head(url)).status).toBe(410)
  })
})

describe('T-122 a PATCH that ends when less than half of the time is left', () => {
  const after = 3_000

  async function start() {
    const composer = memoryComposer()
    const site = await serve({ composer, expiration: { after }, takeoverAfter: hour })
    const url = await createUpload(site)
    const { request, reply } = openPatch(url, 0, { 'content-length': '5' })
    request.write('hell')
    const { headers } = await untilOffset(url, 4)
    const expires = Date.parse(headers['upload-expires'] as string)
    await until(
      async () => Date.now(),
      (now) => now > expires + 1000 - after / 2,
    )
    const id = url.split('/').at(-1)!
    const untilPostponed = () =>
      until(
        async () => Date.parse((await composer.slots().infoStore!.get(id, noAbort))!.expiresAt!),
        (time) => time >= expires + after / 2,
      )
    return { request, reply, expires, untilPostponed }
  }

  test('gets a later time', async () => {
    const { request, reply, expires } = await start()
    request.end('o')
    const { status, headers } = await reply
    expect(status).toBe(204)
    expect(Date.parse(headers['upload-expires'] as string)).toBeGreaterThan(expires)
  })

  test('gives the upload more time even when it is cut off', async () => {
    const { request, expires, untilPostponed } = await start()
    request.destroy()
    expect(await untilPostponed()).toBeGreaterThan(expires)
  })
})

test('T-120 the extension is advertised only when uploads expire', async () => {
  const [expiring, lasting] = [await serve({ expiration: { after: hour } }), await serve()]
  const extensions = async (origin: string) =>
    (await send({ method: 'OPTIONS', url: `${origin}/files` })).headers['tus-extension']
  expect(await extensions(expiring.origin)).toContain('expiration')
  expect(await extensions(lasting.origin)).not.toContain('expiration')
  const url = await createUpload(lasting)
  for (const { headers } of [await patch(url, 0, 'hello'), await head(url)]) {
    expect(headers).not.toHaveProperty('upload-expires')
  }
})
