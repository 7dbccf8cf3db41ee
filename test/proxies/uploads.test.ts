import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startProgram } from '../../packages/server/test/program.js'
import { clientAt, testSite, type Client } from '../frameworks/uploads-suite.js'
import { connectHttp2, sendHttp2 } from '../support/serve-http2.js'
import { temporaryDirectory, tus } from '../support/serve.js'
import { apache } from './apache.js'
import { caddy } from './caddy.js'
import { haproxy } from './haproxy.js'
import { nginx } from './nginx.js'
import { changeOf, replaceAll } from './proxy.js'
import { serveUploads } from './serve-uploads.js'
import { proxies } from './launch-proxy.js'
import { startProxy } from './start-proxy.js'

for (const proxy of proxies) {
  for (const scheme of ['http', 'https'] as const) {
    testSite({
      framework: `${proxy.name}, ${scheme}`,
      basePath: '/files',
      notFound: /^ERR_NOT_FOUND/,
      async connect() {
        const site = await startProxy(proxy, await serveUploads())
        return clientAt(site[scheme], scheme === 'https' ? site.ca : undefined)
      },
    })
  }
}

describe.each(proxies)('$name', (proxy) => {
  test('long lists of parts and long metadata come back', async () => {
    const { https, ca } = await startProxy(proxy, await serveUploads({ maxPartials: 250 }))
    const client = clientAt(https, ca)
    const session = connectHttp2({ origin: https })
    for (const { url, name, value } of await createLongOnes(client)) {
      expect((await client.send('HEAD', url)).headers[name]).toBe(value)
      const head = await sendHttp2(session, { ':method': 'HEAD', ':path': url, ...tus })
      expect(head.headers[name]).toBe(value)
    }
  })
})

// nginx and Apache let a client send more only after a request has begun.
test.each([haproxy, caddy])(
  '$name lets an HTTP/2 client send a megabyte for each round trip',
  async (proxy) => {
    const { https } = await startProxy(proxy, await serveUploads())
    const session = connectHttp2({ origin: https })
    await once(session, 'remoteSettings')
    expect(session.remoteSettings.initialWindowSize).toBeGreaterThanOrEqual(1_048_576)
  },
)

test.each([
  { proxy: nginx, line: 'proxy_buffer_size 72k;\n    proxy_buffers 4 72k;' },
  { proxy: apache, line: ' responsefieldsize=65536' },
])('$proxy.name makes them 502 without: $line', async ({ proxy, line }) => {
  const port = await serveUploads({ maxPartials: 250 })
  const { http } = await startProxy(proxy, port, (text) => replaceAll(text, [[line, '']]))
  const client = clientAt(http)
  for (const { url } of await createLongOnes(client)) {
    expect((await client.send('HEAD', url)).status).toBe(502)
  }
})

test.each([nginx, apache, caddy])(
  '$name reaches the server at a Unix domain socket',
  async (proxy) => {
    const cwd = await temporaryDirectory()
    // The proxy runs as another user.
    await chmod(cwd, 0o755)
    const socket = join(cwd, 'tuskit.sock')
    const flags = ['--unix-socket', socket, '--unix-socket-mode', '666', '--behind-proxy', 'unix:']
    await startProgram(flags, { cwd })
    const change = await changeOf(proxy, 'socket')
    const { https, ca } = await startProxy(proxy, socket, change)
    const client = clientAt(https, ca)
    const url = await client.create('/files', { 'upload-length': 5 })
    expect((await client.patch(url, 0, Buffer.from('hello'))).status).toBe(204)
    expect((await client.send('GET', url, {})).body.toString()).toBe('hello')
  },
)

/** Creates an upload with 12,000 characters of metadata, and one of 250 parts. */
async function createLongOnes(client: Client) {
  const length = { 'upload-length': 0 }
  const metadata = `note ${Buffer.alloc(9_000, 'a').toString('base64')}`
  const note = await client.create('/files', { ...length, 'upload-metadata': metadata })
  const part = await client.create('/files', { ...length, 'upload-concat': 'partial' })
  const concat = `final;${Array.from({ length: 250 }, () => part).join(' ')}`
  const final = await client.create('/files', { 'upload-concat': concat })
  return [
    { url: note, name: 'upload-metadata', value: metadata },
    { url: final, name: 'upload-concat', value: concat },
  ]
}
