import { describe, expect, test } from 'vitest'
import {
  createUpload,
  download,
  head,
  openPatch,
  patch,
  post,
  send,
  serve,
  stores,
  until,
  untilOffset,
} from '../../support/serve.js'

const deferred = { 'upload-defer-length': '1' }

describe.each(stores)('a deferred length ($store store)', ({ compose }) => {
  test('T-100 is reported by HEAD instead of a length', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, deferred)
    for (const [body, offset] of [
      ['', 0],
      ['hello', 5],
    ] as const) {
      if (body !== '') await patch(url, 0, body)
      const { status, headers } = await head(url)
      expect(status).toBe(200)
      expect(headers).toMatchObject({ 'upload-defer-length': '1', 'upload-offset': `${offset}` })
      expect(headers).not.toHaveProperty('upload-length')
    }
  })

  test('T-101 a PATCH declares the length, which HEAD reports from then on', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, deferred)
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    const declaring = await patch(url, 5, ' ', { 'upload-length': '11' })
    expect([declaring.status, declaring.headers['upload-offset']]).toEqual([204, '6'])
    const { headers } = await head(url)
    expect(headers).toMatchObject({ 'upload-length': '11', 'upload-offset': '6' })
    expect(headers).not.toHaveProperty('upload-defer-length')
    expect((await patch(url, 6, 'world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-104 an empty PATCH that declares the offset as the length finishes the upload', async () => {
    const finished: string[] = []
    const site = await serve({
      composer: await compose(),
      hooks: { preFinish: ({ upload }) => void finished.push(`${upload.length}`) },
    })
    const url = await createUpload(site, deferred)
    await patch(url, 0, 'hello')
    expect(finished).toEqual([])
    const last = await patch(url, 5, '', { 'upload-length': '5' })
    expect([last.status, last.headers['upload-offset']]).toEqual([204, '5'])
    expect(finished).toEqual(['5'])
    expect(await download(url)).toBe('hello')
  })

  test('T-104 an upload that turns out to be empty is finished by an empty PATCH', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, deferred)
    expect((await patch(url, 0, '', { 'upload-length': '0' })).status).toBe(204)
    expect((await head(url)).headers).toMatchObject({ 'upload-length': '0', 'upload-offset': '0' })
    expect(await download(url)).toBe('')
  })

  test('T-108 a declared length remains when the body is cut off', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, deferred)
    const { request } = openPatch(url, 0, { 'upload-length': '11', 'content-length': '11' })
    request.write('hello')
    await untilOffset(url, 5)
    request.destroy()
    const { headers } = await head(url)
    expect(headers).toMatchObject({ 'upload-length': '11', 'upload-offset': '5' })
    expect(headers).not.toHaveProperty('upload-defer-length')
    expect((await patch(url, 5, ' world')).status).toBe(204)
  })

  test('T-108 a declared length remains when the checksum does not match', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, deferred)
    const reply = await patch(url, 0, 'hello', {
      'upload-length': '11',
      'upload-checksum': `sha1 ${Buffer.alloc(20).toString('base64')}`,
    })
    expect(reply.status).toBe(460)
    expect((await head(url)).headers).toMatchObject({ 'upload-length': '11', 'upload-offset': '0' })
  })
})

test('T-101 a length is recorded before the body is read', async () => {
  const site = await serve()
  const url = await createUpload(site, deferred)
  const { request, reply } = openPatch(url, 0, { 'upload-length': '5' })
  const { headers } = await until(
    () => head(url),
    (reply) => reply.headers['upload-length'] !== undefined,
  )
  expect(headers).toMatchObject({ 'upload-length': '5', 'upload-offset': '0' })
  request.end('hello')
  expect((await reply).status).toBe(204)
})

test('T-102 the length never changes once it is set', async () => {
  const site = await serve()
  const fixed = await createUpload(site, { 'upload-length': '11' })
  const late = await createUpload(site, deferred)
  expect((await patch(late, 0, '', { 'upload-length': '11' })).status).toBe(204)
  for (const url of [fixed, late]) {
    for (const length of ['10', '12', '0', '5']) {
      const reply = await patch(url, 0, 'hello', { 'upload-length': length })
      expect(reply.status).toBe(400)
      expect(reply.text).toMatch(/^ERR_LENGTH_MISMATCH: .+\n$/)
    }
    expect((await head(url)).headers).toMatchObject({ 'upload-length': '11', 'upload-offset': '0' })
  }
})

