import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { CephGateway, credentials } from '../../packages/s3-store/services.js'
import {
  chunk,
  head,
  openPatch,
  patch,
  send,
  temporaryDirectory,
  tus,
  until,
} from '../support/serve.js'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
const preload = new URL('../programs/use-test-build.mjs', import.meta.url).href

/** Headers that an example requires. */
const headers: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  hooks: { authorization: 'Bearer secret', 'upload-metadata': 'filename aGVsbG8udHh0' },
}

const names = readdirSync(examples)
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => name.replace('.mjs', ''))

test('there are examples', () => {
  expect(names).toEqual(expect.arrayContaining(['minimal', 'express', 'koa', 'fastify', 'hono']))
})

test.each(names)('examples/%s.mjs takes uploads', async (name) => {
  for (const endpoint of (await start(name)).endpoints) {
    const extra = headers[name] ?? {}
    const created = await send({
      method: 'POST',
      url: endpoint,
      headers: { ...tus, 'upload-length': '11', ...extra },
    })
    expect(created.status).toBe(201)
    const url = new URL(created.headers.location!, endpoint).href
    expect(url.startsWith(endpoint)).toBe(true)
    expect((await patch(url, 0, 'hello ', extra)).headers['upload-offset']).toBe('6')
    expect((await patch(url, 6, 'world', extra)).status).toBeOneOf([200, 204])
    // It may be redirected.
    expect(await (await fetch(url, { headers: extra })).text()).toBe('hello world')
  }
})

test('examples/hooks.mjs refuses strangers, and uploads without a name', async () => {
  const { endpoints, lines } = await start('hooks')
  const [url] = endpoints as [string]
  const create = (extra: Readonly<Record<string, string>>) =>
    send({
      method: 'POST',
      url,
      headers: { ...chunk, 'upload-length': '5', ...extra },
      body: 'hello',
    })
  expect((await create({})).status).toBe(401)
  const { authorization } = headers['hooks']!
  expect((await create({ authorization: authorization! })).text).toBe('An upload needs a filename')
  const created = await create(headers['hooks']!)
  expect(created.headers['x-kept-as']).toMatch(/^ada\/[\w-]+$/)
  const said = await lines.next()
  expect(said.value).toMatch(/hello\.txt is in ada\//)
})

const stoppable = names.filter((name) =>
  readFileSync(`${examples}${name}.mjs`, 'utf8').includes('SIGTERM'),
)

test.each(stoppable)('examples/%s.mjs stops without losing what it received', async (name) => {
  const { endpoints, child, exited } = await start(name)
  const [endpoint] = endpoints as [string]
  const extra = headers[name] ?? {}
  const created = await send({
    method: 'POST',
    url: endpoint,
    headers: { ...tus, 'upload-length': '11', ...extra },
  })
  const url = new URL(created.headers.location!, endpoint).href
  const { request, reply } = openPatch(url, 0, { 'content-length': '11', ...extra })
  request.write('hello ')
  const offset = async () => (await head(url, { ...tus, ...extra })).headers['upload-offset']
  await until(offset, (value) => value === '6')
  child.kill('SIGTERM')
  const { status, headers: received } = await reply
  expect([status, received['upload-offset']]).toEqual([503, '6'])
  request.destroy()
  expect(await exited).toEqual([0, null])
})

/** Returns the environment that an example needs. */
async function environmentOf(name: string): Promise<NodeJS.ProcessEnv> {
  if (name !== 's3') return {}
  const ceph = await CephGateway.start()
  onTestFinished(() => ceph.stop())
  return {
    AWS_ENDPOINT_URL_S3: ceph.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REQUEST_CHECKSUM_CALCULATION: 'WHEN_REQUIRED',
    AWS_RESPONSE_CHECKSUM_VALIDATION: 'WHEN_REQUIRED',
    BUCKET: await ceph.createBucket(),
  }
}

/** Runs an example in a directory of its own, on a free port. */
async function start(name: string) {
  const environment = await environmentOf(name)
  const child = spawn(process.execPath, ['--import', preload, `${examples}${name}.mjs`], {
    cwd: await temporaryDirectory(),
    env: { ...process.env, ...environment, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const first = await lines.next()
  const endpoints = first.value.match(/http:\S+\/\S+/g) as readonly string[]
  return { endpoints, lines, child, exited }
}
