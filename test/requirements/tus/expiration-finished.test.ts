import { describe, expect, test } from 'vitest'
import { StoreComposer, type Upload } from 'tuskit'
import { LimitedStore, MemorySpaceCounter } from 'tuskit/limited-store'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  download,
  head,
  idOf,
  patch,
  post,
  remove,
  send,
  serve,
  stores,
  until,
} from '../../support/serve.js'
import { keptLog } from '../../support/stages.js'
import { draftOf, limitIn, versions } from '../ietf/draft.js'
import { concat, createFinal, createPartial } from './parts.js'

const hour = 3_600_000
const expiration = { finishedAfter: hour }
const gone = [404, 410]
const { signal } = new AbortController()

async function recordOf(composer: StoreComposer, url: string): Promise<Upload | undefined> {
  return composer.slots().infoStore!.get(idOf(url), { signal })
}

/** Moves the times of an upload into the past, as if it had been finished earlier. */
async function expire(composer: StoreComposer, url: string) {
  const upload = (await recordOf(composer, url))!
  expect(upload.expiresAt).toBeDefined()
  const expiresAt = new Date(Date.now() - 1).toISOString()
  const next = { ...upload, expiresAt, revision: upload.revision + 1 }
  await composer.slots().infoStore!.update(next, { signal })
}

async function finishedUpload(site: { readonly origin: string }): Promise<string> {
  const url = await createUpload(site, { 'upload-length': '5' })
  const reply = await patch(url, 0, 'hello')
  expect(reply.status).toBe(204)
  expect(reply.headers).not.toHaveProperty('upload-expires')
  return url
}

