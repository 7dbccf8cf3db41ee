import http from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { chunk, createUpload, listen, post, send, serve, tus } from '../../support/serve.js'
import { concat, createFinal, createPartial } from './parts.js'

test('T-163 a final upload with a length of its own gets 400', async () => {
  const site = await serve()
  const part = await createPartial(site, 'hello')
  const lengths = [
    { 'upload-length': '5' },
    { 'upload-length': '' },
    { 'upload-defer-length': '1' },
  ]
  for (const headers of lengths) {
    const reply = await concat(site, part, headers)
    expect(reply.status).toBe(400)
    expect(reply.headers).not.toHaveProperty('location')
  }
})

test('T-171 a URL that names no upload of this handler gets 400 and is never fetched', async () => {
  let fetched = 0
  const stranger = http.createServer((_, response) => {
    fetched++
    response.setHeader('upload-offset', '5').setHeader('upload-length', '5').end()
  })
  const port = await listen(stranger)
  onTestFinished(() => void stranger.close())
  const site = await serve()
  const part = await createPartial(site, 'hello')
  const strangers = [
    `http://127.0.0.1:${port}/files/nothing`,
    `http://127.0.0.1:${port}/`,
    '/files/nothing',
    '/files/',
    '/files',
    `/other${new URL(part).pathname}`,
    `//127.0.0.1:${port}/files/nothing`,
    `../files/../${new URL(part).pathname.split('/').at(-1)}`,
    new URL(part).pathname.split('/').at(-1)!,
    '/files/../files/nothing',
    '/files/%2e%2e%2fnothing',
    'file:///etc/passwd',
    'nothing',
    'constructor',
  ]
  for (const url of strangers) {
    for (const list of [url, `${part} ${url}`]) {
      const reply = await concat(site, list)
      expect([list, reply.status]).toEqual([list, 400])
      expect(reply.text).toMatch(/^ERR_INVALID_CONCAT: .+\n$/)
      expect(reply.headers).not.toHaveProperty('location')
    }
  }
  expect(fetched).toBe(0)
})

test('T-172 a listed upload that is not partial gets 400', async () => {
  const site = await serve()
  const part = await createPartial(site, 'hello')
  const ordinary = await createUpload(site, { 'upload-length': '0' })
  const final = await createFinal(site, part)
  for (const url of [ordinary, final]) {
    const reply = await concat(site, `${part} ${url}`)
    expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([400, 'ERR_INVALID_CONCAT'])
  }
})

test('T-172 the access hook is called for each part', async () => {
  const asked: string[] = []
  let forbidden = ''
  const site = await serve({
    hooks: {
      access({ action, upload }) {
        if (action !== 'concatenate') return undefined
        asked.push(upload!.id)
        return upload!.id === forbidden ? { reject: true } : undefined
      },
    },
  })
  const urls = [await createPartial(site, 'a'), await createPartial(site, 'b')]
  const ids = urls.map((url) => url.split('/').at(-1)!)
  expect((await concat(site, urls.join(' '))).status).toBe(201)
  expect(asked).toEqual(ids)
  forbidden = ids[1]!
  const reply = await concat(site, urls.join(' '))
  expect([reply.status, reply.headers.location]).toEqual([403, undefined])
})

test('T-173 any other value gets 400', async () => {
  const site = await serve()
  const part = await createPartial(site, 'hello')
  const values = ['final;', 'final; ', 'final', '', 'Partial', 'partial;', 'partial, partial', 'x']
  const lists = [`Final;${part}`, `FINAL;${part}`, `final ;${part}`, `final,${part}`]
  for (const value of [...values, ...lists]) {
    for (const length of [{}, { 'upload-length': '5' }]) {
      const reply = await post(site, { 'upload-concat': value, ...length })
      expect([value, reply.status]).toEqual([value, 400])
      expect(reply.headers).not.toHaveProperty('location')
    }
  }
  const lines = await post(site, { 'upload-concat': [`final;${part}`, `final;${part}`] })
  expect(lines.status).toBe(400)
})

test('T-174 parts that are too large together get 413', async () => {
  const site = await serve({ maxSize: 10 })
  const [one, two] = [await createPartial(site, 'hello'), await createPartial(site, 'world')]
  expect((await concat(site, `${one} ${two}`)).status).toBe(201)
  const reply = await concat(site, `${one} ${two} ${one}`)
  expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
  expect(reply.headers).not.toHaveProperty('location')
})

test('T-175 a final upload with bytes gets 403', async () => {
  const site = await serve()
  const part = await createPartial(site, 'hello')
  const url = `${site.origin}/files`
  const concatenation = { 'upload-concat': `final;${part}` }
  const replies = [
    await post(site, concatenation, 'hello'),
    await send({ method: 'POST', url, headers: { ...chunk, ...concatenation } }),
    await send({ method: 'POST', url, headers: { ...tus, ...concatenation }, body: 'hello' }),
  ]
  for (const reply of replies) {
    expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([403, 'ERR_FINAL_UPLOAD'])
    expect(reply.headers).not.toHaveProperty('location')
  }
})

test('T-176 Upload-Concat is refused when the extension is disabled', async () => {
  const site = await serve({ disable: ['concatenation'] })
  const replies = [
    await post(site, { 'upload-concat': 'partial', 'upload-length': '5' }),
    await post(site, { 'upload-concat': 'final;/files/a' }),
  ]
  for (const reply of replies) {
    expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([400, 'ERR_EXTENSION_DISABLED'])
    expect(reply.headers).not.toHaveProperty('location')
  }
  const { headers } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  expect(headers['tus-extension']).not.toContain('concatenation')
})
