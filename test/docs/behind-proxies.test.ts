import { randomBytes } from 'node:crypto'
import { createHandler, createUploadServer } from 'tuskit'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { clientAt, type Client } from '../frameworks/uploads-suite.js'
import { ensureNginx, startNginxOfPage } from '../interop/nginx.js'
import { chunk, listen, memoryComposer, serve, tus, until } from '../support/serve.js'
import { readPage } from './pages.js'

const { text } = await readPage('docs/behind-proxies.md')

beforeAll(ensureNginx)

test('through nginx, an upload that is cut keeps the bytes that arrived', async () => {
  const client = await throughNginx((lines) => lines)
  const data = randomBytes(3_000_000)
  const url = await client.create('/files', { 'upload-length': data.length })
  const headers = { ...chunk, 'upload-offset': 0, 'content-length': data.length }
  const request = client.open('PATCH', url, headers).on('error', () => {})
  request.write(data.subarray(0, 1_300_000))
  const offset = async () => (await client.send('HEAD', url)).headers['upload-offset']
  await until(offset, (stored) => stored === '1300000')
  request.destroy()
  expect((await client.patch(url, 1_300_000, data.subarray(1_300_000))).status).toBe(204)
  expect((await client.send('GET', url, {})).body.equals(data)).toBe(true)
})

test('through nginx, long metadata and long lists of parts come back', async () => {
  const client = await throughNginx((lines) => lines)
  const { metadata, final } = await longOnes(client)
  for (const url of [metadata, final]) expect((await client.send('HEAD', url)).status).toBe(200)
})

test('without proxy_buffer_size, nginx makes them 502', async () => {
  const client = await throughNginx((lines) =>
    lines.filter((line) => !/proxy_buffer(_size|s) /.test(line)),
  )
  const { metadata, final } = await longOnes(client)
  for (const url of [metadata, final]) expect((await client.send('HEAD', url)).status).toBe(502)
})

test('the lists for CORS are those of the handler', async () => {
  const { port } = await serve({ cors: true })
  const headers = { origin: 'https://example.org', 'access-control-request-method': 'POST' }
  const reply = await clientAt(`http://127.0.0.1:${port}`).send('OPTIONS', '/files', headers)
  for (const list of ['Methods', 'Headers']) expect(listed(`Allow-${list}`)).toEqual(sent(list))
  expect(listed('Expose-Headers')).toEqual(split(reply.headers['access-control-expose-headers']!))

  function sent(list: string) {
    return split(reply.headers[`access-control-allow-${list.toLowerCase()}`] as string)
  }
})

function listed(header: string): string[] {
  return split(new RegExp(`^Access-Control-${header}:([^]*?)\n(\n|\`)`, 'm').exec(text)![1]!)
}

function split(list: string): string[] {
  return list.split(',').map((word) => word.trim())
}

/** Starts the nginx of the page in front of a server, without TLS. */
async function throughNginx(edit: (lines: string[]) => string[]): Promise<Client> {
  const composer = memoryComposer()
  const server = createUploadServer(
    createHandler({ basePath: '/files', composer, maxPartials: 250 }),
  )
  const target = await listen(server)
  onTestFinished(() => server.stop({ timeout: 1_000 }))
  const origin = await startNginxOfPage(target, edit)
  return clientAt(origin)
}

/**
 * Creates an upload with 12,000 characters of metadata, and one of 250 parts. Node alone accepts at
 * most 16 KiB.
 */
async function longOnes(client: Client) {
  const value = Buffer.alloc(9_000, 'a').toString('base64')
  const length = { 'upload-length': 0 }
  const metadata = await client.create('/files', { ...length, 'upload-metadata': `note ${value}` })
  const part = await client.create('/files', { ...length, 'upload-concat': 'partial' })
  const concat = `final;${Array.from({ length: 250 }, () => part).join(' ')}`
  const final = await client.create('/files', { ...tus, 'upload-concat': concat })
  return { metadata, final }
}