test('T-102 repeating the same length is accepted', async () => {
  const site = await serve()
  const fixed = await createUpload(site, { 'upload-length': '11' })
  const late = await createUpload(site, deferred)
  for (const url of [fixed, late]) {
    expect((await patch(url, 0, 'hello', { 'upload-length': '11' })).status).toBe(204)
    expect((await patch(url, 5, ' world', { 'upload-length': '11' })).status).toBe(204)
    expect((await patch(url, 11, '', { 'upload-length': '11' })).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  }
})

test('T-103 a length below the stored bytes gets 400, one above the maximum 413', async () => {
  const site = await serve({ maxSize: 100 })
  const url = await createUpload(site, deferred)
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  const tooLow = await patch(url, 5, '', { 'upload-length': '4' })
  expect([tooLow.status, tooLow.text.split(':', 1)[0]]).toEqual([400, 'ERR_LENGTH_MISMATCH'])
  const tooHigh = await patch(url, 5, '', { 'upload-length': '101' })
  expect([tooHigh.status, tooHigh.text.split(':', 1)[0]]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
  for (const malformed of ['-1', '', 'x', '1e3', '5, 5']) {
    expect((await patch(url, 5, '', { 'upload-length': malformed })).status).toBe(400)
  }
  expect((await head(url)).headers).toMatchObject({
    'upload-defer-length': '1',
    'upload-offset': '5',
  })
  expect((await patch(url, 5, '', { 'upload-length': '100' })).status).toBe(204)
})

test('T-103 a body longer than the length that it declares gets 413', async () => {
  const site = await serve()
  const url = await createUpload(site, deferred)
  const reply = await patch(url, 0, 'hello world', { 'upload-length': '5' })
  expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([413, 'ERR_LENGTH_EXCEEDED'])
  expect((await head(url)).headers['upload-offset']).toBe('0')
})

test('T-105 bytes beyond the maximum get 413 while the length is unknown', async () => {
  const site = await serve({ maxSize: 10 })
  const url = await createUpload(site, deferred)
  const declared = await patch(url, 0, 'hello world')
  expect([declared.status, declared.text.split(':', 1)[0]]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
  expect((await head(url)).headers['upload-offset']).toBe('0')

  // The excess of a chunked body shows only when it arrives. This request does not end by itself.
  const { request, reply } = openPatch(url, 0)
  request.write('hello')
  await untilOffset(url, 5)
  request.write(' world')
  expect((await reply).status).toBe(413)
  request.destroy()
  expect((await head(url)).headers['upload-offset']).toBe('5')

  expect((await patch(url, 5, 'world')).status).toBe(204)
  expect((await patch(url, 10, '!')).status).toBe(413)
  expect((await patch(url, 10, '', { 'upload-length': '10' })).status).toBe(204)
  expect(await download(url)).toBe('helloworld')
})

test('T-106 a deferred length is refused when the extension is disabled', async () => {
  const site = await serve({ disable: ['creation-defer-length'] })
  const reply = await post(site, deferred)
  expect(reply.status).toBe(400)
  expect(reply.text).toMatch(/^ERR_EXTENSION_DISABLED: .+\n$/)
  expect(reply.headers).not.toHaveProperty('location')
  const url = await createUpload(site)
  expect((await patch(url, 0, '', deferred)).status).toBe(400)
  expect((await patch(url, 0, 'hello', { 'upload-length': '11' })).status).toBe(204)
  expect((await patch(url, 5, 'hello', { 'upload-length': '12' })).status).toBe(400)
  const options = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  expect(options.headers['tus-extension']).not.toContain('creation-defer-length')
})

test('T-107 a PATCH may repeat Upload-Defer-Length while the length is unknown', async () => {
  const site = await serve()
  const url = await createUpload(site, deferred)
  expect((await patch(url, 0, 'hello', deferred)).status).toBe(204)
  expect((await patch(url, 5, ' ', deferred)).headers['upload-offset']).toBe('6')
  expect((await head(url)).headers).toMatchObject(deferred)
  expect((await patch(url, 6, 'world', { 'upload-length': '11' })).status).toBe(204)
  expect((await patch(url, 11, '', deferred)).status).toBe(400)
  expect(await download(url)).toBe('hello world')
})

test('T-107 any other Upload-Defer-Length on a PATCH gets 400', async () => {
  const site = await serve()
  const late = await createUpload(site, deferred)
  const fixed = await createUpload(site)
  const refused = [
    [fixed, deferred, 'ERR_INVALID_DEFER_LENGTH'],
    [late, { ...deferred, 'upload-length': '11' }, 'ERR_AMBIGUOUS_LENGTH'],
    ...['0', '', '2', '01', 'true', ['1', '1']].map(
      (value) => [late, { 'upload-defer-length': value }, 'ERR_INVALID_DEFER_LENGTH'] as const,
    ),
  ] as const
  for (const [url, headers, code] of refused) {
    const reply = await patch(url, 0, 'hello', headers)
    expect([headers, reply.status, reply.text.split(':', 1)[0]]).toEqual([headers, 400, code])
    expect((await head(url)).headers['upload-offset']).toBe('0')
  }
})

test('T-107 Upload-Defer-Length on a final upload gets 400', async () => {
  const site = await serve()
  const partial = await post(site, { 'upload-concat': 'partial', 'upload-length': '1' }, 'a')
  const final = await post(site, {
    ...deferred,
    'upload-concat': `final;${partial.headers.location}`,
  })
  expect(final.status).toBe(400)
})
