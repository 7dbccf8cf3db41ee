import { describe, expect, test } from 'vitest'
import { createUpload, offsetOf, patch, post, serve } from '../../support/serve.js'
import {
  append,
  chunked,
  create,
  end,
  limitIn,
  more,
  problemIn,
  started,
  stateOf,
  urlIn,
  versions,
} from './draft.js'

test.each(versions)(
  'R-090 R-095 a length above max-size gets 413, and nothing is created, version %s',
  async (version) => {
    let created = 0
    const site = await serve({ maxSize: 10, hooks: { postCreate: () => void created++ } })
    const reply = await create(site, version, '', { ...more(version), 'upload-length': '11' })
    expect([reply.status, reply.headers['upload-limit'], created]).toEqual([413, 'max-size=10', 0])
    expect(reply.headers).toMatchObject(more(version))
    expect(reply.headers).not.toHaveProperty('location')
  },
)

describe.each(versions)('R-090 R-095 bytes beyond max-size, version %s', (version) => {
  test.each([{}, chunked])(
    'R-090 R-095 they get 413 with Upload-Limit, and the upload stays, %o',
    async (framing) => {
      const url = await started(await serve({ maxSize: 10 }), version, 'hello')
      for (const says of [more(version), end(version)]) {
        const reply = await append(url, version, 5, ' world', { ...says, ...framing })
        expect([reply.status, problemIn(reply).code]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
        expect(reply.headers['upload-limit']).toBe('max-size=10')
        expect(reply.headers).toMatchObject({ ...more(version), 'upload-offset': '5' })
        expect(await stateOf(url, version)).toMatchObject({
          'upload-offset': '5',
          ...more(version),
        })
      }
      const last = await append(url, version, 5, '12345', end(version))
      expect(last.headers).toMatchObject({ 'upload-offset': '10', ...end(version) })
    },
  )

  test('R-090 R-095 a length that an append declares gets 413, and is not recorded', async () => {
    const url = await started(await serve({ maxSize: 10 }), version, 'hello')
    const fields = { ...more(version), 'upload-length': '11' }
    const reply = await append(url, version, 5, ' wo', fields)
    expect([reply.status, reply.headers['upload-limit']]).toEqual([413, 'max-size=10'])
    expect(await stateOf(url, version)).not.toHaveProperty('upload-length')
    expect((await append(url, version, 5, '', end(version))).headers).toMatchObject(end(version))
  })

  test('R-090 R-096 a whole representation gets 413, and only a chunked one leaves an upload', async () => {
    let created = 0
    const site = await serve({ maxSize: 10, hooks: { postCreate: () => void created++ } })
    const known = await create(site, version, 'hello world', end(version))
    expect([known.status, known.headers.location, created]).toEqual([413, undefined, 0])
    const unknown = await create(site, version, 'hello world', { ...end(version), ...chunked })
    expect(unknown.status).toBe(413)
    for (const reply of [known, unknown]) {
      expect(reply.headers).toMatchObject({ ...more(version), 'upload-limit': 'max-size=10' })
    }
    expect(await stateOf(urlIn(unknown, site), version)).toMatchObject(more(version))
  })
})

describe.each(versions)('R-091 min-size, version %s', (version) => {
  test('R-091 a limit above the range of a field is written as the largest number', async () => {
    const site = await serve({ minSize: 2 * 10 ** 15, minAppendSize: 2 * 10 ** 15 })
    const reply = await create(site, version, 'hello', end(version))
    expect([reply.status, limitIn(reply, 'min-size')]).toEqual([201, 10 ** 15 - 1])
    expect(limitIn(reply, 'min-append-size')).toBe(10 ** 15 - 1)
  })

  test('R-091 a whole below it is accepted', async () => {
    const site = await serve({ minSize: 10 })
    for (const framing of [{}, chunked]) {
      const reply = await create(site, version, 'hello', { ...end(version), ...framing })
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ ...end(version), 'upload-limit': 'min-size=10' })
    }
  })

  test('R-091 R-095 a part of an upload below it is refused, and nothing is created', async () => {
    let created = 0
    const hooks = { postCreate: () => void created++ }
    const site = await serve({ minSize: 10, maxSize: 20, hooks })
    const fields = { ...more(version), 'upload-length': '9' }
    const reply = await create(site, version, 'hello', fields)
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_UPLOAD_TOO_SMALL'])
    expect(reply.headers).toMatchObject({
      ...more(version),
      'upload-limit': 'max-size=20, min-size=10',
    })
    expect(reply.headers).not.toHaveProperty('location')
    await site.server.stop()
    expect(created).toBe(0)
  })

  test('R-091 an upload of exactly that size, or of unknown length, may come in parts', async () => {
    const site = await serve({ minSize: 10 })
    await started(site, version, 'hello', { 'upload-length': '10' })
    const url = await started(site, version, 'hello')
    expect((await append(url, version, 5, '', end(version))).headers).toMatchObject(end(version))
  })
})

const limits = { maxAppendSize: 6, minAppendSize: 3 }

