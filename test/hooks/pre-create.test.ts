import { describe, expect, test } from 'vitest'
import type { Metadata } from 'tuskit'
import {
  createUpload,
  download,
  fileComposer,
  head,
  idOf,
  memoryComposer,
  openPatch,
  post,
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
