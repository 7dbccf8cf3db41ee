import { describe, expect, test } from 'vitest'
import { createUpload, offsetOf, patch, post, serve } from '../../support/serve.js'
import { chunked, draftOf, limitIn, problemIn, urlIn, versions } from './draft.js'

test.each(versions)(
  'R-090 R-095 a length above max-size gets 413, and nothing is created, version %s',
  async (version) => {
    const draft = draftOf(version)
    let created = 0
    const site = await serve({ maxSize: 10, hooks: { postCreate: () => void created++ } })
    const reply = await draft.create(site, '', { ...draft.more, 'upload-length': '11' })
    expect([reply.status, reply.headers['upload-limit'], created]).toEqual([413, 'max-size=10', 0])
    expect(reply.headers).toMatchObject(draft.more)
    expect(reply.headers).not.toHaveProperty('location')
  },
)

describe.each(versions)('R-090 R-095 bytes beyond max-size, version %s', (version) => {
  const draft = draftOf(version)
  test.each([{}, chunked])(
    'R-090 R-095 they get 413 with Upload-Limit, and the upload stays, %o',
    async (framing) => {
      const url = await draft.started(await serve({ maxSize: 10 }), 'hello')
      for (const says of [draft.more, draft.end]) {
        const reply = await draft.append(url, 5, ' world', { ...says, ...framing })
        expect([reply.status, problemIn(reply).code]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
        expect(reply.headers['upload-limit']).toBe('max-size=10')
        expect(reply.headers).toMatchObject({ ...draft.more, 'upload-offset': '5' })
        expect(await draft.stateOf(url)).toMatchObject({
          'upload-offset': '5',
          ...draft.more,
        })
      }
      const last = await draft.append(url, 5, '12345', draft.end)
      expect(last.headers).toMatchObject({ 'upload-offset': '10', ...draft.end })
    },
  )

  test('R-090 R-095 a length that an append declares gets 413, and is not recorded', async () => {
    const url = await draft.started(await serve({ maxSize: 10 }), 'hello')
    const fields = { ...draft.more, 'upload-length': '11' }
    const reply = await draft.append(url, 5, ' wo', fields)
    expect([reply.status, reply.headers['upload-limit']]).toEqual([413, 'max-size=10'])
    expect(await draft.stateOf(url)).not.toHaveProperty('upload-length')
    expect((await draft.append(url, 5, '', draft.end)).headers).toMatchObject(draft.end)
  })

  test('R-090 R-096 a whole representation gets 413, and only a chunked one leaves an upload', async () => {
    let created = 0
    const site = await serve({ maxSize: 10, hooks: { postCreate: () => void created++ } })
    const known = await draft.create(site, 'hello world', draft.end)
    expect([known.status, known.headers.location, created]).toEqual([413, undefined, 0])
    const unknown = await draft.create(site, 'hello world', { ...draft.end, ...chunked })
    expect(unknown.status).toBe(413)
    for (const reply of [known, unknown]) {
      expect(reply.headers).toMatchObject({ ...draft.more, 'upload-limit': 'max-size=10' })
    }
    expect(await draft.stateOf(urlIn(unknown, site))).toMatchObject(draft.more)
  })
})

describe.each(versions)('R-091 min-size, version %s', (version) => {
  const draft = draftOf(version)
  test('R-091 a limit above the range of a field is written as the largest number', async () => {
    const site = await serve({ minSize: 2 * 10 ** 15, minAppendSize: 2 * 10 ** 15 })
    const reply = await draft.create(site, 'hello', draft.end)
    expect([reply.status, limitIn(reply, 'min-size')]).toEqual([201, 10 ** 15 - 1])
    expect(limitIn(reply, 'min-append-size')).toBe(10 ** 15 - 1)
  })

  test('R-091 a whole representation below it is accepted', async () => {
    const site = await serve({ minSize: 10 })
    for (const framing of [{}, chunked]) {
      const reply = await draft.create(site, 'hello', { ...draft.end, ...framing })
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ ...draft.end, 'upload-limit': 'min-size=10' })
    }
  })

  test('R-091 R-095 a part of an upload below it is refused, and nothing is created', async () => {
    let created = 0
    const hooks = { postCreate: () => void created++ }
    const site = await serve({ minSize: 10, maxSize: 20, hooks })
    const fields = { ...draft.more, 'upload-length': '9' }
    const reply = await draft.create(site, 'hello', fields)
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_UPLOAD_TOO_SMALL'])
    expect(reply.headers).toMatchObject({
      ...draft.more,
      'upload-limit': 'max-size=20, min-size=10',
    })
    expect(reply.headers).not.toHaveProperty('location')
    await site.server.stop()
    expect(created).toBe(0)
  })

  test('R-091 an upload of exactly that size, or of unknown length, may come in parts', async () => {
    const site = await serve({ minSize: 10 })
    await draft.started(site, 'hello', { 'upload-length': '10' })
    const url = await draft.started(site, 'hello')
    expect((await draft.append(url, 5, '', draft.end)).headers).toMatchObject(draft.end)
  })
})

const limits = { maxAppendSize: 6, minAppendSize: 3 }

