import { describe, expect, test } from 'vitest'
import type { HandlerOptions } from 'tuskit'
import { download, openRequest, send, serve, stores } from '../serve.js'
import {
  append,
  ask,
  chunked,
  create,
  creation,
  end,
  more,
  named,
  problemIn,
  stateOf,
  urlIn,
  versions,
} from './draft.js'
import { silent } from './silent.js'

const methods = ['POST', 'PUT', 'PATCH']
const each = methods.flatMap((method) => versions.map((version) => ({ method, version })))

describe.each(stores)('$store store', ({ compose }) => {
  test.each(each)(
    'R-020 R-022 $method brings a whole representation, version $version',
    async ({ method, version }) => {
      const site = await serve({ composer: await compose() })
      const reply = await send({ ...creation(site, version, 'hello', end(version)), method })
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ ...end(version), 'upload-offset': '5' })
      const url = urlIn(reply, site)
      expect(await download(url)).toBe('hello')
      expect(await stateOf(url, version)).toMatchObject({ ...end(version), 'upload-length': '5' })
    },
  )

  test.each(each)(
    'R-020 R-023 $method brings a part, version $version: 201 with Location and Upload-Limit',
    async ({ method, version }) => {
      const site = await serve({ composer: await compose(), maxSize: 1000 })
      const headers = { ...more(version), 'upload-length': '11' }
      const reply = await send({ ...creation(site, version, 'hello', headers), method })
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({
        ...more(version),
        'upload-offset': '5',
        'upload-limit': 'max-size=1000',
      })
      const url = urlIn(reply, site)
      expect((await append(url, version, 5, ' world', end(version))).status).toBe(201)
      expect(await download(url)).toBe('hello world')
    },
  )

  test.each(versions)(
    'R-028 an empty creation that is not the end, version %s',
    async (version) => {
      const site = await serve({ composer: await compose() })
      const reply = await create(site, version, '', more(version))
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ ...more(version), 'upload-offset': '0' })
      const url = urlIn(reply, site)
      expect(await stateOf(url, version)).toMatchObject({ ...more(version), 'upload-offset': '0' })
      const appended = await append(url, version, 0, 'hello', end(version))
      expect(appended.headers).toMatchObject({ ...end(version), 'upload-offset': '5' })
    },
  )

  test.each(versions)(
    'R-028 an empty representation is complete at once, version %s',
    async (version) => {
      const site = await serve({ composer: await compose() })
      for (const fields of [{}, chunked]) {
        const reply = await create(site, version, '', { ...end(version), ...fields })
        expect(reply.status).toBe(201)
        expect(reply.headers).toMatchObject({ ...end(version), 'upload-offset': '0' })
        const url = urlIn(reply, site)
        expect(await stateOf(url, version)).toMatchObject({ ...end(version), 'upload-length': '0' })
        expect(await download(url)).toBe('')
      }
    },
  )
})

test.each(['HEAD', 'GET', 'DELETE', 'OPTIONS'])(
  'R-020 %s never creates, whatever it says of a body',
  async (method) => {
    const asked: string[] = []
    const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
    const reply = await send({ ...creation(site, 9, 'hello', end(9)), method })
    expect(reply.status).toBe(method === 'OPTIONS' ? 200 : 405)
    if (method !== 'OPTIONS') expect(reply.headers.allow).toBe('POST, PUT, PATCH, OPTIONS')
    expect(asked).toEqual([])
  },
)

test('R-021 the upload exists, and is told, before the first byte of the body is read', async () => {
  const site = await serve({ interimResponses: true })
  const sent = creation(site, 9, '', { ...end(9), 'content-length': '5' })
  const { request, reply } = openRequest({ ...sent, body: undefined as never })
  const told = await new Promise<{ headers: Record<string, unknown> }>((resolve) => {
    request.on('information', (information) => resolve(information as never))
  })
  const id = String(told.headers.location).split('/').at(-1)!
  expect(await site.handler.uploads.inspect(id)).toMatchObject({ offset: 0, finished: false })
  request.end('hello')
  expect((await reply).status).toBe(201)
})

test('R-022 the answer to the whole is what the application answers, Location included', async () => {
  const response = { status: 202, headers: { Location: '/photos/7', 'X-Photo': '7' }, body: 'ok' }
  const site = await serve({ hooks: { preFinish: () => ({ response }) } })
  const reply = await create(site, 9, 'hello', end(9))
  expect([reply.status, reply.text]).toEqual([202, 'ok'])
  expect(reply.headers).toMatchObject({ ...end(9), location: '/photos/7', 'x-photo': '7' })
})

test('R-023 Upload-Limit of a part tells the time that is left', async () => {
  const site = await serve({ expiration: { after: 60_000 } })
  const reply = await create(site, 9, 'hello', more(9))
  expect(reply.headers['upload-limit']).toMatch(/^max-age=(60|59)$/)
})

