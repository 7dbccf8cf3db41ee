import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import {
  createUpload,
  head,
  listen,
  openPatch,
  patch,
  post,
  remove,
  send,
  sendRaw,
  until,
} from '../../../../test/support/serve.js'
import { createAdminListener, type AdminListenerOptions } from '../../src/admin/admin-listener.js'
import type { LiveSnapshot } from '../../src/admin/live-snapshot.js'
import type { WorkerReport } from '../../src/monitor/worker-report.js'
import { memoryComposer, watch, type WatchedSite } from '../monitor/watched-site.js'

/** Starts a listener, and returns its origin. It is ready and has no workers by default. */
async function admin(options: Partial<AdminListenerOptions> = {}): Promise<string> {
  const logger = { error: () => {} }
  const ready = async () => []
  const listener = createAdminListener({ reports: async () => [], ready, logger, ...options })
  const server = createServer(listener)
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${await listen(server)}`
}

function of(...sites: readonly WatchedSite[]): () => Promise<readonly WorkerReport[]> {
  return () => Promise.all(sites.map(({ report }) => report()))
}

const get = (url: string) => send({ method: 'GET', url })
const snapshotOf = async (origin: string) =>
  JSON.parse((await get(`${origin}/uploads.json`)).text) as LiveSnapshot

test('the process lives even if nothing else can be found out', async () => {
  const broken = async () => {
    throw new Error('/secret/path')
  }
  const logged: unknown[] = []
  const logger = { error: (_: string, fields: object) => logged.push(fields) }
  const origin = await admin({ reports: broken, ready: broken, logger })
  expect(await get(`${origin}/healthz`)).toMatchObject({ status: 200, text: 'ok\n' })
  for (const path of ['/readyz', '/metrics', '/uploads.json']) {
    const { status, text } = await get(origin + path)
    expect([path, status, text]).toEqual([path, 503, 'The state is not known\n'])
  }
  expect(logged).toMatchObject([
    { path: '/readyz' },
    { path: '/metrics' },
    { path: '/uploads.json' },
  ])
})

test('a server that is not ready says why', async () => {
  let reasons: string[] = []
  const origin = await admin({ ready: async () => reasons })
  expect(await get(`${origin}/readyz`)).toMatchObject({ status: 200, text: 'ready\n' })
  reasons = ['The storage cannot be reached', 'No worker serves']
  const text = 'The storage cannot be reached\nNo worker serves\n'
  expect(await get(`${origin}/readyz?verbose`)).toMatchObject({ status: 503, text })
})

test('metrics of all workers are added up, and stay when a worker ends', async () => {
  const [one, two] = [await watch(), await watch({ monitor: { worker: 1 } })]
  let reports = of(one, two)
  const origin = await admin({ reports: () => reports() })
  const value = async (sample: string) => {
    const { headers, text } = await get(`${origin}/metrics`)
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    const line = text.split('\n').find((one) => one.startsWith(`${sample} `))
    return Number(line?.slice(sample.length))
  }
  await patch(await createUpload(one), 0, 'hello world')
  await createUpload(two)
  await head(`${two.origin}/files/unknown`)
  const { request } = openPatch(await createUpload(two), 0)
  request.write('hello')
  await until(
    () => value('tuskit_uploads_active{state="receiving"}'),
    (count) => count === 1,
  )
  expect(await value('tusd_uploads_created')).toBe(3)
  expect(await value('tusd_requests_total{method="POST"}')).toBe(3)
  expect(await value('tusd_errors_total{code="ERR_UPLOAD_NOT_FOUND",status="404"}')).toBe(1)
  expect(await value('tusd_hook_errors_total{hooktype="pre-create"}')).toBe(0)
  expect(await value('tuskit_store_seconds_count{operation="dataStore.create"}')).toBe(3)
  const started = await value('process_start_time_seconds')
  expect(started).toBeGreaterThan(1_000_000_000)
  expect(started).toBeLessThan(Date.now() / 1000)
  const limit = await value('process_max_fds')
  const created = await value('tuskit_store_seconds_sum{operation="dataStore.create"}')

  reports = of(one)
  expect(await value('tusd_uploads_created')).toBe(3)
  expect(await value('tuskit_uploads_active{state="receiving"}')).toBe(0)
  expect(await value('process_max_fds')).toBe(limit)
  expect(await value('tuskit_store_seconds_sum{operation="dataStore.create"}')).toBeCloseTo(created)

  reports = of(one, two)
  expect(await value('tusd_uploads_created')).toBe(3)
  expect(await value('tuskit_uploads_active{state="receiving"}')).toBe(1)
})

test('the counters of many workers that ended stay', async () => {
  const site = await watch()
  await createUpload(site)
  const report = await site.report()
  let worker = 0
  const origin = await admin({ reports: async () => [{ ...report, worker: worker++ }] })
  for (let i = 0; i < 39; i++) await get(`${origin}/metrics`)
  const { text } = await get(`${origin}/metrics`)
  expect(text).toContain('\ntusd_uploads_created 40\n')
  expect(text).toContain('\ntusd_requests_total{method="POST"} 40\n')
  expect(text).toContain('\ntuskit_store_seconds_count{operation="dataStore.create"} 40\n')
})

test('an upload that continues on another worker is shown once, with its latest offset', async () => {
  const composer = memoryComposer()
  const one = await watch({ composer })
  const two = await watch({ composer, monitor: { worker: 1 } })
  const origin = await admin({ reports: of(two, one) })
  const url = await createUpload(one, {
    'upload-length': '11',
    'upload-metadata': `filename ${Buffer.from('a.txt').toString('base64')}`,
  })
  await patch(url, 0, 'hello')
  const { request, reply } = openPatch(url.replace(one.origin, two.origin), 5)
  request.write(' wor')
  const moving = await until(
    () => snapshotOf(origin),
    ({ uploads }) => uploads[0]?.offset === 9,
  )
  expect(moving).toMatchObject({
    workers: [0, 1],
    omitted: 0,
    uploads: [{ name: 'a.txt', state: 'receiving', holder: { worker: 1 }, length: 11 }],
  })
  expect(moving.uploads).toHaveLength(1)
  request.end('ld')
  expect((await reply).status).toBe(204)
  // The first worker still remembers it as unfinished.
  expect((await one.report()).uploads).toHaveLength(1)
  expect((await snapshotOf(origin)).uploads).toEqual([])
})

test('an id that is used again after a removal is shown', async () => {
  const composer = memoryComposer()
  const hooks = { preCreate: () => ({ id: 'report' }) }
  const one = await watch({ composer, hooks })
  const two = await watch({ composer, hooks, monitor: { worker: 1 } })
  const origin = await admin({ reports: of(one, two) })
  await remove(await createUpload(one))
  const removed = Date.now()
  // Times are in milliseconds.
  await until(
    async () => Date.now(),
    (now) => now > removed,
  )
  await until(
    () => post(two, { 'upload-length': '20' }),
    ({ status }) => status === 201,
  )
  expect(await snapshotOf(origin)).toMatchObject({ uploads: [{ id: 'report', length: 20 }] })
})

test('only known paths and reading methods are served, with a strict policy', async () => {
  const origin = await admin()
  const types = {
    '/': 'text/html; charset=utf-8',
    '/?from=somewhere': 'text/html; charset=utf-8',
    '/page.css': 'text/css; charset=utf-8',
    '/page.js': 'text/javascript; charset=utf-8',
    '/row.js': 'text/javascript; charset=utf-8',
    '/figures.js': 'text/javascript; charset=utf-8',
    '/icon.svg': 'image/svg+xml',
    '/healthz': 'text/plain; charset=utf-8',
    '/readyz': 'text/plain; charset=utf-8',
    '/metrics': 'text/plain; version=0.0.4; charset=utf-8',
    '/uploads.json': 'application/json',
  }
  for (const [path, type] of Object.entries(types)) {
    const { status, headers } = await get(origin + path)
    expect([path, status, headers['content-type']]).toEqual([path, 200, type])
    expect(headers['x-content-type-options']).toBe('nosniff')
    const policy = headers['content-security-policy']
    expect(policy).toContain("default-src 'none'; script-src 'self';")
    expect(policy).not.toMatch(/unsafe|\*/)
    const bodiless = await send({ method: 'HEAD', url: origin + path })
    expect([path, bodiless.status, bodiless.text]).toEqual([path, 200, ''])
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const refused = await send({ method, url: origin + path })
      expect([path, refused.status, refused.headers['allow']]).toEqual([path, 405, 'GET, HEAD'])
    }
  }
  const port = Number(new URL(origin).port)
  for (const path of [
    ...['/package.json', '/../package.json', '/%2e%2e/page.js', '//etc/passwd', '/index.html'],
    ...['/page.js/', '/constructor', '/page.js%00', '/..\\page.js', '/METRICS', '/__proto__'],
  ]) {
    const response = await sendRaw(
      port,
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    )
    expect([path, response.split('\r\n', 1)[0]]).toEqual([path, 'HTTP/1.1 404 Not Found'])
  }
})
