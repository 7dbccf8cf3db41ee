import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { StoreComposer, Upload } from 'tuskit'
import {
  createUpload,
  download,
  fileComposer,
  head,
  namesIn,
  openPatch,
  patch,
  remove,
  send,
  serve,
  stores,
  temporaryDirectory,
  tus,
  until,
  untilOffset,
} from '../../support/serve.js'
import { noAbort } from '../../support/stages.js'

const { signal } = new AbortController()
const partial = { 'upload-length': '5', 'upload-concat': 'partial' }

function recordOf(composer: StoreComposer, url: string): Promise<Upload | undefined> {
  return composer.slots().infoStore!.get(url.split('/').at(-1)!, noAbort)
}

/** Waits for the removal of the record. It comes last, maybe after the response. */
function untilForgotten(composer: StoreComposer, url: string) {
  return until(
    () => recordOf(composer, url),
    (upload) => upload === undefined,
  )
}

describe.each(stores)('DELETE ($store store)', ({ compose }) => {
  test('T-150 removes an upload, whether it is finished or not', async () => {
    const site = await serve({ composer: await compose() })
    for (const body of [undefined, 'hello', 'hello world']) {
      const url = await createUpload(site)
      if (body !== undefined) expect((await patch(url, 0, body)).status).toBe(204)
      const reply = await remove(url)
      expect([reply.status, reply.text]).toEqual([204, ''])
      expect(reply.headers).not.toHaveProperty('content-length')
    }
  })

  test('T-150 removes an upload of unknown length, and partial and final ones', async () => {
    const site = await serve({ composer: await compose() })
    const deferred = await createUpload(site, { 'upload-defer-length': '1' })
    const part = await createUpload(site, partial)
    await patch(part, 0, 'hello')
    const final = await createUpload(site, { 'upload-concat': `final;${part}` })
    for (const url of [deferred, part, final]) {
      expect((await remove(url)).status).toBe(204)
      expect([404, 410]).toContain((await head(url)).status)
    }
  })

  test('T-151 removes the data and the record', async () => {
    const composer = await compose()
    const site = await serve({ composer })
    const { dataStore } = composer.slots()
    for (const body of ['hello', 'hello world']) {
      const url = await createUpload(site)
      await patch(url, 0, body)
      const upload = (await recordOf(composer, url))!
      expect((await remove(url)).status).toBe(204)
      await expect(dataStore!.stat(upload, { signal })).rejects.toMatchObject({
        code: 'ERR_DATA_MISSING',
      })
      await untilForgotten(composer, url)
    }
  })

  test('T-152 leaves nothing to HEAD, PATCH, GET or another DELETE', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site)
    expect((await remove(url)).status).toBe(204)
    const replies = [
      await head(url),
      await patch(url, 0, 'hello'),
      await send({ method: 'GET', url }),
      await remove(url),
    ]
    for (const { status, headers } of replies) {
      expect([404, 410]).toContain(status)
      expect(headers).not.toHaveProperty('upload-offset')
    }
  })

  test('T-154 ends a PATCH, which does not bring the upload back', async () => {
    const composer = await compose()
    const site = await serve({ composer, takeoverAfter: 60_000 })
    const url = await createUpload(site)
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello')
    await untilOffset(url, 5)
    const upload = (await recordOf(composer, url))!
    expect((await remove(url)).status).toBe(204)
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    await untilForgotten(composer, url)
    expect((await head(url)).status).toBe(404)
    await expect(composer.slots().dataStore!.stat(upload, { signal })).rejects.toMatchObject({
      code: 'ERR_DATA_MISSING',
    })
  })

  test('T-154 one of several concurrent DELETEs succeeds', async () => {
    const site = await serve({ composer: await compose() })
    for (let round = 0; round < 5; round++) {
      const url = await createUpload(site)
      const replies = await Promise.all([remove(url), remove(url), remove(url)])
      const statuses = replies.map(({ status }) => status).sort((a, b) => a - b)
      expect(statuses[0]).toBe(204)
      for (const status of statuses.slice(1)) expect([404, 410]).toContain(status)
    }
  })

  test('T-155 gets 409 for a partial upload that an unfinished final one needs', async () => {
    const site = await serve({ composer: await compose() })
    const [one, two] = [await createUpload(site, partial), await createUpload(site, partial)]
    await patch(one, 0, 'hello')
    const final = await createUpload(site, { 'upload-concat': `final;${one} ${two}` })
    for (const url of [one, two]) {
      const reply = await remove(url)
      expect(reply.status).toBe(409)
      expect(reply.text).toMatch(/^ERR_UPLOAD_REFERENCED: .+\n$/)
    }
    await patch(two, 0, 'world')
    await untilOffset(final, 10)
    for (const url of [one, two]) expect((await remove(url)).status).toBe(204)
    expect(await download(final)).toBe('helloworld')
  })

  test('T-155 leaves the partial uploads of a final one, which can then be removed', async () => {
    const site = await serve({ composer: await compose() })
    const [one, two] = [await createUpload(site, partial), await createUpload(site, partial)]
    await patch(one, 0, 'hello')
    const finished = await createUpload(site, { 'upload-concat': `final;${one}` })
    const waiting = await createUpload(site, { 'upload-concat': `final;${one} ${two}` })
    for (const url of [finished, waiting]) expect((await remove(url)).status).toBe(204)
    expect((await head(one)).headers['upload-offset']).toBe('5')
    expect((await patch(two, 0, 'world')).status).toBe(204)
    for (const url of [one, two]) expect((await remove(url)).status).toBe(204)
  })

  test('T-156 ignores a body', async () => {
    const site = await serve({ composer: await compose() })
    const framings = [{ 'content-length': '100000' }, { 'transfer-encoding': 'chunked' }]
    for (const framing of framings) {
      const url = await createUpload(site)
      const headers = { ...tus, ...framing }
      const body = Buffer.alloc(100_000)
      expect((await send({ method: 'DELETE', url, headers, body })).status).toBe(204)
      expect([404, 410]).toContain((await head(url)).status)
    }
  })
})

