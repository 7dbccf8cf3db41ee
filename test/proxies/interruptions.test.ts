import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startProgram } from '../../packages/server/test/program.js'
import { clientAt } from '../frameworks/uploads-suite.js'
import { freePort } from '../support/free-port.js'
import {
  connectHttp2,
  createOverHttp2,
  offsetOverHttp2,
  openStream,
  patchHead,
  sendHttp2,
} from '../support/serve-http2.js'
import { chunk, temporaryDirectory, until } from '../support/serve.js'
import { serveUploads } from './serve-uploads.js'
import { proxies } from './launch-proxy.js'
import { startProxy } from './start-proxy.js'

const data = randomBytes(3_000_000)
const arrived = 1_300_000

describe.each(proxies)('$name', (proxy) => {
  test.each(['http', 'https'] as const)(
    'a body of unknown length over %s streams, and what arrived before a cut is kept',
    async (scheme) => {
      const site = await startProxy(proxy, await serveUploads())
      const client = clientAt(site[scheme], scheme === 'https' ? site.ca : undefined)
      const url = await client.create('/files', { 'upload-length': data.length })
      const headers = { ...chunk, 'upload-offset': 0, 'transfer-encoding': 'chunked' }
      const request = client.open('PATCH', url, headers).on('error', () => {})
      request.write(data.subarray(0, arrived))
      const offset = async () => (await client.send('HEAD', url)).headers['upload-offset']
      await until(offset, (stored) => stored === `${arrived}`)
      request.destroy()
      expect((await client.patch(url, arrived, data.subarray(arrived))).status).toBe(204)
      expect((await client.send('GET', url, {})).body.equals(data)).toBe(true)
    },
  )

  test.each([
    ['known', { 'content-length': data.length }],
    ['unknown', {}],
  ])('a body of %s length over HTTP/2 does, too', async (_, length) => {
    const { https, ca } = await startProxy(proxy, await serveUploads())
    const session = connectHttp2({ origin: https })
    const path = await createOverHttp2({ session }, data.length)
    const { stream } = openStream(session, patchHead(path, 0, length))
    stream.write(data.subarray(0, arrived))
    await until(
      () => offsetOverHttp2(session, path),
      (stored) => stored === arrived,
    )
    stream.close(8 /* CANCEL */)
    const rest = await sendHttp2(session, patchHead(path, arrived), data.subarray(arrived))
    expect(rest.status).toBe(204)
    const stored = await clientAt(https, ca).send('GET', path, {})
    expect(stored.body.equals(data)).toBe(true)
  })

  test('an upload survives that the server is killed and starts again', async () => {
    const cwd = await temporaryDirectory()
    const port = await freePort()
    const site = await startProxy(proxy, port)
    const client = clientAt(site.https, site.ca)
    const server = await startProgram(['--port', `${port}`], { cwd })
    const url = await client.create('/files', { 'upload-length': data.length })
    const headers = { ...chunk, 'upload-offset': 0, 'content-length': data.length }
    const request = client.open('PATCH', url, headers).on('error', () => {})
    request.write(data.subarray(0, arrived))
    const offset = async () => Number((await client.send('HEAD', url)).headers['upload-offset'])
    await until(offset, (stored) => stored === arrived)
    await server.stop('SIGKILL')
    request.destroy()
    expect((await client.send('HEAD', url)).status).toBeOneOf([502, 503])

    await startProgram(['--port', `${port}`], { cwd })
    // The first request must succeed: no proxy may remember that the server was away.
    expect(await offset()).toBe(arrived)
    expect((await client.patch(url, arrived, data.subarray(arrived))).status).toBe(204)
    expect((await client.send('GET', url, {})).body.equals(data)).toBe(true)
  })
})
