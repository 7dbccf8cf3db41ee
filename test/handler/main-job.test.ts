import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { chunk as bytes, serve, tus } from '../support/serve.js'

test('an upload in pieces arrives complete, can be read and removed', async () => {
  const { origin } = await serve()
  const data = randomBytes(300_000)
  const created = await fetch(`${origin}/files`, {
    method: 'POST',
    headers: { ...tus, 'upload-length': '300000', 'upload-metadata': 'filename aGVsbG8udHh0' },
  })
  expect(created.status).toBe(201)
  const url = origin + created.headers.get('location')

  const first = await fetch(url, {
    method: 'PATCH',
    headers: { ...bytes, 'upload-offset': '0' },
    body: data.subarray(0, 100_000),
  })
  expect([first.status, first.headers.get('upload-offset')]).toEqual([204, '100000'])

  const head = await fetch(url, { method: 'HEAD', headers: tus })
  expect([head.status, head.headers.get('upload-offset')]).toEqual([200, '100000'])

  const rest = await fetch(url, {
    method: 'PATCH',
    headers: { ...bytes, 'upload-offset': '100000' },
    body: data.subarray(100_000),
  })
  expect([rest.status, rest.headers.get('upload-offset')]).toEqual([204, '300000'])

  const got = await fetch(url)
  expect(got.status).toBe(200)
  expect(got.headers.get('content-disposition')).toBe('attachment; filename="hello.txt"')
  expect(
    createHash('sha256')
      .update(Buffer.from(await got.arrayBuffer()))
      .digest('hex'),
  ).toBe(createHash('sha256').update(data).digest('hex'))

  expect((await fetch(url, { method: 'DELETE', headers: tus })).status).toBe(204)
  expect((await fetch(url, { method: 'HEAD', headers: tus })).status).toBeOneOf([404, 410])
})

test('a checksum that does not match discards the chunk', async () => {
  const { origin } = await serve()
  const created = await fetch(`${origin}/files/`, {
    method: 'POST',
    headers: { ...tus, 'upload-length': '5' },
  })
  const url = origin + created.headers.get('location')
  const send = (digest: string) =>
    fetch(url, {
      method: 'PATCH',
      headers: { ...bytes, 'upload-offset': '0', 'upload-checksum': `sha1 ${digest}` },
      body: 'hello',
    })
  const wrong = await send(createHash('sha1').update('HELLO').digest('base64'))
  expect([wrong.status, wrong.statusText]).toEqual([460, 'Checksum Mismatch'])
  expect(wrong.headers.get('upload-offset')).toBe('0')
  const right = await send(createHash('sha1').update('hello').digest('base64'))
  expect([right.status, right.headers.get('upload-offset')]).toEqual([204, '5'])
})

test('partial uploads are concatenated', async () => {
  const { origin } = await serve()
  const urls: string[] = []
  for (const text of ['hello ', 'world']) {
    const partial = await fetch(`${origin}/files`, {
      method: 'POST',
      headers: { ...bytes, 'upload-length': String(text.length), 'upload-concat': 'partial' },
      body: text,
    })
    expect([partial.status, partial.headers.get('upload-offset')]).toEqual([
      201,
      String(text.length),
    ])
    urls.push(partial.headers.get('location')!)
  }
  const final = await fetch(`${origin}/files`, {
    method: 'POST',
    headers: { ...tus, 'upload-concat': `final;${urls.join(' ')}` },
  })
  expect(final.status).toBe(201)
  const got = await fetch(origin + final.headers.get('location'))
  expect(await got.text()).toBe('hello world')
})