describe.each(versions)('R-092 the size of one request, version %s', (version) => {
  test.each([{}, chunked])(
    'R-092 R-095 R-096 a body above max-append-size gets 413, %o',
    async (framing) => {
      const site = await serve(limits)
      const url = await started(site, version, 'hello')
      for (const said of [more(version), end(version)]) {
        const reply = await append(url, version, 5, '1234567', { ...said, ...framing })
        expect([reply.status, problemIn(reply).code]).toEqual([413, 'ERR_APPEND_TOO_LARGE'])
        expect(limitIn(reply, 'max-append-size')).toBe(6)
        expect(reply.headers).toMatchObject({ ...more(version), 'upload-offset': '5' })
      }
      const created = await create(site, version, '1234567', { ...end(version), ...framing })
      expect([created.status, limitIn(created, 'max-append-size')]).toEqual([413, 6])
      expect(created.headers).toMatchObject(more(version))
      // Two requests with the same bytes are accepted.
      const first = await append(url, version, 5, '123456', more(version))
      expect(first.headers['upload-offset']).toBe('11')
      expect((await append(url, version, 11, '7', end(version))).headers).toMatchObject(
        end(version),
      )
    },
  )

  test('R-092 an append that is refused for its size declares no length', async () => {
    const url = await started(await serve(limits), version, 'hello')
    const declared = { ...end(version), 'upload-length': '12' }
    expect((await append(url, version, 5, '1234567', declared)).status).toBe(413)
    expect(await stateOf(url, version)).not.toHaveProperty('upload-length')
    const reply = await append(url, version, 5, ' world', end(version))
    expect(reply.headers).toMatchObject(end(version))
  })

  test('R-092 R-095 a body below min-append-size gets 400', async () => {
    const site = await serve(limits)
    const url = await started(site, version, 'hello')
    const reply = await append(url, version, 5, '12', more(version))
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_APPEND_TOO_SMALL'])
    expect(limitIn(reply, 'min-append-size')).toBe(3)
    expect(reply.headers).toMatchObject(more(version))
    expect(await stateOf(url, version)).toMatchObject({ 'upload-offset': '5' })
    const created = await create(site, version, '12', more(version))
    expect([created.status, limitIn(created, 'min-append-size')]).toEqual([400, 3])
    expect(created.headers).not.toHaveProperty('location')
    const least = await append(url, version, 5, '123', more(version))
    expect(least.headers['upload-offset']).toBe('8')
  })

  test('R-092 a chunked body below min-append-size gets 400, and its bytes are kept', async () => {
    const url = await started(await serve(limits), version, 'hello')
    const reply = await append(url, version, 5, '12', { ...more(version), ...chunked })
    expect([reply.status, reply.headers['upload-offset']]).toEqual([400, '7'])
    expect(limitIn(reply, 'min-append-size')).toBe(3)
    expect(await stateOf(url, version)).toMatchObject({ 'upload-offset': '7', ...more(version) })
  })

  test('R-092 min-append-size does not apply to an empty append', async () => {
    const site = await serve(limits)
    for (const framing of [{}, chunked]) {
      const url = await started(site, version, '')
      for (const [at, body] of Object.entries({ 0: 'hello', 5: 'world!', 11: '' })) {
        const empty = await append(url, version, Number(at), '', { ...more(version), ...framing })
        expect(empty.headers['upload-offset']).toBe(at)
        await append(url, version, Number(at), body, more(version))
      }
    }
  })

  test('R-092 min-append-size applies neither to an empty creation nor to the end', async () => {
    const site = await serve(limits)
    expect((await create(site, version, '', more(version))).status).toBe(201)
    expect((await create(site, version, '1', end(version))).status).toBe(201)
    expect((await create(site, version, '', end(version))).status).toBe(201)
    for (const rest of ['', '6']) {
      for (const framing of [{}, chunked]) {
        const url = await started(site, version, 'hello')
        const reply = await append(url, version, 5, rest, { ...end(version), ...framing })
        expect(reply.headers).toMatchObject(end(version))
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
    const site = await serve({ expiration: { after: 3_600_000 } })
    const key = version !== undefined && version <= 6 ? 'expires' : 'max-age'
    const url = await started(site, version, 'hello')
    const state = { headers: await stateOf(url, version) }
    const appended = await append(url, version, 5, ' world', more(version))
    for (const reply of [state, appended]) {
      expect(limitIn(reply, key)).toBeOneOf([3600, 3599, 3598])
    }
  },
)

test.each(versions)(
  'R-094 limits that are fixed at the creation stay, version %s',
  async (version) => {
    let limit = 100
    const site = await serve({ maxSize: () => limit })
    const url = await started(site, version, 'hello')
    limit = 6
    expect((await stateOf(url, version))['upload-limit']).toBe('max-size=100')
    expect((await append(url, version, 5, ' world', end(version))).status).toBe(201)
  },
)

test.each(versions)(
  'R-097 a length beyond the range of numbers is refused, version %s',
  async (version) => {
    let created = 0
    const site = await serve({ hooks: { postCreate: () => void created++ } })
    const url = await started(site, version, 'hello')
    for (const length of ['99999999999999999999', '1e3', '-1', '0x10']) {
      const fields = { ...end(version), 'content-length': length }
      const replies = [
        await create(site, version, '', fields),
        await append(url, version, 5, '', fields),
      ]
      for (const { status } of replies) expect(status).toBeOneOf([400, 413])
    }
    expect(await stateOf(url, version)).toMatchObject({ 'upload-offset': '5', ...more(version) })
    await site.server.stop()
    expect(created).toBe(1)
  },
)