describe.each(versions)('R-092 the size of one request, version %s', (version) => {
  const draft = draftOf(version)
  test.each([{}, chunked])(
    'R-092 R-095 R-096 a body above max-append-size gets 413, %o',
    async (framing) => {
      const site = await serve(limits)
      const url = await draft.started(site, 'hello')
      for (const said of [draft.more, draft.end]) {
        const reply = await draft.append(url, 5, '1234567', { ...said, ...framing })
        expect([reply.status, problemIn(reply).code]).toEqual([413, 'ERR_APPEND_TOO_LARGE'])
        expect(limitIn(reply, 'max-append-size')).toBe(6)
        expect(reply.headers).toMatchObject({ ...draft.more, 'upload-offset': '5' })
      }
      const created = await draft.create(site, '1234567', { ...draft.end, ...framing })
      expect([created.status, limitIn(created, 'max-append-size')]).toEqual([413, 6])
      expect(created.headers).toMatchObject(draft.more)
      // Two requests with the same bytes are accepted.
      const first = await draft.append(url, 5, '123456', draft.more)
      expect(first.headers['upload-offset']).toBe('11')
      expect((await draft.append(url, 11, '7', draft.end)).headers).toMatchObject(draft.end)
    },
  )

  test('R-092 an append that is refused for its size declares no length', async () => {
    const url = await draft.started(await serve(limits), 'hello')
    const declared = { ...draft.end, 'upload-length': '12' }
    expect((await draft.append(url, 5, '1234567', declared)).status).toBe(413)
    expect(await draft.stateOf(url)).not.toHaveProperty('upload-length')
    const reply = await draft.append(url, 5, ' world', draft.end)
    expect(reply.headers).toMatchObject(draft.end)
  })

  test('R-092 R-095 a body below min-append-size gets 400', async () => {
    const site = await serve(limits)
    const url = await draft.started(site, 'hello')
    const reply = await draft.append(url, 5, '12', draft.more)
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_APPEND_TOO_SMALL'])
    expect(limitIn(reply, 'min-append-size')).toBe(3)
    expect(reply.headers).toMatchObject(draft.more)
    expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5' })
    const created = await draft.create(site, '12', draft.more)
    expect([created.status, limitIn(created, 'min-append-size')]).toEqual([400, 3])
    expect(created.headers).not.toHaveProperty('location')
    const least = await draft.append(url, 5, '123', draft.more)
    expect(least.headers['upload-offset']).toBe('8')
  })

  test('R-092 a chunked body below min-append-size gets 400, and its bytes are kept', async () => {
    const url = await draft.started(await serve(limits), 'hello')
    const reply = await draft.append(url, 5, '12', { ...draft.more, ...chunked })
    expect([reply.status, reply.headers['upload-offset']]).toEqual([400, '7'])
    expect(limitIn(reply, 'min-append-size')).toBe(3)
    expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '7', ...draft.more })
  })

  test('R-092 min-append-size does not apply to an empty append', async () => {
    const site = await serve(limits)
    for (const framing of [{}, chunked]) {
      const url = await draft.started(site, '')
      for (const [at, body] of Object.entries({ 0: 'hello', 5: 'world!', 11: '' })) {
        const empty = await draft.append(url, Number(at), '', { ...draft.more, ...framing })
        expect(empty.headers['upload-offset']).toBe(at)
        await draft.append(url, Number(at), body, draft.more)
      }
    }
  })

  test('R-092 min-append-size applies neither to an empty creation nor to the end', async () => {
    const site = await serve(limits)
    expect((await draft.create(site, '', draft.more)).status).toBe(201)
    expect((await draft.create(site, '1', draft.end)).status).toBe(201)
    expect((await draft.create(site, '', draft.end)).status).toBe(201)
    for (const rest of ['', '6']) {
      for (const framing of [{}, chunked]) {
        const url = await draft.started(site, 'hello')
        const reply = await draft.append(url, 5, rest, { ...draft.end, ...framing })
        expect(reply.headers).toMatchObject(draft.end)
      }
    }
  })
})

describe('R-092 the size of one request', () => {
  test('R-092 applies to tus chunks too', async () => {
    const site = await serve(limits)
    const url = await createUpload(site)
    expect((await patch(url, 0, '1234567')).status).toBe(413)
    expect((await patch(url, 0, '12')).status).toBe(400)
    expect(await offsetOf(url)).toBe('0')
    expect((await patch(url, 0, 'hello ')).status).toBe(204)
    expect((await patch(url, 6, 'world')).status).toBe(204)
    expect((await post(site, { 'upload-length': '20' }, '1234567')).status).toBe(413)
  })
})

test.each(versions)(
  'R-093 R-094 the remaining time is returned, and bytes do not shorten it, version %s',
  async (version) => {
    const draft = draftOf(version)
    const site = await serve({ expiration: { after: 3_600_000 } })
    const key = version !== undefined && version <= 6 ? 'expires' : 'max-age'
    const url = await draft.started(site, 'hello')
    const state = { headers: await draft.stateOf(url) }
    const appended = await draft.append(url, 5, ' world', draft.more)
    for (const reply of [state, appended]) {
      expect(limitIn(reply, key)).toBeOneOf([3600, 3599, 3598])
    }
  },
)

test.each(versions)(
  'R-094 limits that are fixed at the creation stay, version %s',
  async (version) => {
    const draft = draftOf(version)
    let limit = 100
    const site = await serve({ maxSize: () => limit })
    const url = await draft.started(site, 'hello')
    limit = 6
    expect((await draft.stateOf(url))['upload-limit']).toBe('max-size=100')
    expect((await draft.append(url, 5, ' world', draft.end)).status).toBe(201)
  },
)

test.each(versions)(
  'R-097 a length beyond the range of numbers is refused, version %s',
  async (version) => {
    const draft = draftOf(version)
    let created = 0
    const site = await serve({ hooks: { postCreate: () => void created++ } })
    const url = await draft.started(site, 'hello')
    for (const length of ['99999999999999999999', '1e3', '-1', '0x10']) {
      const fields = { ...draft.end, 'content-length': length }
      const replies = [await draft.create(site, '', fields), await draft.append(url, 5, '', fields)]
      for (const { status } of replies) expect(status).toBeOneOf([400, 413])
    }
    expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft.more })
    await site.server.stop()
    expect(created).toBe(1)
  },
)
