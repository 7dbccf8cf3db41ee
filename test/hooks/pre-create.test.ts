import { describe, expect, test } from 'vitest'
import type { Hooks, Metadata } from 'tuskit'
import {
  createUpload,
  download,
  fileComposer,
  head,
  idOf,
  memoryComposer,
  openPatch,
  post,
  send,
  serve,
  stores,
  temporaryDirectory,
  until,
} from '../support/serve.js'
import { keptLog, offsetOf } from '../support/stages.js'

describe('pre-create', () => {
  test('refuses, and no upload exists', async () => {
    const composer = memoryComposer()
    const site = await serve({
      composer,
      hooks: { preCreate: () => ({ reject: { status: 409, body: 'no more' } }) },
    })
    const reply = await post(site, { 'upload-length': '5' }, 'hello')
    expect([reply.status, reply.text, reply.headers.location]).toEqual([409, 'no more', undefined])
    const ids = composer.slots().infoLister!.ids({ signal: new AbortController().signal })
    expect(await ids[Symbol.asyncIterator]().next()).toMatchObject({ done: true })
  })

  test('chooses the response to a creation that succeeds', async () => {
    const response = {
      status: 200,
      headers: { 'x-quota': '7', Location: 'https://other.example/1', 'Upload-Offset': '9' },
      body: 'welcome',
    }
    const site = await serve({ hooks: { preCreate: () => ({ response }) }, maxSize: 100 })
    const created = await post(site, { 'upload-length': '5' })
    expect([created.status, created.text]).toEqual([200, 'welcome'])
    const { location } = created.headers
    expect(location).toMatch(/^\/files\/[^/]+$/)
    expect(created.headers).toMatchObject({ 'x-quota': '7', 'tus-resumable': '1.0.0' })
    const whole = await post(site, { 'upload-length': '5' }, 'hello')
    expect([whole.status, whole.headers['upload-offset']]).toEqual([200, '5'])
    expect((await head(site.origin + location)).status).toBe(200)
    // It is not the response to a creation that fails.
    expect((await post(site, { 'upload-length': '101' })).status).toBe(413)
  })

  test.each(['?0', '?1'])(
    'chooses the response in the draft, with Upload-Complete %s',
    async (is) => {
      const hooks = { preCreate: () => ({ response: { status: 202, body: 'welcome' } }) }
      const { origin } = await serve({ hooks })
      const headers = { 'upload-complete': is }
      const created = await send({ method: 'POST', url: `${origin}/files`, headers, body: 'hello' })
      expect([created.status, created.text]).toEqual([202, 'welcome'])
      expect(created.headers).toMatchObject({ 'upload-complete': is, 'upload-offset': '5' })
    },
  )

  test('lets preFinish replace the response, and the last one of several counts', async () => {
    const choosing = (body: string): Hooks => ({ preCreate: () => ({ response: { body } }) })
    const site = await serve({
      hooks: [
        choosing('first'),
        choosing('second'),
        { preFinish: () => ({ response: { body: 'finished' } }) },
      ],
    })
    expect((await post(site, { 'upload-length': '5' })).text).toBe('second')
    expect((await post(site, { 'upload-length': '5' }, 'hello')).text).toBe('finished')
  })

  test('fails with a response that is no success, and no upload exists', async () => {
    const preCreate = () => ({ id: 'a', response: { status: 403 } })
    const { handler, ...site } = await serve({ hooks: { preCreate }, logger: keptLog() })
    expect((await post(site, { 'upload-length': '5' })).status).toBe(500)
    await expect(handler.uploads.inspect('a')).rejects.toMatchObject({
      code: 'ERR_UPLOAD_NOT_FOUND',
    })
  })

  test('chooses id, metadata and place', async () => {
    const directory = await temporaryDirectory()
    const composer = fileComposer(directory)
    const site = await serve({
      composer,
      hooks: {
        preCreate: ({ upload }) => ({
          id: 'chosen',
          metadata: { ...upload.metadata.values, filename: 'ü.txt' },
          place: { path: 'by-user/7.bin' },
        }),
      },
    })
    const metadata = `owner ${Buffer.from('me').toString('base64')}`
    const headers = { 'upload-length': '5', 'upload-metadata': metadata }
    const reply = await post(site, headers, 'hello')
    expect(reply.headers.location).toBe('/files/chosen')
    const { upload } = await site.handler.uploads.inspect('chosen')
    expect({ ...upload.metadata.values }).toEqual({ owner: 'me', filename: 'ü.txt' })
    expect(upload.storage.at).toEqual({ path: 'by-user/7.bin' })
    expect(await download(`${site.origin}/files/chosen`)).toBe('hello')
    expect((await head(`${site.origin}/files/chosen`)).headers['upload-metadata']).toBe(
      `${metadata},filename ${Buffer.from('ü.txt').toString('base64')}`,
    )
  })

  test.each(stores)('chooses metadata without a prototype, $store store', async ({ compose }) => {
    const seen: Record<string, string>[] = []
    const metadata = JSON.parse('{ "__proto__": "a", "constructor": "b" }') as Record<
      string,
      string
    >
    const see = ({ upload }: { upload: { metadata: Metadata } }) =>
      void seen.push(upload.metadata.values)
    const site = await serve({
      composer: await compose(),
      hooks: { preCreate: () => ({ metadata }), postCreate: see, preFinish: see, postFinish: see },
    })
    const url = await createUpload(site, { 'upload-length': '0' })
    await until(
      async () => seen.length,
      (length) => length === 3,
    )
    seen.push((await site.handler.uploads.inspect(idOf(url))).upload.metadata.values)
    for (const values of seen) {
      expect(Object.getPrototypeOf(values)).toBeNull()
      expect(Object.isFrozen(values)).toBe(true)
      expect(Object.entries(values)).toEqual(Object.entries(metadata))
    }
  })

  test('gets 422 for an id that is taken, whose upload continues', async () => {
    const site = await serve({ idleTimeout: 60_000, hooks: { preCreate: () => ({ id: 'one' }) } })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    expect((await post(site, { 'upload-length': '10' })).status).toBe(422)
    request.end('world')
    expect((await reply).status).toBe(204)
  })

  test.each<[string, object, string]>([
    ['an invalid id', { id: '../x' }, 'ERR_INVALID_UPLOAD_ID'],
    ['a place that the store does not know', { place: { bucket: 'x' } }, 'ERR_INVALID_PLACE'],
    ['a place outside the store', { place: { path: '../secret' } }, 'ERR_INVALID_PLACE'],
  ])('gets 422 for %s, and the log has it', async (_, result, code) => {
    const log = keptLog()
    const composer = fileComposer(await temporaryDirectory())
    const site = await serve({ composer, logger: log, hooks: { preCreate: () => result } })
    const reply = await post(site, { 'upload-length': '1' })
    expect([reply.status, reply.text.split(':')[0]]).toEqual([422, code])
    expect(reply.text).not.toContain('secret')
    expect(log.lines).toMatchObject([{ level: 'info', fields: { code } }])
  })

  test.each<[string, object]>([
    ['an id that is not a string', { id: 7 }],
    ['a metadata key that cannot be sent', { metadata: { 'a b': 'c' } }],
    ['a metadata value that is not a string', { metadata: { a: 7 } }],
  ])('fails with %s', async (_, result) => {
    const log = keptLog()
    const composer = fileComposer(await temporaryDirectory())
    const site = await serve({ composer, logger: log, hooks: { preCreate: () => result } })
    const reply = await post(site, { 'upload-length': '1' })
    expect([reply.status, reply.text.split(':')[0]]).toEqual([500, 'ERR_HOOK_FAILED'])
    expect(log.lines).toMatchObject([{ level: 'error', fields: { code: 'ERR_HOOK_FAILED' } }])
  })
})
