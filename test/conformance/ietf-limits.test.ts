import { describe, expect, test } from 'vitest'
import { createUpload, offsetOf, patch, post, serve } from '../serve.js'
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
  versions,
} from './draft.js'

test.each(versions)(
  'R-090 R-095 a length above max-size: 413, nothing is created, version %s',
  async (version) => {
    let created = 0
    const site = await serve({ maxSize: 10, hooks: { postCreate: () => void created++ } })
    const reply = await create(site, version, '', { ...more(version), 'upload-length': '11' })
    expect([reply.status, reply.headers['upload-limit'], created]).toEqual([413, 'max-size=10', 0])
    expect(reply.headers).toMatchObject(more(version))
    expect(reply.headers).not.toHaveProperty('location')
  },
)

describe('R-090 R-095 bytes beyond max-size', () => {
  test.each([{}, chunked])(
    'R-090 R-095 413 with Upload-Limit, and the upload stays, %o',
    async (fields) => {
      const url = await started(await serve({ maxSize: 10 }), 9, 'hello')
      const reply = await append(url, 9, 5, ' world', { ...more(9), ...fields })
      expect([reply.status, reply.headers['upload-limit']]).toEqual([413, 'max-size=10'])
      expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?0' })
      expect((await append(url, 9, 5, '12345', end(9))).headers['upload-complete']).toBe('?1')
    },
  )
})

test('R-091 below min-size the whole is accepted', async () => {
  const reply = await create(await serve({ minSize: 10 }), 9, 'hello', end(9))
  expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
})

describe('R-092 the size of one request', () => {
  const limits = { maxAppendSize: 6, minAppendSize: 3 }

  test.each([{}, chunked])('R-092 R-095 R-096 above max-append-size: 413, %o', async (fields) => {
    const site = await serve(limits)
    const url = await started(site, 9, 'hello')
    for (const said of [more(9), end(9)]) {
      const reply = await append(url, 9, 5, '1234567', { ...said, ...fields })
      expect([reply.status, problemIn(reply).code]).toEqual([413, 'ERR_APPEND_TOO_LARGE'])
      expect(limitIn(reply, 'max-append-size')).toBe(6)
    }
    const created = await create(site, 9, '1234567', { ...end(9), ...fields })
    expect([created.status, limitIn(created, 'max-append-size')]).toEqual([413, 6])
  })

  test('R-092 R-095 below min-append-size: 400', async () => {
    const site = await serve(limits)
    const url = await started(site, 9, 'hello')
    const reply = await append(url, 9, 5, '12', more(9))
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_APPEND_TOO_SMALL'])
    expect(limitIn(reply, 'min-append-size')).toBe(3)
    expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5' })
    expect((await create(site, 9, '12', more(9))).status).toBe(400)
  })

  test('R-092 a chunked body below min-append-size: 400, and its bytes are kept', async () => {
    const url = await started(await serve(limits), 9, 'hello')
    const reply = await append(url, 9, 5, '12', { ...more(9), ...chunked })
    expect([reply.status, reply.headers['upload-offset']]).toEqual([400, '7'])
  })

  test('R-092 min-append-size concerns neither an empty creation nor the end', async () => {
    const site = await serve(limits)
    expect((await create(site, 9, '', more(9))).status).toBe(201)
    expect((await create(site, 9, '1', end(9))).status).toBe(201)
    const url = await started(site, 9, 'hello')
    expect((await append(url, 9, 5, '', end(9))).status).toBe(201)
  })

  test('R-092 holds for chunks of tus, too', async () => {
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
  'R-093 R-094 the time that is left is told, and does not shrink, version %s',
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

test('R-094 limits that are fixed at the creation stay', async () => {
  let limit = 100
  const site = await serve({ maxSize: () => limit })
  const url = await started(site, 9, 'hello')
  limit = 6
  expect((await stateOf(url, 9))['upload-limit']).toBe('max-size=100')
  expect((await append(url, 9, 5, ' world', end(9))).status).toBe(201)
})

test('R-097 a length beyond what numbers hold is refused', async () => {
  const reply = await create(await serve(), 9, '', {
    ...end(9),
    'content-length': '99999999999999999999',
  })
  expect(reply.status).toBeOneOf([400, 413])
})
