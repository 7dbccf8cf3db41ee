import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import * as tusJsClient from 'tus-js-client'
import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createHandler } from 'tuskit'
import { fileComposer, idOf, listen, send, temporaryDirectory } from '../support/serve.js'
import { ensureNginx, startNginx } from './nginx.js'

const data = randomBytes(3_000_001)
const chunkSize = 1_000_000

vi.setConfig({ testTimeout: 60_000 })

beforeAll(ensureNginx)

let directory: string
let origin: string
/** The requests that reach the server behind the cache. */
let requests: string[]

beforeEach(async () => {
  directory = await temporaryDirectory()
  const handler = createHandler({ basePath: '/files', composer: fileComposer(directory) })
  requests = []
  const server = http.createServer({ requestTimeout: 0 }, (request, response) => {
    requests.push(request.method!)
    void handler(request, response)
  })
  const port = await listen(server)
  onTestFinished(() => void server.close().closeAllConnections())
  origin = await startCache(port)
})

test('tus-js-client resumes through a cache that turns HEAD into GET', async () => {
  const url = await new Promise<string>((resolve, reject) => {
    const client = clientOf({
      onChunkComplete(_size, accepted) {
        if (accepted === 2 * chunkSize) void client.abort().then(() => resolve(client.url!))
      },
      onError: reject,
    })
    client.start()
  })
  expect(await resume(url)).toBe(url)
  expect(requests.filter((method) => method === 'POST')).toHaveLength(1)
  expect(requests).toEqual(['POST', 'PATCH', 'PATCH', 'GET', 'PATCH', 'PATCH'])
  expect(digest(await readFile(join(directory, idOf(url))))).toBe(digest(data))

  requests = []
  expect(await resume(url)).toBe(url)
  expect(requests).toEqual(['GET'])
})

test('the cache stores neither states nor downloads', async () => {
  const url = await new Promise<string>((resolve, reject) => {
    const client = clientOf({ onSuccess: () => resolve(client.url!), onError: reject })
    client.start()
  })
  requests = []
  for (const method of ['HEAD', 'HEAD', 'GET', 'GET']) {
    const { status } = await send({ method, url })
    expect(status).toBe(200)
  }
  expect(requests).toEqual(['GET', 'GET', 'GET', 'GET'])
})

/** Uploads from the offset of a URL, and resolves with the final URL. */
function resume(uploadUrl: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const onSuccess = () => resolve(client.url!)
    const client = clientOf({ uploadUrl, onSuccess, onError: reject })
    client.start()
  })
}

/** Never retries: the first response through the cache must be right. */
function clientOf(options: tusJsClient.UploadOptions): tusJsClient.Upload {
  const endpoint = `${origin}/files/`
  return new tusJsClient.Upload(data, { endpoint, chunkSize, retryDelays: null, ...options })
}

/** Starts an nginx in front of a port that caches everything it may. Returns its origin. */
function startCache(target: number): Promise<string> {
  return startNginx(
    (port) => `
  proxy_cache_path cache keys_zone=all:1m;
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      proxy_pass http://127.0.0.1:${target};
      proxy_request_buffering off;
      proxy_cache all;
      proxy_cache_valid any 1h;
      proxy_set_header Host $http_host;
    }
  }
`,
  )
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
