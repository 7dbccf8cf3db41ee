import { describe, expect, test } from 'vitest'
import { send, serve } from '../../support/serve.js'
import { draft9, draftOf, problemIn, urlIn, versions } from './draft.js'

const notBooleans = ['1', 'true', '?2', '"?1"', '?1, ?0', '', '?1;', '?1;A=2']
const notOffsets = ['-1', '1.0', '"5"', '0, 5', '+5', '1234567890123456', '', 'five', '0x5']

describe('R-001 a field whose value has the wrong type counts as absent', () => {
  test.each(notBooleans)(
    'R-001 a creation with "Upload-Complete: %s" is not a draft creation',
    async (value) => {
      let created = 0
      const site = await serve({ hooks: { postCreate: () => void created++ } })
      for (const version of versions) {
        const name = version === 3 ? 'upload-incomplete' : 'upload-complete'
        const reply = await draftOf(version).create(site, 'hello', { [name]: value })
        // It is an ordinary POST, to which the creation URL responds as tus does.
        expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
      }
      expect(created).toBe(0)
    },
  )

  test.each(notBooleans)('R-001 an append with "Upload-Complete: %s" gets 400', async (value) => {
    const url = await draft9.started(await serve(), 'hello')
    const reply = await draft9.append(url, 5, ' world', { 'upload-complete': value })
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_INVALID_COMPLETE'])
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5' })
  })

  test.each(notOffsets)('R-001 "Upload-Length: %s" declares no length', async (value) => {
    const site = await serve()
    const reply = await draft9.create(site, 'hello', { ...draft9.more, 'upload-length': value })
    expect(reply.status).toBe(201)
    const url = urlIn(reply, site)
    expect(await draft9.stateOf(url)).not.toHaveProperty('upload-length')
    const appended = await draft9.append(url, 5, ' world', {
      ...draft9.more,
      'upload-length': value,
    })
    expect([appended.status, appended.headers['upload-offset']]).toEqual([204, '11'])
    expect(await draft9.stateOf(url)).not.toHaveProperty('upload-length')
  })

  test.each(['abc', '"8"', '8.0', '?1', '8, 8', ''])(
    'R-001 "Upload-Draft-Interop-Version: %s" names no version, so the latest rules apply',
    async (value) => {
      const site = await serve()
      const headers = { ...draft9.more, 'upload-draft-interop-version': value }
      const reply = await draftOf(undefined).create(site, 'hello', headers)
      expect(reply.status).toBe(201)
      const appended = await draftOf(undefined).append(urlIn(reply, site), 5, '', headers)
      expect(appended.status).toBe(204)
    },
  )
})

describe('R-002 two lines of a field count as absent', () => {
  test.each(versions)(
    'R-002 two lines of Upload-Complete make no draft creation, version %s',
    async (version) => {
      const site = await serve()
      const name = version === 3 ? 'upload-incomplete' : 'upload-complete'
      for (const lines of [
        ['?1', '?0'],
        ['?1', '?1'],
      ]) {
        const reply = await draftOf(version).create(site, 'hello', { [name]: lines })
        expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
      }
    },
  )

  test('R-002 an append with two lines of Upload-Complete gets 400', async () => {
    const url = await draft9.started(await serve(), 'hello')
    const reply = await draft9.append(url, 5, ' world', { 'upload-complete': ['?1', '?1'] })
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_INVALID_COMPLETE'])
    expect(await draft9.stateOf(url)).toMatchObject({
      'upload-offset': '5',
      'upload-complete': '?0',
    })
  })

  test('R-002 an append with two lines of Upload-Offset gets 400', async () => {
    const url = await draft9.started(await serve(), 'hello')
    for (const lines of [
      ['0', '5'],
      ['5', '5'],
    ]) {
      const reply = await draft9.append(url, 5, ' world', { ...draft9.end, 'upload-offset': lines })
      expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_INVALID_OFFSET'])
    }
    expect(await draft9.stateOf(url)).toMatchObject({
      'upload-offset': '5',
      'upload-complete': '?0',
    })
  })

  test('R-002 two lines of Upload-Length declare no length', async () => {
    const site = await serve()
    // A single line of it would be refused both times.
    const lines = { 'upload-length': ['12', '12'] }
    const reply = await draft9.create(site, 'hello', { ...draft9.end, ...lines })
    expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
    const url = await draft9.started(site, 'hello')
    const appended = await draft9.append(url, 5, ' world', { ...draft9.end, ...lines })
    expect([appended.status, appended.headers['upload-offset']]).toEqual([201, '11'])
  })
})

test('R-003 numbers of up to 15 digits are accepted, and written in plain decimal', async () => {
  const site = await serve()
  const length = '999999999999999'
  const reply = await draft9.create(site, '', { ...draft9.more, 'upload-length': length })
  expect(await draft9.stateOf(urlIn(reply, site))).toMatchObject({
    'upload-length': length,
    'upload-offset': '0',
  })
  const zeros = await draft9.create(site, '', {
    ...draft9.more,
    'upload-length': '000000000000011',
  })
  const url = urlIn(zeros, site)
  expect((await draft9.stateOf(url))['upload-length']).toBe('11')
  const appended = await draft9.append(url, 0, 'hello', { ...draft9.more, 'upload-offset': '000' })
  expect([appended.status, appended.headers['upload-offset']]).toEqual([204, '5'])
})

test('R-003 a number of 16 digits counts as absent', async () => {
  const site = await serve()
  const length = '1000000000000000'
  const reply = await draft9.create(site, '', { ...draft9.more, 'upload-length': length })
  expect(reply.status).toBe(201)
  expect(await draft9.stateOf(urlIn(reply, site))).not.toHaveProperty('upload-length')
})

test('R-003 a limit beyond 15 digits is written as the largest number of 15', async () => {
  const { origin } = await serve({ maxSize: Number.MAX_SAFE_INTEGER })
  const { headers } = await send({ method: 'OPTIONS', url: `${origin}/files` })
  expect(headers['upload-limit']).toBe('max-size=999999999999999')
})

test('R-004 parameters after a value are ignored', async () => {
  const site = await serve()
  const headers = {
    'upload-complete': '?0;x=2;y',
    'upload-length': '11;a="b"',
    'upload-draft-interop-version': '9;draft',
  }
  const reply = await draftOf(undefined).create(site, 'hello', headers)
  expect(reply.status).toBe(201)
  const url = urlIn(reply, site)
  expect((await draft9.stateOf(url))['upload-length']).toBe('11')
  const fields = { 'upload-offset': '5;from=here', 'upload-complete': '?1;really' }
  const appended = await draft9.append(url, 5, ' world', fields)
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

describe.each(versions)('version %s', (version) => {
  const draft = draftOf(version)
  test.each([undefined, ...notOffsets])(
    'R-006 an append without a valid Upload-Offset (%s) gets 400, and nothing is stored',
    async (value) => {
      const url = await draft.started(await serve(), 'hello')
      for (const says of [draft.end, draft.more]) {
        const fields = { ...says, 'upload-offset': value }
        const reply = await draft.append(url, 5, ' world', fields)
        expect(reply.status).toBe(400)
        expect(reply.headers).toMatchObject(draft.more)
        expect(problemIn(reply).code).toBe('ERR_INVALID_OFFSET')
      }
      expect(await draft.stateOf(url)).toMatchObject({ ...draft.more, 'upload-offset': '5' })
    },
  )
})
