import type { OutgoingHttpHeaders } from 'node:http'
import { describe, expect, test } from 'vitest'
import {
  chunk,
  createUpload,
  download,
  offsetOf,
  openRequest,
  patch,
  post,
  remove,
  send,
  serve,
  tus,
} from '../serve.js'
import {
  append,
  ask,
  create,
  creation,
  end,
  more,
  problemIn,
  started,
  stateOf,
  urlIn,
  versions,
} from './draft.js'

const partial = { 'content-type': 'application/partial-upload' }

test('D1 X-HTTP-Method-Override decides before all else', async () => {
  const site = await serve()
  const url = await started(site, 9, 'hello')
  const headers = {
    ...partial,
    ...end(9),
    'upload-offset': '5',
    'x-http-method-override': 'PATCH',
  }
  const reply = await send({ method: 'POST', url, headers, body: ' world' })
  expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
  const removed = { method: 'POST', url, headers: { 'x-http-method-override': 'DELETE' } }
  expect((await send(removed)).status).toBe(204)
})

describe('D2 a request with Tus-Resumable is of tus, whatever else it says', () => {
  const system = { 'upload-draft-interop-version': '8', ...end(8) }

  test('D2 a creation', async () => {
    const site = await serve({ interimResponses: true })
    const headers = { ...chunk, ...system, 'upload-length': '11' }
    const url = `${site.origin}/files`
    const { request, reply } = openRequest({ method: 'POST', url, headers, body: 'hello' })
    let interims = 0
    request.on('information', () => interims++)
    request.end()
    const { status, headers: told } = await reply
    expect([status, interims, told['tus-resumable']]).toEqual([201, 0, '1.0.0'])
    expect(told).not.toHaveProperty('upload-complete')
    // Not complete, although the system's header says so.
    expect(await offsetOf(urlIn(await reply, site))).toBe('5')
  })

  test('D2 a chunk', async () => {
    const site = await serve()
    const url = await createUpload(site)
    const reply = await patch(url, 0, 'hello', system)
    expect([reply.status, reply.headers['upload-offset']]).toEqual([204, '5'])
    expect(reply.headers).not.toHaveProperty('upload-complete')
  })

  test('D2 also with a version of tus that is not spoken', async () => {
    const site = await serve()
    const reply = await post(site, { ...system, 'tus-resumable': '0.2.2', 'upload-length': '5' })
    expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
  })
})

test('D3 OPTIONS tells clients of both protocols', async () => {
  const { origin } = await serve({ maxSize: 1000, cors: true })
  const url = `${origin}/files`
  for (const headers of [{}, tus, { 'upload-draft-interop-version': '8', ...end(8) }]) {
    const reply = await send({ method: 'OPTIONS', url, headers })
    expect(reply.status).toBe(200)
    expect(reply.headers).toMatchObject({
      'tus-version': '1.0.0',
      'tus-max-size': '1000',
      'upload-limit': 'max-size=1000',
      'access-control-allow-origin': '*',
    })
    expect(reply.headers['tus-extension']).not.toContain('draft')
    expect(reply.headers['access-control-allow-methods']).toContain('PUT')
  }
})

describe('D4 the media type of a PATCH decides', () => {
  test('D4 application/partial-upload is an append of the draft', async () => {
    const url = await started(await serve(), 9, 'hello')
    // Without any other mark of the draft.
    const headers = { ...partial, 'upload-offset': '5' }
    const reply = await send({ method: 'PATCH', url, headers, body: ' world' })
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_INVALID_COMPLETE'])
  })

  test('D4 application/offset+octet-stream without Tus-Resumable: 412', async () => {
    const url = await createUpload(await serve())
    for (const extra of [{}, { 'upload-draft-interop-version': '8', ...end(8) }]) {
      const headers = { 'content-type': chunk['content-type'], 'upload-offset': '0', ...extra }
      const reply = await send({ method: 'PATCH', url, headers, body: 'hello' })
      expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
    }
    expect(await offsetOf(url)).toBe('0')
  })
})

/** How many interim responses a creation gets, and its final one. */
async function createCounting(version: string | undefined, fields: OutgoingHttpHeaders) {
  const site = await serve({ interimResponses: true })
  const named = version === undefined ? {} : { 'upload-draft-interop-version': version }
  const sent = creation(site, undefined, 'hello')
  const headers = { ...sent.headers, ...named, ...fields }
  const { request, reply } = openRequest({ ...sent, headers })
  let interims = 0
  request.on('information', ({ statusCode }) => (interims += Number(statusCode === 104)))
  request.end()
  const final = await reply
  return { interims, reply: final, site }
}

test.each(versions)(
  'D5 D6 a creation of version %s is of the draft; interim responses only where one is named',
  async (version) => {
    const named = version === undefined ? undefined : String(version)
    const { interims, reply } = await createCounting(named, end(version))
    expect([reply.status, interims]).toEqual([201, version === undefined ? 0 : 1])
    expect(reply.headers).toMatchObject(end(version))
  },
)

test('D5 version 3 has Upload-Incomplete only, the others have Upload-Complete only', async () => {
  const site = await serve()
  for (const [version, fields] of [
    [3, { 'upload-complete': '?1' }],
    [4, { 'upload-incomplete': '?0' }],
    [undefined, { 'upload-incomplete': '?0' }],
  ] as const) {
    const reply = await create(site, version, 'hello', fields)
    expect([version, reply.status]).toEqual([version, 412])
  }
})

