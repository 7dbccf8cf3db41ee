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
  until,
} from '../support/serve.js'
import { draft9, draftOf, problemIn, urlIn, versions } from './ietf/draft.js'
import { silent } from '../support/silent.js'

const partial = { 'content-type': 'application/partial-upload' }

test('D1 X-HTTP-Method-Override applies before every other rule', async () => {
  const site = await serve()
  const url = await draft9.started(site, 'hello')
  const headers = {
    ...partial,
    ...draft9.end,
    'upload-offset': '5',
    'x-http-method-override': 'PATCH',
  }
  const reply = await send({ method: 'POST', url, headers, body: ' world' })
  expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
  const asked = { method: 'POST', url, headers: { 'x-http-method-override': 'HEAD' } }
  const state = await send(asked)
  expect([state.status, state.headers['upload-complete']]).toEqual([204, '?1'])
  const removed = { method: 'POST', url, headers: { 'x-http-method-override': 'DELETE' } }
  expect((await send(removed)).status).toBe(204)
})

test('D1 X-HTTP-Method-Override applies to a creation too', async () => {
  const site = await serve()
  const override = (method: string) => ({ ...draft9.end, 'x-http-method-override': method })
  const put = await draft9.create(site, 'hello', override('PUT'))
  expect([put.status, put.headers['upload-complete']]).toEqual([201, '?1'])
  const none = await draft9.create(site, 'hello', override('DELETE'))
  expect(none.status).toBe(405)
})

describe('D2 a request with Tus-Resumable speaks tus, whatever else it contains', () => {
  const system = { 'upload-draft-interop-version': '8', ...draftOf(8).end }

  test('D2 a creation speaks tus', async () => {
    const site = await serve({ interimResponses: true })
    const headers = { ...chunk, ...system, 'upload-length': '11' }
    const url = `${site.origin}/files`
    const { request, reply } = openRequest({ method: 'POST', url, headers, body: 'hello' })
    let interims = 0
    request.on('information', () => interims++)
    request.end()
    const { status, headers: reported } = await reply
    expect([status, interims, reported['tus-resumable']]).toEqual([201, 0, '1.0.0'])
    expect(reported).not.toHaveProperty('upload-complete')
    // The upload is not complete, although the system's header says so.
    expect(await offsetOf(urlIn(await reply, site))).toBe('5')
  })

  test('D2 a chunk speaks tus', async () => {
    const site = await serve()
    const url = await createUpload(site)
    const reply = await patch(url, 0, 'hello', system)
    expect([reply.status, reply.headers['upload-offset']]).toEqual([204, '5'])
    expect(reply.headers).not.toHaveProperty('upload-complete')
  })

  test("D2 a chunk with the draft's media type speaks tus, and gets 415", async () => {
    const site = await serve()
    const url = await createUpload(site)
    const reply = await patch(url, 0, 'hello', { ...system, ...partial })
    expect([reply.status, reply.headers['tus-resumable']]).toEqual([415, '1.0.0'])
    expect(await offsetOf(url)).toBe('0')
  })

  test.each(versions)('D2 HEAD and DELETE speak tus, version %s', async (version) => {
    const draft = draftOf(version)
    const site = await serve()
    const url = await createUpload(site)
    const headers = { ...tus, ...draft.named, ...draft.end }
    const state = await send({ method: 'HEAD', url, headers })
    expect([state.status, state.headers['upload-offset']]).toEqual([200, '0'])
    expect(state.headers).toHaveProperty('tus-resumable')
    expect(state.headers).not.toHaveProperty('upload-complete')
    const removed = await send({ method: 'DELETE', url, headers })
    expect([removed.status, removed.headers['tus-resumable']]).toEqual([204, '1.0.0'])
  })

  test('D2 a request with an unsupported Tus-Resumable speaks tus too', async () => {
    const site = await serve()
    const reply = await post(site, { ...system, 'tus-resumable': '0.2.2', 'upload-length': '5' })
    expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
  })
})