describe.each(stores)('a finished upload with finishedAfter ($store store)', ({ compose }) => {
  test('T-124 has all of finishedAfter from when its finish is recorded', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration })
    const unfinished = await createUpload(site)
    expect(await recordOf(composer, unfinished)).not.toHaveProperty('expiresAt')
    expect((await head(unfinished)).headers).not.toHaveProperty('upload-expires')
    const before = Date.now()
    const withBytes = await post(site, { 'upload-length': '5' }, 'hello')
    const empty = await createUpload(site, { 'upload-length': '0' })
    const urls = [await finishedUpload(site), site.origin + withBytes.headers.location, empty]
    for (const url of urls) {
      const record = await recordOf(composer, url)
      const expires = Date.parse(record!.expiresAt!)
      expect(record).toMatchObject({ state: { kind: 'finished' } })
      expect(expires).toBeGreaterThanOrEqual(before + hour)
      expect(expires).toBeLessThanOrEqual(Date.now() + hour)
      expect((await head(url)).headers).not.toHaveProperty('upload-expires')
    }
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(await download(urls[0]!)).toBe('hello')
  })

  test('T-124 is gone for every method once it expires, then data and record are removed', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration: { ...expiration, after: hour } })
    const url = await finishedUpload(site)
    const upload = (await recordOf(composer, url))!
    await expire(composer, url)
    const replies = [
      await head(url),
      await send({ method: 'GET', url }),
      await patch(url, 5, ''),
      await remove(url),
    ]
    for (const { status, headers } of replies) {
      expect(status).toBe(410)
      expect(headers).not.toHaveProperty('upload-offset')
    }
    await expect(site.handler.uploads.read(idOf(url))).rejects.toMatchObject({
      code: 'ERR_UPLOAD_GONE',
    })
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect(await recordOf(composer, url)).toBeUndefined()
    await expect(composer.slots().dataStore!.stat(upload, { signal })).rejects.toMatchObject({
      code: 'ERR_DATA_MISSING',
    })
    expect(await site.handler.uploads.removeExpired()).toBe(0)
  })

  test.each(versions)('T-124 is gone for draft clients too, version %s', async (version) => {
    const draft = draftOf(version)
    const composer = await compose()
    const site = await serve({ composer, expiration })
    const url = await draft.started(site, 'hello', { 'upload-length': '11' })
    expect((await draft.append(url, 5, ' world', draft.end)).headers).toMatchObject(draft.end)
    const reply = await draft.ask('HEAD', url)
    expect(limitIn(reply, 'max-age') ?? limitIn(reply, 'expires')).toBeUndefined()
    await expire(composer, url)
    expect((await draft.ask('HEAD', url)).status).toBeOneOf(gone)
    expect((await draft.append(url, 11, '', draft.more)).status).toBeOneOf(gone)
    expect((await send({ method: 'GET', url })).status).toBe(410)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect(await recordOf(composer, url)).toBeUndefined()
  })

  test('T-124 T-126 stays while an unfinished final upload needs it, but no new one may use it', async () => {
    const composer = await compose()
    const site = await serve({ composer, expiration })
    const part = await createPartial(site, 'hello')
    const other = await createUpload(site, { 'upload-length': '1', 'upload-concat': 'partial' })
    const final = await createFinal(site, part, other)
    await expire(composer, part)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect((await head(part)).headers['upload-offset']).toBe('5')
    expect((await patch(other, 0, '!')).status).toBe(204)
    await until(
      () => head(final),
      ({ headers }) => headers['upload-offset'] === '6',
    )
    expect(await download(final)).toBe('hello!')
    expect((await head(part)).status).toBe(410)
    expect((await concat(site, part)).text).toMatch(/^ERR_INVALID_CONCAT/)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    await expire(composer, final)
    expect((await head(final)).status).toBe(410)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
  })

  test('T-124 stays when it was finished, or finished without a record, before the option was set', async () => {
    const composer = await compose()
    const before = await serve({ composer, expiration: { after: hour } })
    const finished = await finishedUpload(before)
    const half = await createUpload(before, { 'upload-length': '5' })
    await expire(composer, finished)
    const site = await serve({ composer, expiration })
    const url = `${site.origin}/files/${idOf(half)}`
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    await expire(composer, half)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    for (const each of [finished, half]) {
      expect(await recordOf(composer, each)).not.toHaveProperty('expiresAt')
      expect(await download(`${site.origin}/files/${idOf(each)}`)).toBe('hello')
    }
  })

  test('T-124 stays when the option is turned off', async () => {
    const composer = await compose()
    const url = await finishedUpload(await serve({ composer, expiration }))
    await expire(composer, url)
    const site = await serve({ composer, expiration: { after: hour } })
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(await download(`${site.origin}/files/${idOf(url)}`)).toBe('hello')
  })

  test('T-124 is gone after an interrupted removal, and the next sweep removes it', async () => {
    const composer = await compose()
    const site = await serve({ composer: failingOnce(composer), expiration, logger: keptLog() })
    const url = await finishedUpload(site)
    await expire(composer, url)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(await recordOf(composer, url)).toMatchObject({ state: { kind: 'gone' } })
    expect((await head(url)).status).toBe(410)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect(await recordOf(composer, url)).toBeUndefined()
  })
})

test('T-124 a finished upload that expires releases its space', async () => {
  const composer = new StoreComposer()
  const counter = new MemorySpaceCounter()
  const [store, infoStore] = [new MemoryStore(), new MemoryInfoStore()]
  new LimitedStore({ limit: 11, counter, store, infoStore }).useIn(composer)
  const site = await serve({ composer, expiration })
  const url = await finishedUpload(site)
  expect(counter.used).toBe(5)
  await expire(composer, url)
  expect(await site.handler.uploads.removeExpired()).toBe(1)
  expect(counter.used).toBe(0)
})

test('T-120 the extension is not advertised when only finished uploads expire', async () => {
  const site = await serve({ expiration })
  const { headers } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  expect(headers['tus-extension']).not.toContain('expiration')
})

/** These stores, but the first removal of data fails, as if the process were killed there. */
function failingOnce(composer: StoreComposer): StoreComposer {
  const { dataStore, infoStore, expiryIndex, terminator } = composer.slots()
  let failed = false
  return new StoreComposer()
    .useDataStore(dataStore!)
    .useInfoStore(infoStore!)
    .useExpiryIndex(expiryIndex!)
    .useTerminator({
      async terminate(upload, options) {
        if (!failed) {
          failed = true
          throw new Error('The process was killed')
        }
        await terminator!.terminate(upload, options)
      },
    })
}
