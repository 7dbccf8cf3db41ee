import { randomBytes } from 'node:crypto'
import http from 'node:http'
import * as tusJsClient from 'tus-js-client'
import { createHandler } from 'tuskit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientAt } from '../frameworks/uploads-suite.js'
import { listen, memoryComposer } from '../support/serve.js'
import { apache } from './apache.js'
import { haproxy } from './haproxy.js'
import { nginx } from './nginx.js'
import { changeOf, replaceAll } from './proxy.js'
import { startProxy } from './start-proxy.js'

const data = randomBytes(3_000_001)
const chunkSize = 1_000_000

const caches = [
  { proxy: nginx, read: 'HEAD' },
  {
    proxy: nginx,
    read: 'GET',
    edit: (text: string) => replaceAll(text, [['proxy_cache_convert_head off;', '']]),
  },
  { proxy: apache, read: 'HEAD' },
  { proxy: haproxy, read: 'HEAD' },
]

describe.each(caches)('$proxy.name, with a cache in which HEAD becomes $read', (cache) => {
  test('the cache works', async () => {
    const { client, requests } = await startCache(cache)
    const get = () => client.send('GET', '/public', {})
    expect([(await get()).status, (await get()).status]).toEqual([200, 200])
    expect(requests).toEqual(['GET'])
  })

  test('tus-js-client resumes, and sees the current offset', async () => {
    const { client, requests } = await startCache(cache)
    const url = await new Promise<string>((resolve, reject) => {
      const upload = uploadTo(client.origin, {
        onChunkComplete(_size, accepted) {
          if (accepted === 2 * chunkSize) void upload.abort().then(() => resolve(upload.url!))
        },
        onError: reject,
      })
      upload.start()
    })
    await resume(client.origin, url)
    expect(requests).toEqual(['POST', 'PATCH', 'PATCH', cache.read, 'PATCH', 'PATCH'])
    expect((await client.send('GET', url, {})).body.equals(data)).toBe(true)

    requests.length = 0
    await resume(client.origin, url)
    expect(requests).toEqual([cache.read])
  })

  test('the cache stores neither states nor downloads', async () => {
    const { client, requests } = await startCache(cache)
    const url = await client.create('/files', { 'upload-length': 10 })
    for (const offset of [0, 5]) {
      for (let i = 0; i < 2; i++) {
        const { headers } = await client.send('HEAD', url)
        expect(headers['upload-offset']).toBe(`${offset}`)
      }
      expect((await client.patch(url, offset, Buffer.from('hello'))).status).toBe(204)
    }
    requests.length = 0
    for (const method of ['HEAD', 'HEAD', 'GET', 'GET', 'HEAD']) {
      const { status, headers } = await client.send(method, url)
      expect([status, headers['upload-offset'], headers.age]).toEqual([200, '10', undefined])
    }
    expect(requests).toEqual([cache.read, cache.read, 'GET', 'GET', cache.read])
  })
})

/** Starts a proxy with a cache in front of a server that notes its requests. */
async function startCache({ proxy, edit = (text) => text }: Cache) {
  const handler = createHandler({ basePath: '/files', composer: memoryComposer() })
  const requests: string[] = []
  const server = http.createServer({ requestTimeout: 0 }, (request, response) => {
    requests.push(request.method!)
    if (request.url !== '/public') return void handler(request, response)
    response.setHeader('cache-control', 'public, max-age=3600').end('hello')
  })
  onTestFinished(() => void server.close().closeAllConnections())
  const port = await listen(server)
  const change = await changeOf(proxy, 'cache')
  const site = await startProxy(proxy, port, (text) => edit(change(text)))
  return { client: clientAt(site.http), requests }
}

interface Cache extends Pick<(typeof caches)[number], 'proxy'> {
  readonly edit?: (configuration: string) => string
}

/** Uploads from the offset that the proxy shows. */
function resume(origin: string, uploadUrl: string): Promise<void> {
  return new Promise((resolve, reject) => {
    uploadTo(origin, { uploadUrl, onSuccess: () => resolve(), onError: reject }).start()
  })
}

/** Never retries: the first response through the cache must be right. */
function uploadTo(origin: string, options: tusJsClient.UploadOptions): tusJsClient.Upload {
  const endpoint = `${origin}/files/`
  return new tusJsClient.Upload(data, { endpoint, chunkSize, retryDelays: null, ...options })
}