test.each([true, false])(
  'R-024 interim and final responses name the same Location, complete: %s',
  async (isEnd) => {
    const site = await serve({ interimResponses: true, location: 'absolute' })
    const { request, reply } = openRequest({
      ...creation(site, 9, 'hello', isEnd ? end(9) : more(9)),
    })
    const locations: unknown[] = []
    request.on('information', ({ headers }) => locations.push(headers.location))
    request.end()
    const final = await reply
    expect(locations).toEqual([final.headers.location])
    expect(final.headers.location).toMatch(`${site.origin}/files/`)
  },
)

describe('R-025 the length is', () => {
  const cases = [
    ['that of Upload-Length', { ...more(9), 'upload-length': '11' }, '11'],
    ['that of the body that is the end', end(9), '5'],
    ['not known of a part without Upload-Length', more(9), undefined],
    [
      'that of Upload-Length when the body is chunked',
      { ...more(9), ...chunked, 'upload-length': '11' },
      '11',
    ],
    ['not known of a chunked part', { ...more(9), ...chunked }, undefined],
    ['known at the end of a chunked body that is the end', { ...end(9), ...chunked }, '5'],
  ] as const
  test.each(cases)('R-025 %s', async (_, fields, length) => {
    const site = await serve()
    const reply = await create(site, 9, 'hello', fields)
    expect(reply.status).toBe(201)
    expect((await stateOf(urlIn(reply, site), 9))['upload-length']).toBe(length)
  })

  test('R-025 not known while a chunked body that is the end still comes', async () => {
    const site = await serve({ interimResponses: true })
    const { request, reply } = openRequest(creation(site, 9, 'hello', { ...end(9), ...chunked }))
    const location = await new Promise<string>((resolve) => {
      request.on('information', ({ headers }) => resolve(String(headers.location)))
    })
    // Inspects without taking over.
    const { upload } = await site.handler.uploads.inspect(location.split('/').at(-1)!)
    expect(upload.length).toBeUndefined()
    request.end(' world')
    expect((await reply).headers).toMatchObject({ ...end(9), 'upload-offset': '11' })
  })
})

describe.each(versions)('version %s: a creation that contradicts itself is refused', (version) => {
  const cases = [
    ['R-026 the end, longer than its length', { ...end(version), 'upload-length': '4' }],
    ['R-026 the end, shorter than its length', { ...end(version), 'upload-length': '6' }],
    ['R-027 a part that is longer than the whole', { ...more(version), 'upload-length': '4' }],
  ] as const
  test.each(cases)('R-026 R-027 %s', async (_, fields) => {
    const asked: string[] = []
    const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
    const reply = await create(site, version, 'hello', fields)
    expect(reply.status).toBe(400)
    expect(reply.headers).toMatchObject(more(version))
    expect(reply.headers).not.toHaveProperty('location')
    expect(problemIn(reply)).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#inconsistent-upload-length',
    })
    expect(asked).toEqual([])
  })
})

test.each(versions)(
  'R-027 a part as long as the whole is legal, and leaves the upload incomplete, version %s',
  async (version) => {
    const site = await serve()
    const fields = { ...more(version), 'upload-length': '5' }
    const reply = await create(site, version, 'hello', fields)
    expect(reply.status).toBe(201)
    const url = urlIn(reply, site)
    expect(await stateOf(url, version)).toMatchObject({ ...more(version), 'upload-offset': '5' })
    const completed = await append(url, version, 5, '', end(version))
    expect(completed.headers).toMatchObject(end(version))
  },
)

test('R-029 a creation whose connection breaks keeps what came, and is not complete', async () => {
  const site = await serve({ interimResponses: true })
  const sent = creation(site, 9, 'hello', { ...end(9), 'content-length': '11' })
  const { request } = openRequest(sent)
  const location = await new Promise<string>((resolve) => {
    request.on('information', ({ headers }) => resolve(String(headers.location)))
  })
  const url = new URL(location, site.origin).href
  request.destroy()
  // HEAD ends the request if it is still there, so what was sent before counts or was lost with the connection.
  const state = await stateOf(url, 9)
  expect(state).toMatchObject({ 'upload-complete': '?0', 'upload-length': '11' })
  const offset = Number(state['upload-offset'])
  const rest = await append(url, 9, offset, 'hello world'.slice(offset), end(9))
  expect(rest.headers['upload-complete']).toBe('?1')
  expect(await download(url)).toBe('hello world')
})

