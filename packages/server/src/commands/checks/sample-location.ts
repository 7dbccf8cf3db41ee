import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { StoreComposer, type Logger } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { createUploadHandler } from '../../create-upload-handler.js'
import type { Settings } from '../../settings/settings.js'

/** The prefix that the sample claims a proxy has removed. */
export const samplePrefix = '/sample'

/**
 * Returns the `Location` of an upload that a peer with this address creates, with forwarding
 * headers. Asks the handler itself, with uploads in memory.
 *
 * @param peer - Absent for a Unix domain socket.
 */
export async function sampleLocation(
  settings: Settings,
  peer: string | undefined,
  logger: Logger,
): Promise<string> {
  const composer = new StoreComposer().use(new MemoryStore(), new MemoryInfoStore())
  const sample = { ...settings, hooksOutbox: undefined, disable: undefined } as unknown as Settings
  const handler = createUploadHandler(sample, composer, [], logger)
  const server = http.createServer({ requestTimeout: 0 }, (request, response) => {
    Object.defineProperty(request.socket, 'remoteAddress', { value: peer })
    void handler(request, response)
  })
  server.listen(0, '127.0.0.1')
  try {
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const request = http.request({
      ...{ host: '127.0.0.1', port, method: 'POST', agent: false },
      path: `/${settings.basePath}/`.replace(/\/{2,}/g, '/'),
      headers: {
        ...{ 'tus-resumable': '1.0.0', 'upload-length': '1' },
        'x-forwarded-for': '198.51.100.9',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'uploads.example.org',
        'x-forwarded-prefix': samplePrefix,
      },
    })
    request.end()
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.resume()
    const { location } = response.headers
    if (location === undefined) throw new Error(`A creation gets ${response.statusCode}`)
    return location.replace(/[^/]+$/, '<id>')
  } finally {
    server.close().closeAllConnections()
    await handler.close()
  }
}
