import { createHandler, createUploadServer, type HandlerOptions } from 'tuskit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runProgram, startProgram } from '../../packages/server/test/program.js'
import { clientAt } from '../frameworks/uploads-suite.js'
import { freePort } from '../support/free-port.js'
import { connectHttp2, sendHttp2 } from '../support/serve-http2.js'
import { listen, memoryComposer, temporaryDirectory, tus } from '../support/serve.js'
import { proxies } from './launch-proxy.js'
import { startProxy } from './start-proxy.js'
import { changeOf } from './proxy.js'

const forged = {
  'x-forwarded-for': '127.0.0.1, 127.0.0.1',
  'x-forwarded-proto': 'gopher',
  'x-forwarded-host': 'forged.example',
  'x-forwarded-port': '666',
  'x-forwarded-prefix': '/forged',
  forwarded: 'for=127.0.0.1;proto=gopher;host=forged.example',
}

describe.each(proxies)('$name', (proxy) => {
  test('Location is a path, whatever the client forges', async () => {
    for (const { location } of await locationsOf({ trustProxy: ['127.0.0.1'] })) {
      expect(location).toMatch(/^\/files\/[^/]+$/)
    }
  })

  test.each([[['127.0.0.1']], [1], [true]])(
    'an absolute Location is right with trustProxy %j, whatever the client forges',
    async (trustProxy) => {
      for (const { origin, location } of await locationsOf({ location: 'absolute', trustProxy })) {
        expect(location.startsWith(`${origin}/files/`), location).toBe(true)
      }
    },
  )

  test('a prefix that it removes is in Location', async () => {
    const port = await freePort()
    const change = await changeOf(proxy, 'prefix')
    const running = await startProxy(proxy, port, change)
    const url = `${running.https}/app/files/`
    for (const flags of [
      ['--behind-proxy', '127.0.0.1'],
      ['--public-url', url],
    ]) {
      const cwd = await temporaryDirectory()
      const server = await startProgram(['--port', `${port}`, ...flags], { cwd })
      const env = { NODE_EXTRA_CA_CERTS: running.caFile }
      const { output } = await runProgram(['check', '--url', url, '--duration', '1s'], { env })
      expect(output).toMatch(/16 ok, 0 warning, 0 failed\n$/)
      await server.stop()
    }
  })

  /** Creates an upload over each protocol. */
  async function locationsOf(options: Partial<HandlerOptions>) {
    const handler = createHandler({ basePath: '/files', composer: memoryComposer(), ...options })
    const server = createUploadServer(handler)
    onTestFinished(() => server.stop({ timeout: 1_000 }))
    const { http, https, ca } = await startProxy(proxy, await listen(server))
    const headers = { 'upload-length': 0, ...forged }
    const created = await sendHttp2(connectHttp2({ origin: https }), {
      ...{ ':method': 'POST', ':path': '/files', ...tus, ...headers },
    })
    return [
      { origin: http, location: await clientAt(http).create('/files', headers) },
      { origin: https, location: await clientAt(https, ca).create('/files', headers) },
      { origin: https, location: created.headers.location! },
    ]
  }
})
