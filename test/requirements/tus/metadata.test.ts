import { expect, test } from 'vitest'
import {
  createUpload,
  head,
  patch,
  post,
  send,
  sendRaw,
  serve,
  stores,
} from '../../support/serve.js'

const refused = [
  ['a key twice', 'a YQ==,a Yg=='],
  ['a key twice, once without a value', 'a,b YQ==,a YQ=='],
  ['two commas', 'a YQ==,,b YQ=='],
  ['only a comma', ','],
  ['two commas at the end', 'a YQ==,,'],
  ['a comma at the beginning', ',a YQ=='],
  ['only a space between commas', 'a YQ==, ,b YQ=='],
  ['three words', 'a b c'],
  ['two values', 'a YQ== YQ=='],
  ['characters outside the alphabet', 'a !!!!'],
  ['no padding', 'a YQ'],
  ['half of the padding', 'a YQ='],
  ['too much padding', 'a YQ==='],
  ['only padding', 'a ===='],
  ['padding in the middle', 'a YQ==YQ=='],
  ['the URL-safe alphabet', 'a _-8='],
  ['a key that is not ASCII', 'k\u00e9 YQ=='],
  ['a tab in a pair', 'a\tYQ=='],
] as const

test.each(refused)('T-091 %s gets 400, and nothing is created', async (_, value) => {
  const created: string[] = []
  const site = await serve({ hooks: { preCreate: ({ upload }) => void created.push(upload.id) } })
  const reply = await post(site, { 'upload-length': '5', 'upload-metadata': value }, 'hello')
  expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_METADATA'])
  expect(reply.headers.location).toBeUndefined()
  expect(created).toEqual([])
})

test('T-091 the response names the pair, and repeats nothing that could do harm', async () => {
  const site = await serve()
  const ask = async (value: string) =>
    (await post(site, { 'upload-length': '5', 'upload-metadata': value })).text
  expect(await ask('filename YQ==,filetype text/plain')).toBe(
    'ERR_INVALID_METADATA: Pair 2 of Upload-Metadata ("filetype") has a value that is not standard ' +
      'Base64 with padding\n',
  )
  expect(await ask('<script>alert(1)</script> !')).not.toContain('script')
})

test('T-091 a key in two header lines is refused too', async () => {
  const lines = ['a YQ==', 'a Yg==']
  const reply = await post(await serve(), { 'upload-length': '5', 'upload-metadata': lines })
  expect(reply.status).toBe(400)
})

const binary = Buffer.from([0xff, 0xfe, 0x00, 0x0d, 0x0a]).toString('base64')

const accepted: [string, string | string[], Record<string, string>][] = [
  ['a pair', 'filename aGk=', { filename: 'hi' }],
  [
    'a key without a value',
    'filename aGk=,is_confidential',
    { filename: 'hi', is_confidential: '' },
  ],
  ['a key and a space', 'k ,b YQ==', { k: '', b: 'a' }],
  ['a key and a space at the end', 'b YQ==,k ', { b: 'a', k: '' }],
  ['a space after the comma', 'a YQ==, b Yg==', { a: 'a', b: 'b' }],
  ['spaces around the comma', 'a YQ== ,  b Yg==', { a: 'a', b: 'b' }],
  ['two lines', ['a YQ==', 'b Yg=='], { a: 'a', b: 'b' }],
  [
    'keys with a meaning in JavaScript',
    '__proto__ YQ==,constructor Yg==,toString',
    { ['__proto__']: 'a', constructor: 'b', toString: '' } as unknown as Record<string, string>,
  ],
  [
    'keys of punctuation',
    "a.b/c:d;e=f!#$%&'*+-^_`|~() YQ==",
    { "a.b/c:d;e=f!#$%&'*+-^_`|~()": 'a' },
  ],
  ['UTF-8', `name ${Buffer.from('é€😀').toString('base64')}`, { name: 'é€😀' }],
  ['bytes that are not text', `bin ${binary}`, { bin: '\ufffd\ufffd\0\r\n' }],
  ['spaces between key and value', 'a   YQ==', { a: 'a' }],
  ['a comma at the end', 'a YQ==,b Yg==,', { a: 'a', b: 'b' }],
  ['an empty header', '', {}],
]

test.each(accepted)('T-092 %s is accepted and returned verbatim', async (_, value, values) => {
  for (const { compose } of stores) {
    const read: [string, string][][] = []
    const site = await serve({
      composer: await compose(),
      hooks: { preCreate: ({ upload }) => void read.push(Object.entries(upload.metadata.values)) },
    })
    const url = await createUpload(site, { 'upload-length': '5', 'upload-metadata': value })
    expect(read).toEqual([Object.entries(values)])
    // A space at the end of a header is not part of its value (RFC 9110, section 5.5).
    const sent = [value].flat().join(', ').trimEnd()
    expect((await head(url)).headers['upload-metadata'] ?? '').toBe(sent)
    await patch(url, 0, 'hello')
    expect((await head(url)).headers['upload-metadata'] ?? '').toBe(sent)
    const id = url.split('/').at(-1)!
    const { upload } = await site.handler.uploads.inspect(id)
    expect(Object.entries(upload.metadata.values)).toEqual(Object.entries(values))
    expect(Object.getPrototypeOf(upload.metadata.values)).toBeNull()
  }
})

test('T-092 a value with line breaks never reaches a header', async () => {
  const site = await serve()
  const filename = Buffer.from('a\r\nSet-Cookie: b=c\r\n\0.txt').toString('base64')
  const type = Buffer.from('text/html\r\nX-Evil: 1').toString('base64')
  const url = await createUpload(site, {
    'upload-length': '5',
    'upload-metadata': `filename ${filename},filetype ${type}`,
  })
  await patch(url, 0, 'hello')
  const got = await send({ method: 'GET', url })
  expect([got.status, got.text]).toEqual([200, 'hello'])
  expect(got.headers).not.toHaveProperty('set-cookie')
  expect(got.headers).not.toHaveProperty('x-evil')
  expect(got.headers['content-disposition']).toMatch(/^attachment/)
})

test('T-093 60,000 bytes of metadata are accepted and returned', async () => {
  const site = await serve()
  const value = `a ${'YWFh'.repeat(15_000)}`
  const url = await createUpload(site, { 'upload-length': '5', 'upload-metadata': value })
  expect((await head(url)).headers['upload-metadata']).toBe(value)
})

test('T-093 more than 64 KiB of headers get 431', async () => {
  const { port } = await serve()
  const value = `a ${'YWFh'.repeat(17_000)}`
  const text = await sendRaw(
    port,
    `POST /files HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n` +
      `Upload-Metadata: ${value}\r\nConnection: close\r\n\r\n`,
  )
  expect(text).toMatch(/^HTTP\/1\.1 431 /)
})

test('T-094 keys that differ in case are two keys', async () => {
  const read: unknown[] = []
  const site = await serve({
    hooks: { preCreate: ({ upload }) => void read.push({ ...upload.metadata.values }) },
  })
  const value = 'filename YQ==,fileName Yg==,FILENAME Yw=='
  const url = await createUpload(site, { 'upload-length': '5', 'upload-metadata': value })
  expect(read).toEqual([{ filename: 'a', fileName: 'b', FILENAME: 'c' }])
  expect((await head(url)).headers['upload-metadata']).toBe(value)
})
