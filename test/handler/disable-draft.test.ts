import { describe, expect, test } from 'vitest'
import type { Feature } from 'tuskit'
import { draft9, draftOf, problemIn, urlIn, versions } from '../requirements/ietf/draft.js'
import {
  createUpload,
  download,
  head,
  memoryComposer,
  openRequest,
  patch,
  post,
  remove,
  type Reply,
  send,
  serve,
} from '../support/serve.js'

function expectNothingOfTheDraft({ headers }: Reply) {
  for (const name of ['upload-complete', 'upload-incomplete', 'upload-limit', 'accept-patch']) {
    expect(headers).not.toHaveProperty(name)
  }
  expect(headers['content-type']).not.toBe('application/problem+json')
}

describe("disable: ['ietf-draft']", () => {
  const disable: Feature[] = ['ietf-draft']

  test.each(versions)('refuses a draft creation as tus does, version %s', async (version) => {
    const draft = draftOf(version)
    let created = 0
    const hooks = { postCreate: () => void created++ }
    const site = await serve({ disable, hooks, interimResponses: true })
    for (const says of [draft.end, draft.more]) {
      for (const method of ['POST', 'PUT', 'PATCH']) {
        const { request, reply } = openRequest({
          ...draft.creation(site, 'hello', says),
          method,
        })
        let interims = 0
        request.on('information', () => interims++)
        request.end()
        const refused = await reply
        expect(refused.status).toBeOneOf(method === 'POST' ? [412] : [405, 412])
        expect([interims, refused.headers['tus-resumable']]).toEqual([0, '1.0.0'])
        expectNothingOfTheDraft(refused)
        expect(refused.headers).not.toHaveProperty('location')
      }
    }
    await site.server.stop()
    expect(created).toBe(0)
  })

  test.each(versions)('refuses every other draft request as well, version %s', async (version) => {
    const draft = draftOf(version)
    const composer = memoryComposer()
    const full = await serve({ composer })
    const site = await serve({ composer, disable })
    const there = (url: string) => url.replace(full.origin, site.origin)
    const url = await draft.started(full, 'hello')
    const whole = urlIn(await draft.create(full, 'hello', draft.end), full)

    const appended = await draft.append(there(url), 5, ' world', draft.end)
    expect([appended.status, appended.headers['tus-version']]).toEqual([412, '1.0.0'])
    const state = await draft.ask('HEAD', there(url))
    expect([state.status, state.headers['upload-offset']]).toEqual([409, undefined])
    const removed = await draft.ask('DELETE', there(url))
    expect([removed.status, removed.headers['tus-version']]).toEqual([412, '1.0.0'])
    const content = await draft.ask('GET', there(whole))
    expect([content.status, content.text]).toEqual([200, 'hello'])
    for (const reply of [appended, state, removed, content]) expectNothingOfTheDraft(reply)

    // The upload is unchanged, and continues where the draft is enabled.
    expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft.more })
    const last = await draft.append(url, 5, ' world', draft.end)
    expect(last.headers).toMatchObject(draft.end)
  })

  test('removes the draft from the response to OPTIONS, and keeps everything about tus', async () => {
    const options = { maxSize: 1000, minSize: 10, maxAppendSize: 500, interimResponses: true }
    const before = await serve(options)
    const site = await serve({ ...options, disable })
    const query = {
      method: 'OPTIONS',
      headers: { 'upload-draft-interop-version': '9', ...draft9.end },
    }
    const reply = await send({ ...query, url: `${site.origin}/files` })
    expect(reply.status).toBe(200)
    expectNothingOfTheDraft(reply)
    const headers = (await send({ ...query, url: `${before.origin}/files` })).headers
    const { 'upload-limit': _, 'accept-patch': __, date: ___, ...rest } = headers
    expect(reply.headers).toMatchObject(rest)
    expect(reply.headers['tus-max-size']).toBe('1000')
  })

  test('does not affect tus, even for a client whose system adds draft headers', async () => {
    const site = await serve({ disable })
    const system = { 'upload-draft-interop-version': '8', ...draftOf(8).end }
    const url = await createUpload(site, { 'upload-length': '11', ...system })
    const first = await patch(url, 0, 'hello', system)
    expect([first.status, first.headers['upload-offset']]).toEqual([204, '5'])
    expect((await head(url)).headers).toMatchObject({ 'upload-offset': '5', 'upload-length': '11' })
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
    expect((await remove(url)).status).toBe(204)
    expect((await post(site, { 'upload-length': '5' }, 'hello')).status).toBe(201)
    // HEAD does not need Tus-Resumable.
    const other = await createUpload(site)
    expect((await draft9.ask('HEAD', other)).headers).toMatchObject({ 'upload-offset': '0' })
  })

  test('still allows removal and download of a draft upload', async () => {
    const composer = memoryComposer()
    const full = await serve({ composer })
    const site = await serve({ composer, disable })
    const url = urlIn(await draft9.create(full, 'hello', draft9.end), full)
    const there = url.replace(full.origin, site.origin)
    expect(await download(there)).toBe('hello')
    expect((await remove(there)).status).toBe(204)
    expect((await draft9.ask('HEAD', url)).status).toBe(404)
  })
})

describe.each(versions)('disabled tus extensions, draft version %s', (version) => {
  const draft = draftOf(version)
  test('without creation, POST gets 405', async () => {
    const site = await serve({ disable: ['creation'] })
    const reply = await draft.create(site, 'hello', draft.end)
    expect([reply.status, reply.headers.allow]).toEqual([405, 'OPTIONS'])
    expect(problemIn(reply).code).toBe('ERR_METHOD_NOT_ALLOWED')
  })

  test('without termination, DELETE gets 405 and the upload continues', async () => {
    const site = await serve({ disable: ['termination'] })
    const url = await draft.started(site, 'hello')
    const reply = await draft.ask('DELETE', url)
    expect([reply.status, problemIn(reply).code]).toEqual([405, 'ERR_METHOD_NOT_ALLOWED'])
    expect(reply.headers.allow).not.toContain('DELETE')
    expect((await draft.append(url, 5, ' world', draft.end)).headers).toMatchObject(draft.end)
  })

  test('without checksum, a digest is refused', async () => {
    const site = await serve({ disable: ['checksum'] })
    const digest = { 'content-digest': 'sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:' }
    const refused = await draft.create(site, 'hello', { ...draft.end, ...digest })
    expect([refused.status, problemIn(refused).code]).toEqual([400, 'ERR_UNSUPPORTED_DIGEST'])
    expect((await draft.create(site, 'hello', draft.end)).status).toBe(201)
  })

  test('other extensions make no difference to the draft', async () => {
    const disable: Feature[] = [
      ...(['creation-with-upload', 'creation-defer-length', 'concatenation'] as const),
      'checksum-trailer',
    ]
    const site = await serve({ disable })
    const url = await draft.started(site, 'hello')
    expect((await draft.append(url, 5, ' world', draft.end)).headers).toMatchObject(draft.end)
    expect(await download(url)).toBe('hello world')
  })

  test('GET without download returns the state, even of a complete upload', async () => {
    const site = await serve({ disable: ['download'] })
    const url = urlIn(await draft.create(site, 'hello', draft.end), site)
    for (const named of [version, undefined]) {
      const { status, headers, text } = await draftOf(named).ask('GET', url)
      expect([status, headers['upload-offset'], text]).toEqual([204, '5', ''])
    }
  })
})
