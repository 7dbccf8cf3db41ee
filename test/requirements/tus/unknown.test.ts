import { expect, test } from 'vitest'
import { createUpload, download, head, patch, post, send, serve, tus } from '../../support/serve.js'

test('T-180 unknown Upload headers and metadata keys are ignored', async () => {
  const site = await serve()
  const strange = { 'upload-colour': 'blue', 'upload-tag': '1', 'tus-mood': 'good' }
  const metadata = 'filename YQ==,no_such_key YQ==,unheard-of'
  const created = await post(site, {
    ...strange,
    'upload-length': '5',
    'upload-metadata': metadata,
  })
  expect(created.status).toBe(201)
  const url = new URL(created.headers.location!, site.origin).href
  expect((await patch(url, 0, 'hello', strange)).status).toBe(204)
  const { status, headers } = await head(url, { ...tus, ...strange })
  expect([status, headers['upload-offset']]).toEqual([200, '5'])
  expect(headers['upload-metadata']).toBe(metadata)
  expect(headers).not.toHaveProperty('upload-colour')
})

test('T-180 an unknown method gets 405 with Allow', async () => {
  const site = await serve()
  const upload = await createUpload(site)
  const known: readonly (readonly [string, string[]])[] = [
    [upload, ['PUT', 'POST', 'MKCOL', 'SEARCH']],
    [`${site.origin}/files`, ['PUT', 'PATCH', 'DELETE', 'PROPFIND']],
  ]
  for (const [url, methods] of known) {
    const { headers } = await send({ method: 'PUT', url, headers: tus })
    const allowed = headers.allow!.split(', ')
    expect(allowed).toContain('OPTIONS')
    for (const method of methods) {
      expect(allowed).not.toContain(method)
      const reply = await send({ method, url, headers: tus })
      expect([method, reply.status, reply.headers['tus-resumable']]).toEqual([method, 405, '1.0.0'])
    }
  }
  expect((await head(upload)).headers['upload-offset']).toBe('0')
})

test('T-181 a header of a disabled extension is refused', async () => {
  const extensions = [
    ['creation-defer-length', { 'upload-defer-length': '1' }],
    ['checksum', { 'upload-length': '5', 'upload-checksum': 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=' }],
    ['concatenation', { 'upload-length': '5', 'upload-concat': 'partial' }],
    ['concatenation', { 'upload-concat': 'final;/files/a' }],
  ] as const
  for (const [extension, headers] of extensions) {
    const site = await serve({ disable: [extension] })
    const reply = await post(site, headers)
    expect([extension, reply.status, reply.text.split(':', 1)[0]]).toEqual([
      extension,
      400,
      'ERR_EXTENSION_DISABLED',
    ])
  }
})

test('T-182 a download cannot be mistaken for a page', async () => {
  const site = await serve()
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const names = [
    `filename ${encode('page.html')},filetype ${encode('text/html')}`,
    `filename ${encode('a.svg')},filetype ${encode('image/svg+xml')}`,
    '',
  ]
  for (const metadata of names) {
    const headers = { 'upload-length': '8', ...(metadata && { 'upload-metadata': metadata }) }
    const { headers: created } = await post(site, headers, '<script>')
    const url = new URL(created.location!, site.origin).href
    const reply = await send({ method: 'GET', url })
    expect(reply.headers['content-disposition']).toMatch(/^attachment/)
    expect(reply.headers['x-content-type-options']).toBe('nosniff')
    expect(await download(url)).toBe('<script>')
  }
})

test('T-182 without downloads GET gets 405', async () => {
  const site = await serve({ disable: ['download'] })
  const url = await createUpload(site, { 'upload-length': '0' })
  const reply = await send({ method: 'GET', url })
  expect(reply.status).toBe(405)
  expect(reply.headers.allow!.split(', ')).not.toContain('GET')
})