test('T-151 DELETE leaves nothing on disk, not even of discarded chunks', async () => {
  const directory = await temporaryDirectory()
  const composer = fileComposer(directory)
  const site = await serve({ composer })
  const before = await namesIn(directory)
  const url = await createUpload(site)
  const digest = createHash('sha1').update('world').digest('base64')
  const headers = { 'upload-checksum': `sha1 ${digest}` }
  expect((await patch(url, 0, 'hello', headers)).status).toBe(460)
  expect((await patch(url, 0, 'world', headers)).status).toBe(204)
  expect((await remove(url)).status).toBe(204)
  await untilForgotten(composer, url)
  const id = url.split('/').at(-1)!
  const left = await namesIn(directory)
  expect(left.filter((name) => name.includes(id))).toEqual([])
  expect(left.length - before.length).toBeLessThanOrEqual(1)
})

test('T-153 DELETE of an id that never existed gets 404', async () => {
  const site = await serve()
  const reply = await remove(`${site.origin}/files/nothing`)
  expect(reply.status).toBe(404)
  expect(reply.text).toMatch(/^ERR_UPLOAD_NOT_FOUND: .+\n$/)
})

test('T-153 DELETE gets 405 when the extension is disabled, and is not advertised', async () => {
  const site = await serve({ disable: ['termination'] })
  const url = await createUpload(site)
  const reply = await remove(url)
  expect(reply.status).toBe(405)
  expect(reply.text).toMatch(/^ERR_METHOD_NOT_ALLOWED: .+\n$/)
  const allowed = (reply.headers.allow as string).split(', ')
  expect(allowed).toEqual(expect.arrayContaining(['HEAD', 'PATCH', 'OPTIONS']))
  expect(allowed).not.toContain('DELETE')
  expect((await head(url)).status).toBe(200)
  const options = await send({ method: 'OPTIONS', url })
  expect(options.headers['tus-extension']).not.toContain('termination')
})