test('D3 OPTIONS has one response for clients of both protocols', async () => {
  const { origin } = await serve({ maxSize: 1000, cors: true })
  const url = `${origin}/files`
  for (const headers of [{}, tus, { 'upload-draft-interop-version': '8', ...draftOf(8).end }]) {
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

describe('D4 the media type of a PATCH decides its protocol', () => {
  test('D4 a PATCH with application/partial-upload is a draft append', async () => {
    const url = await draft9.started(await serve(), 'hello')
    // The request has no other header of the draft.
    const headers = { ...partial, 'upload-offset': '5' }
    const reply = await send({ method: 'PATCH', url, headers, body: ' world' })
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_INVALID_COMPLETE'])
  })

  test.each(['Application/Partial-Upload', 'application/partial-upload; a="b"'])(
    'D4 a PATCH with %s is a draft append too',
    async (type) => {
      const url = await draft9.started(await serve(), 'hello')
      const reply = await draft9.append(url, 5, ' world', { ...draft9.end, 'content-type': type })
      expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
    },
  )

  test('D4 a PATCH with application/offset+octet-stream gets 412 without Tus-Resumable', async () => {
    const url = await createUpload(await serve())
    for (const extra of [{}, { 'upload-draft-interop-version': '8', ...draftOf(8).end }]) {
      const headers = { 'content-type': chunk['content-type'], 'upload-offset': '0', ...extra }
      const reply = await send({ method: 'PATCH', url, headers, body: 'hello' })
      expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
    }
    expect(await offsetOf(url)).toBe('0')
  })
})

/** Sends a creation, counts its interim responses, and returns the count with the final one. */
async function createCounting(version: string | undefined, fields: OutgoingHttpHeaders) {
  const site = await serve({ interimResponses: true })
  const named = version === undefined ? {} : { 'upload-draft-interop-version': version }
  const sent = draftOf(undefined).creation(site, 'hello')
  const headers = { ...sent.headers, ...named, ...fields }
  const { request, reply } = openRequest({ ...sent, headers })
  let interims = 0
  request.on('information', ({ statusCode }) => (interims += Number(statusCode === 104)))
  request.end()
  const final = await reply
  return { interims, reply: final, site }
}

test.each(versions)(
  'D5 D6 a creation of version %s speaks the draft, with 104 only if it names a version',
  async (version) => {
    const draft = draftOf(version)
    const named = version === undefined ? undefined : String(version)
    const { interims, reply } = await createCounting(named, draft.end)
    expect([reply.status, interims]).toEqual([201, version === undefined ? 0 : 1])
    expect(reply.headers).toMatchObject(draft.end)
  },
)

test.each(versions)(
  'D5 D6 an append of version %s speaks the draft, with 104 only if it names a version',
  async (version) => {
    const draft = draftOf(version)
    const site = await serve({ interimResponses: true, progressInterval: 1 })
    const url = await draft.started(site, 'hello')
    const body = Buffer.alloc(8_000_000)
    const { request, reply } = openRequest(draft.appending(url, 5, body, draft.end))
    const reported: unknown[] = []
    request.on('information', ({ headers }) =>
      reported.push(headers['upload-draft-interop-version']),
    )
    request.end()
    const { status, headers } = await reply
    expect(status).toBe(201)
    expect(headers).toMatchObject({ ...draft.end, 'upload-offset': '8000005' })
    // Their number depends on timing.
    if (version === undefined) expect(reported).toEqual([])
    for (const name of reported) expect(name).toBe(String(version))
  },
)

test.each(['abc', '?1', '9, 9'])(
  'D6 a malformed version (%s) counts as absent: the draft, without interim responses',
  async (version) => {
    for (const says of ['?1', '?0']) {
      const { interims, reply } = await createCounting(version, { 'upload-complete': says })
      expect([reply.status, interims, reply.headers['upload-complete']]).toEqual([201, 0, says])
    }
  },
)

test('D5 version 3 has Upload-Incomplete only, the others have Upload-Complete only', async () => {
  const site = await serve()
  for (const [version, fields] of [
    [3, { 'upload-complete': '?1' }],
    [4, { 'upload-incomplete': '?0' }],
    [undefined, { 'upload-incomplete': '?0' }],
  ] as const) {
    const reply = await draftOf(version).create(site, 'hello', fields)
    expect([version, reply.status]).toEqual([version, 412])
  }
})

test.each(['2', '10', '99'])(
  'D7 version %s: a whole representation is accepted in one request',
  async (version) => {
    const { interims, reply, site } = await createCounting(version, { 'upload-complete': '?1' })
    expect([reply.status, interims, reply.headers['upload-complete']]).toEqual([201, 0, '?1'])
    expect(await download(urlIn(reply, site))).toBe('hello')
  },
)

test.each(['2', '10', '99'])(
  'D7 version %s: a lost representation is not complete, and gets no 104 with a Location',
  async (version) => {
    const created: string[] = []
    const site = await serve({
      interimResponses: true,
      hooks: { postCreate: ({ upload }) => void created.push(upload.id) },
    })
    const headers = {
      'upload-draft-interop-version': version,
      'upload-complete': '?1',
      'content-length': '11',
    }
    const { request, reply } = openRequest({
      ...draftOf(undefined).creation(site, 'hello'),
      headers,
    })
    let interims = 0
    request.on('information', () => interims++)
    await until(
      async () => created.length,
      (count) => count === 1,
    )
    request.destroy()
    await expect(reply).rejects.toThrow()
    expect(interims).toBe(0)
    expect(await draft9.stateOf(`${site.origin}/files/${created[0]}`)).toMatchObject({
      'upload-complete': '?0',
    })
  },
)

test.each(['2', '10', '99'])(
  'D7 version %s: a representation that fails gets no Location to resume from',
  async (version) => {
    const preFinish = () => {
      throw new Error('The application is down')
    }
    const site = await serve({ hooks: { preFinish }, logger: silent })
    const fields = { 'upload-draft-interop-version': version, 'upload-complete': '?1' }
    const reply = await draftOf(undefined).create(site, 'hello', fields)
    expect([reply.status, reply.headers['upload-complete']]).toEqual([500, '?0'])
    expect(reply.headers).not.toHaveProperty('location')
    // A supported version gets one.
    expect((await draft9.create(site, 'hello', draft9.end)).headers).toHaveProperty('location')
  },
)

test.each(['2', '10', '99'])(
  'D7 version %s: a chunk is refused, and creates nothing',
  async (version) => {
    const { interims, reply } = await createCounting(version, { 'upload-complete': '?0' })
    expect([reply.status, interims]).toEqual([400, 0])
    expect(problemIn(reply).code).toBe('ERR_UNSUPPORTED_INTEROP_VERSION')
    expect(reply.headers).not.toHaveProperty('location')
  },
)

describe('D8 without headers of either protocol, the one that created the upload responds', () => {
  test('D8 HEAD gets a response of the protocol that created the upload', async () => {
    const site = await serve()
    const draft = await send({ method: 'HEAD', url: await draft9.started(site, 'hello') })
    expect(draft.status).toBe(204)
    expect(draft.headers).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?0' })
    expect(draft.headers).not.toHaveProperty('tus-resumable')
    const other = await send({ method: 'HEAD', url: await createUpload(site) })
    expect(other.status).toBe(200)
    expect(other.headers).toMatchObject({ 'upload-offset': '0', 'tus-resumable': '1.0.0' })
    expect(other.headers).not.toHaveProperty('upload-complete')
  })

  test('D8 HEAD and GET of a finished upload do so too', async () => {
    const site = await serve()
    const draft = urlIn(await draft9.create(site, 'hello', draft9.end), site)
    const state = await send({ method: 'HEAD', url: draft })
    expect(state.headers).toMatchObject({
      'upload-offset': '5',
      'upload-length': '5',
      ...draft9.end,
    })
    const content = await send({ method: 'GET', url: draft })
    expect([content.status, content.text]).toEqual([200, 'hello'])
    expect(content.headers).toMatchObject({ 'upload-offset': '5', ...draft9.end })
    const other = urlIn(await post(site, { 'upload-length': '5' }, 'hello'), site)
    expect((await send({ method: 'HEAD', url: other })).headers).toMatchObject({
      'upload-offset': '5',
      'tus-resumable': '1.0.0',
    })
    const download = await send({ method: 'GET', url: other })
    expect([download.status, download.text, download.headers['tus-resumable']]).toEqual([
      200,
      'hello',
      '1.0.0',
    ])
    expect(download.headers).not.toHaveProperty('upload-complete')
  })

  test('D8 GET gets a response of the protocol that created the upload', async () => {
    const site = await serve()
    const draft = await send({ method: 'GET', url: await draft9.started(site, 'hello') })
    expect([draft.status, draft.headers['upload-offset'], draft.text]).toEqual([204, '5', ''])
    const other = await send({ method: 'GET', url: await createUpload(site) })
    expect([other.status, other.headers['tus-resumable']]).toEqual([409, '1.0.0'])
  })

  test('D8 DELETE gets a response of the protocol that created the upload', async () => {
    const site = await serve()
    const draft = await send({ method: 'DELETE', url: await draft9.started(site, 'hello') })
    expect([draft.status, draft.headers['tus-resumable']]).toEqual([204, undefined])
    // It changes something, so tus requires its version.
    const other = await send({ method: 'DELETE', url: await createUpload(site) })
    expect(other.status).toBe(412)
  })

  test('D8 DELETE of a removed upload gets 404, whichever protocol created it', async () => {
    const url = await draftOf(undefined).started(await serve(), 'hello')
    expect((await send({ method: 'DELETE', url })).status).toBe(204)
    expect((await send({ method: 'DELETE', url })).status).toBe(404)
  })

  test('D8 HEAD of an upload that does not exist gets a tus response', async () => {
    const { origin } = await serve()
    const reply = await send({ method: 'HEAD', url: `${origin}/files/nobody` })
    expect([reply.status, reply.headers['tus-resumable']]).toEqual([404, '1.0.0'])
  })
})

test('D9 a POST with only Upload-Length gets 412, and nothing is created', async () => {
  let created = 0
  const { origin } = await serve({ hooks: { postCreate: () => void created++ } })
  for (const body of ['', 'hello']) {
    for (const extra of [{}, { 'upload-draft-interop-version': '9' }]) {
      const headers = { 'upload-length': '5', ...extra }
      const reply = await send({ method: 'POST', url: `${origin}/files`, headers, body })
      expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
    }
  }
  expect(created).toBe(0)
})

describe('D10 an upload of one protocol cannot be continued by the other', () => {
  test.each(versions)(
    'D10 a draft client cannot continue a tus upload, version %s',
    async (version) => {
      const draft = draftOf(version)
      const site = await serve()
      const url = await createUpload(site)
      const reply = await draft.append(url, 0, 'hello world', draft.end)
      expect([reply.status, problemIn(reply).code]).toEqual([409, 'ERR_PROTOCOL_MISMATCH'])
      expect(reply.headers).not.toHaveProperty('upload-offset')
      // Without a version, HEAD and GET need another header of the draft.
      const mark = version === undefined ? draft.end : {}
      for (const method of ['HEAD', 'GET'] as const) {
        const state = await draft.ask(method, url, mark)
        expect([state.status, state.headers['upload-offset']]).toEqual([409, undefined])
      }
      expect(await offsetOf(url)).toBe('0')
      expect((await patch(url, 0, 'hello world')).status).toBe(204)
    },
  )

  test('D10 a tus client cannot continue a draft upload', async () => {
    const url = await draft9.started(await serve(), 'hello', { 'upload-length': '11' })
    const reply = await patch(url, 5, ' world')
    expect([reply.status, reply.text.split(':')[0]]).toEqual([409, 'ERR_PROTOCOL_MISMATCH'])
    expect(reply.headers['tus-resumable']).toBe('1.0.0')
    expect(reply.headers).not.toHaveProperty('upload-offset')
    const head = await send({ method: 'HEAD', url, headers: tus })
    expect([head.status, head.headers['upload-offset']]).toEqual([409, undefined])
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5' })
  })

  test('D10 a draft upload cannot be part of a concatenation', async () => {
    const site = await serve()
    const url = urlIn(await draft9.create(site, 'hello', draft9.end), site)
    const reply = await post(site, { 'upload-concat': `final;${new URL(url).pathname}` })
    expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_CONCAT'])
  })

  test('D10 clients of both protocols can download and remove every upload', async () => {
    const site = await serve()
    const draft = urlIn(await draft9.create(site, 'hello', draft9.end), site)
    expect((await send({ method: 'GET', url: draft, headers: tus })).text).toBe('hello')
    expect((await remove(draft)).status).toBe(204)
    const other = await createUpload(site, { 'upload-length': '5' })
    expect((await draft9.ask('DELETE', other)).status).toBe(204)
    expect((await draft9.ask('HEAD', other)).status).toBe(404)
  })
})