test.each(['2', '10', '99'])(
  'D7 version %s: a whole representation is taken at once',
  async (version) => {
    const { interims, reply, site } = await createCounting(version, { 'upload-complete': '?1' })
    expect([reply.status, interims, reply.headers['upload-complete']]).toEqual([201, 0, '?1'])
    expect(await download(urlIn(reply, site))).toBe('hello')
  },
)

test.each(['2', '10', '99'])(
  'D7 version %s: a part is refused, and creates nothing',
  async (version) => {
    const { interims, reply } = await createCounting(version, { 'upload-complete': '?0' })
    expect([reply.status, interims]).toEqual([400, 0])
    expect(problemIn(reply).code).toBe('ERR_UNSUPPORTED_INTEROP_VERSION')
    expect(reply.headers).not.toHaveProperty('location')
  },
)

describe('D8 without a mark of either, the protocol that created the upload answers', () => {
  test('D8 HEAD', async () => {
    const site = await serve()
    const draft = await send({ method: 'HEAD', url: await started(site, 9, 'hello') })
    expect(draft.status).toBe(204)
    expect(draft.headers).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?0' })
    expect(draft.headers).not.toHaveProperty('tus-resumable')
    const other = await send({ method: 'HEAD', url: await createUpload(site) })
    expect(other.status).toBe(200)
    expect(other.headers).toMatchObject({ 'upload-offset': '0', 'tus-resumable': '1.0.0' })
    expect(other.headers).not.toHaveProperty('upload-complete')
  })

  test('D8 GET', async () => {
    const site = await serve()
    const draft = await send({ method: 'GET', url: await started(site, 9, 'hello') })
    expect([draft.status, draft.headers['upload-offset'], draft.text]).toEqual([204, '5', ''])
    const other = await send({ method: 'GET', url: await createUpload(site) })
    expect([other.status, other.headers['tus-resumable']]).toEqual([409, '1.0.0'])
  })

  test('D8 DELETE', async () => {
    const site = await serve()
    const draft = await send({ method: 'DELETE', url: await started(site, 9, 'hello') })
    expect([draft.status, draft.headers['tus-resumable']]).toEqual([204, undefined])
    // It changes something, so tus asks for its version.
    const other = await send({ method: 'DELETE', url: await createUpload(site) })
    expect(other.status).toBe(412)
  })

  test('D8 of an upload that does not exist, tus answers', async () => {
    const { origin } = await serve()
    const reply = await send({ method: 'HEAD', url: `${origin}/files/nobody` })
    expect([reply.status, reply.headers['tus-resumable']]).toEqual([404, '1.0.0'])
  })
})

test('D9 a POST with Upload-Length only: 412', async () => {
  const { origin } = await serve()
  const sent = { method: 'POST', url: `${origin}/files`, headers: { 'upload-length': '5' } }
  const reply = await send(sent)
  expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
})

describe('D10 an upload made by one protocol cannot be continued by the other', () => {
  test.each(versions)('D10 one of tus, by version %s', async (version) => {
    const site = await serve()
    const url = await createUpload(site)
    const reply = await append(url, version, 0, 'hello world', end(version))
    expect([reply.status, problemIn(reply).code]).toEqual([409, 'ERR_PROTOCOL_MISMATCH'])
    expect(reply.headers).not.toHaveProperty('upload-offset')
    // Without a version, HEAD has no mark of the draft.
    const head = await ask('HEAD', url, version, end(version))
    const forbids = version !== undefined && version <= 6
    expect(head.status).toBe(forbids ? 400 : 409)
    expect(await offsetOf(url)).toBe('0')
    expect((await patch(url, 0, 'hello world')).status).toBe(204)
  })

  test('D10 one of the draft, by tus', async () => {
    const url = await started(await serve(), 9, 'hello', { 'upload-length': '11' })
    const reply = await patch(url, 5, ' world')
    expect([reply.status, reply.text.split(':')[0]]).toEqual([409, 'ERR_PROTOCOL_MISMATCH'])
    expect(reply.headers).not.toHaveProperty('upload-offset')
    const head = await send({ method: 'HEAD', url, headers: tus })
    expect([head.status, head.headers['upload-offset']]).toEqual([409, undefined])
    expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5' })
  })

  test('D10 an upload of the draft is no part of a concatenation', async () => {
    const site = await serve()
    const url = urlIn(await create(site, 9, 'hello', end(9)), site)
    const reply = await post(site, { 'upload-concat': `final;${new URL(url).pathname}` })
    expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_CONCAT'])
  })

  test('D10 but it can be downloaded and removed by both', async () => {
    const site = await serve()
    const draft = urlIn(await create(site, 9, 'hello', end(9)), site)
    expect((await send({ method: 'GET', url: draft, headers: tus })).text).toBe('hello')
    expect((await remove(draft)).status).toBe(204)
    const other = await createUpload(site, { 'upload-length': '5' })
    expect((await ask('DELETE', other, 9)).status).toBe(204)
    expect((await ask('HEAD', other, 9)).status).toBe(404)
  })
})

test("with `disable: ['ietf-draft']` a request of the draft is one of tus without its version", async () => {
  const site = await serve({ disable: ['ietf-draft'] })
  const reply = await create(site, 9, 'hello', more(9))
  expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
})
