import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import * as tusJsClient from 'tus-js-client'
import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { ensureProgram } from '../house/debian-packages.mjs'
import { createHandler } from 'tuskit'
import { fileComposer, idOf, listen, send, temporaryDirectory, until } from '../serve.js'

const data = randomBytes(3_000_001)
const chunkSize = 1_000_000

/** Debian keeps it where users do not look for programs. */
const path = `${process.env.PATH}:/usr/sbin`

vi.setConfig({ testTimeout: 60_000 })

beforeAll(() => {
  process.env.PATH = path
  ensureProgram('nginx')
}, 600_000)

let directory: string
let origin: string
/** What reaches the server behind the cache. */
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
  origin = await startNginx(port)
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

test('the cache keeps neither states nor downloads', async () => {
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

/** Uploads from where a URL stands, and resolves with the URL where it ended. */
function resume(uploadUrl: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const onSuccess = () => resolve(client.url!)
    const client = clientOf({ uploadUrl, onSuccess, onError: reject })
    client.start()
  })
}

/** Never tries again: what comes through the cache must be right at once. */
function clientOf(options: tusJsClient.UploadOptions): tusJsClient.Upload {
  const endpoint = `${origin}/files/`
  return new tusJsClient.Upload(data, { endpoint, chunkSize, retryDelays: null, ...options })
}

/** An nginx that caches whatever it may, in front of a port. Returns its origin. */
async function startNginx(target: number): Promise<string> {
  const home = await temporaryDirectory()
  const port = await freePort()
  await writeFile(
    join(home, 'nginx.conf'),
    `
daemon off;
master_process off;
user root;
pid ${home}/pid;
error_log ${home}/error.log;
events {}
http {
  access_log off;
  client_body_temp_path ${home}/body;
  proxy_temp_path ${home}/proxy;
  fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi;
  scgi_temp_path ${home}/scgi;
  proxy_cache_path ${home}/cache keys_zone=all:1m;
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
}
`,
  )
  const args = ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')]
  const nginx = spawn('nginx', args, { stdio: 'ignore', env: { ...process.env, PATH: path } })
  const ended = once(nginx, 'exit')
  onTestFinished(async () => {
    nginx.kill()
    await ended
  })
  const url = `http://127.0.0.1:${port}`
  await until(
    async () => nginx.exitCode !== null || (await answers(url)),
    (answered) => answered,
  )
  if (nginx.exitCode !== null) throw new Error(await readFile(join(home, 'error.log'), 'utf8'))
  requests = []
  return url
}

async function answers(url: string): Promise<boolean> {
  return send({ method: 'GET', url }).then(
    () => true,
    () => false,
  )
}

async function freePort(): Promise<number> {
  const server = http.createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