test('R-030 a refusal that ends the upload says so, and is the answer from then on', async () => {
  const reject = { status: 422, headers: { 'x-why': 'virus' }, body: 'no' }
  const site = await serve({ hooks: { preFinish: () => ({ reject }) } })
  const reply = await create(site, 9, 'hello', end(9))
  const told = { status: 422, text: 'no' }
  expect(reply).toMatchObject(told)
  expect(reply.headers).toMatchObject({ 'upload-complete': '?1', 'x-why': 'virus' })
  const url = urlIn(reply, site)
  const again = await append(url, 9, 5, '', end(9))
  expect(again).toMatchObject(told)
  expect(again.headers['upload-complete']).toBe('?1')
  const head = await ask('HEAD', url, 9)
  expect([head.status, head.headers['upload-complete']]).toEqual([422, '?1'])
})

test('R-031 a failure of the storage is answered 5xx, without a word of completeness but ?0', async () => {
  const { composer, fails } = await failingStore()
  const site = await serve({ composer, logger: silent })
  const reply = await create(site, 9, 'hello', end(9))
  expect(fails()).toBe(1)
  expect([reply.status, reply.headers['upload-complete']]).toEqual([500, '?0'])
  // 5xx tells the client to resume, so it is told where.
  const url = urlIn(reply, site)
  const state = await stateOf(url, 9)
  expect(state).toMatchObject({ 'upload-offset': '0', 'upload-complete': '?0' })
  expect((await append(url, 9, 0, 'hello', end(9))).headers['upload-complete']).toBe('?1')
})

/** A store whose first append fails. */
async function failingStore() {
  const { StoreComposer } = await import('tuskit')
  const { MemoryInfoStore, MemoryStore } = await import('tuskit/memory-store')
  const composer = new StoreComposer()
  const store = new MemoryStore()
  store.useIn(composer)
  new MemoryInfoStore().useIn(composer)
  let failures = 0
  composer.useDataStore({
    maximumSize: store.maximumSize,
    locate: (upload) => store.locate(upload),
    create: (upload, options) => store.create(upload, options),
    stat: (upload, options) => store.stat(upload, options),
    append(upload, from, body, options) {
      if (failures++ === 0) throw new Error('The disk is on fire')
      return store.append(upload, from, body, options)
    },
  })
  return { composer, fails: () => Math.min(failures, 1) }
}

test('R-033 a part is never taken for the whole', async () => {
  const site = await serve()
  // Neither by a version that is not known,
  const unknown = await create(site, undefined, 'hello', {
    'upload-complete': '?0',
    'upload-draft-interop-version': '99',
  })
  expect([unknown.status, problemIn(unknown).code]).toEqual([
    400,
    'ERR_UNSUPPORTED_INTEROP_VERSION',
  ])
  expect(unknown.headers).not.toHaveProperty('location')
  // nor without any.
  const none = await create(site, undefined, 'hello', { 'upload-complete': '?0' })
  expect(none.headers).toMatchObject({ 'upload-complete': '?0', 'upload-offset': '5' })
})

test('R-034 below min-size an upload comes whole, and is not offered to be resumed', async () => {
  const options: Partial<HandlerOptions> = { interimResponses: true, minSize: 10 }
  const site = await serve(options)
  const { request, reply } = openRequest(creation(site, 9, 'hello', end(9)))
  let interims = 0
  request.on('information', () => interims++)
  request.end()
  expect((await reply).headers).toMatchObject({ 'upload-complete': '?1' })
  expect(interims).toBe(0)
  const parts = await create(site, 9, 'hello', { ...more(9), 'upload-length': '9' })
  expect([parts.status, problemIn(parts).code]).toEqual([400, 'ERR_UPLOAD_TOO_SMALL'])
  expect(parts.headers).toMatchObject({ 'upload-limit': 'min-size=10', 'upload-complete': '?0' })
  const large = await create(site, 9, 'hello', { ...more(9), 'upload-length': '10' })
  expect(large.status).toBe(201)
})

test('R-035 URLs are unique and tell nothing of the storage', async () => {
  const site = await serve()
  const urls = new Set<string>()
  for (let i = 0; i < 20; i++) urls.add(urlIn(await create(site, 9, '', more(9)), site))
  expect(urls.size).toBe(20)
  for (const url of urls) expect(url).toMatch(/\/files\/[0-9a-f]{32}$/)
})

test('R-035 the URL of an upload that is gone is not used again', async () => {
  const site = await serve({ generateId: () => 'one' })
  const url = urlIn(await create(site, 9, '', more(9)), site)
  const second = await create(site, 9, '', more(9))
  expect([second.status, problemIn(second).code]).toEqual([409, 'ERR_ID_TAKEN'])
  expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '0' })
})

test('R-020 an append that missed its URL creates nothing', async () => {
  const site = await serve()
  const reply = await create(site, 9, ' world', { ...end(9), 'upload-offset': '5' })
  expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_UNEXPECTED_FIELD'])
  expect(reply.headers).not.toHaveProperty('location')
  expect(named(9)).toEqual({ 'upload-draft-interop-version': '9' })
})
