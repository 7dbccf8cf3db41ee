import { describe, expect, test } from 'vitest'
import { send, serve } from '../serve.js'
import { append, create, end, more, problemIn, started, stateOf, urlIn } from './draft.js'

const notBooleans = ['1', 'true', '?2', '"?1"', '?1, ?0', '', '?1;', '?1;A=2']
const notOffsets = ['-1', '1.0', '"5"', '0, 5', '+5', '1234567890123456', '', 'five', '0x5']

describe('R-001 a field whose value has the wrong type counts as absent', () => {
  test.each(notBooleans)(
    'R-001 a creation with "Upload-Complete: %s" is no creation of the draft',
    async (value) => {
      const site = await serve()
      const reply = await create(site, 9, 'hello', { 'upload-complete': value })
      // An ordinary POST, and to such the creation URL answers by tus.
      expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
    },
  )

  test.each(notBooleans)(
    'R-001 an append with "Upload-Complete: %s" does not say whether it is the end',
    async (value) => {
      const url = await started(await serve(), 9, 'hello')
      const reply = await append(url, 9, 5, ' world', { 'upload-complete': value })
      expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_INVALID_COMPLETE'])
      expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5' })
    },
  )

  test.each(notOffsets)('R-001 "Upload-Length: %s" tells no length', async (value) => {
    const site = await serve()
    const reply = await create(site, 9, 'hello', { ...more(9), 'upload-length': value })
    expect(reply.status).toBe(201)
    expect(await stateOf(urlIn(reply, site), 9)).not.toHaveProperty('upload-length')
  })

  test.each(['abc', '"8"', '8.0', '?1', '8, 8', ''])(
    'R-001 "Upload-Draft-Interop-Version: %s" names no version: the latest rules hold',
    async (value) => {
      const site = await serve()
      const headers = { ...more(9), 'upload-draft-interop-version': value }
      const reply = await create(site, undefined, 'hello', headers)
      expect(reply.status).toBe(201)
      const appended = await append(urlIn(reply, site), undefined, 5, '', headers)
      expect(appended.status).toBe(204)
    },
  )
})

test.each(['upload-offset', 'upload-length', 'upload-complete'])(
  'R-002 two lines of %s count as none',
  async (name) => {
    const site = await serve()
    const url = await started(site, 9, 'hello')
    const twice = {
      'upload-offset': ['5', '5'],
      'upload-length': ['11', '11'],
      'upload-complete': ['?1', '?1'],
    }
    const reply = await append(url, 9, 5, ' world', {
      ...end(9),
      [name]: twice[name as keyof typeof twice],
    })
    if (name !== 'upload-length') expect(reply.status).toBe(400)
    else expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '11'])
  },
)

test('R-003 numbers of up to 15 digits are read, and told in plain decimal', async () => {
  const site = await serve()
  const length = '999999999999999'
  const reply = await create(site, 9, '', { ...more(9), 'upload-length': length })
  expect(await stateOf(urlIn(reply, site), 9)).toMatchObject({
    'upload-length': length,
    'upload-offset': '0',
  })
  const zeros = await create(site, 9, '', { ...more(9), 'upload-length': '000000000000011' })
  expect((await stateOf(urlIn(zeros, site), 9))['upload-length']).toBe('11')
})

test('R-003 a limit beyond 15 digits is told as the largest number of 15', async () => {
  const { origin } = await serve({ maxSize: Number.MAX_SAFE_INTEGER })
  const { headers } = await send({ method: 'OPTIONS', url: `${origin}/files` })
  expect(headers['upload-limit']).toBe('max-size=999999999999999')
})

test('R-004 parameters behind a value are ignored', async () => {
  const site = await serve()
  const headers = {
    'upload-complete': '?0;x=2;y',
    'upload-length': '11;a="b"',
    'upload-draft-interop-version': '9;draft',
  }
  const reply = await create(site, undefined, 'hello', headers)
  expect(reply.status).toBe(201)
  const url = urlIn(reply, site)
  expect((await stateOf(url, 9))['upload-length']).toBe('11')
  const fields = { 'upload-offset': '5;from=here', 'upload-complete': '?1;really' }
  const appended = await append(url, 9, 5, ' world', fields)
  expect([appended.status, appended.headers['upload-complete']]).toEqual([201, '?1'])
})

test('R-005 the members of Upload-Limit are separated by a comma and a space', async () => {
  const { origin } = await serve({
    maxSize: 1000,
    minSize: 2,
    maxAppendSize: 500,
    minAppendSize: 3,
    expiration: { after: 3_600_000 },
  })
  const { headers } = await send({ method: 'OPTIONS', url: `${origin}/files` })
  expect(headers['upload-limit']).toBe(
    'max-size=1000, min-size=2, max-append-size=500, min-append-size=3, max-age=3600',
  )
})

test.each([undefined, ...notOffsets])(
  'R-006 an append without a valid Upload-Offset (%s): 400, not complete, nothing is stored',
  async (value) => {
    const url = await started(await serve(), 9, 'hello')
    const reply = await append(url, 9, 5, ' world', { ...end(9), 'upload-offset': value })
    expect([reply.status, reply.headers['upload-complete']]).toEqual([400, '?0'])
    expect(problemIn(reply).code).toBe('ERR_INVALID_OFFSET')
    expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?0' })
  },
)
