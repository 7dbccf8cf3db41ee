import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { S3Store } from '@tuskit/s3-store'
import {
  createUpload,
  openPatch,
  patch,
  post,
  send,
  serve,
  type Site,
} from '../../../test/support/serve.js'
import { CephGateway } from '../services.js'
import { countRequests } from './counted-client.js'

const partSize = 65_536

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

/** A server whose memory holds no more than some parts. */
async function siteWith(maxMemory: number) {
  const client = ceph.client()
  const bucket = await ceph.createBucket()
  const provider = { minPartSize: partSize }
  const store = new S3Store({ client, bucket, provider, partSize, maxMemory, maxParallel: 4 })
  const composer = new StoreComposer().use(store, new MemoryInfoStore())
  const site = await serve({ composer, idleTimeout: 900_000, lockTimeout: 600_000 })
  await site.handler.open()
  return { ...site, since: countRequests(client) }
}

/** Runs `work` for each item, some at the same time. */
async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: 20 }, worker))
}

/** Begins to upload and sends the first bytes of a part. Returns what sends the rest. */
async function begin(site: Site, content: Buffer, first: number) {
  const length = content.length
  const url = await createUpload(site, { 'upload-length': length })
  const { request } = openPatch(url, 0, { 'content-length': length })
  const responded = once(request, 'response')
  responded.catch(() => {})
  await new Promise((resolve) => request.write(content.subarray(0, first), resolve))
  let isOpen = true
  request.once('close', () => (isOpen = false)).once('response', () => (isOpen = false))
  const end = async () => {
    request.end(content.subarray(first))
    const [response] = (await responded) as [IncomingMessage]
    response.resume()
    return response.statusCode
  }
  return { url, isOpen: () => isOpen, end }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('a thousand slow clients that fill the memory starve nobody', async () => {
  const site = await siteWith(256 * partSize)
  const content = randomBytes(2 * partSize + 10)
  const slow: Awaited<ReturnType<typeof begin>>[] = []
  await forEach(Array.from({ length: 1_000 }), async () => {
    slow.push(await begin(site, content, partSize / 4))
  })
  const large = randomBytes(100 * partSize)
  // Each creation stored one object.
  expect(site.since().filter(({ name }) => name === 'PutObject').length).toBeGreaterThan(1_000)
  const created = await post(site, { 'upload-length': large.length }, large)
  expect(created.status).toBe(201)
  expect(slow.filter(({ isOpen }) => isOpen())).toHaveLength(1_000)
  expect(
    sha256((await send({ method: 'GET', url: site.origin + created.headers.location! })).body),
  ).toBe(sha256(large))
  await forEach(slow, async ({ url, end }) => {
    expect(await end()).toBe(204)
    const { body } = await send({ method: 'GET', url })
    expect(body.equals(content)).toBe(true)
  })
})

test('bytes of slow clients are stored before they fill a part', async () => {
  const site = await siteWith(2 * partSize)
  const content = randomBytes(3 * partSize)
  const small = randomBytes(partSize)
  const slow = [
    await begin(site, content, partSize - 5),
    await begin(site, content, partSize - 10),
    await begin(site, small, partSize - 20),
  ]
  site.since()
  const created = await post(site, { 'upload-length': content.length }, content)
  expect(created.status).toBe(201)
  const tails = site.since().filter(({ name }) => name === 'PutObject')
  expect(tails.length).toBeGreaterThan(0)
  for (const { url, end } of slow) {
    expect(await end()).toBe(204)
    const { body } = await send({ method: 'GET', url })
    expect([sha256(content), sha256(small)]).toContain(sha256(body))
  }
})

test('when nobody is slow, many large uploads share a small memory', async () => {
  const site = await siteWith(2 * partSize)
  const content = randomBytes(5 * partSize + 10)
  await Promise.all(
    Array.from({ length: 20 }, async (_, number) => {
      const url = await createUpload(site, { 'upload-length': content.length })
      const first = number * 1_000
      expect(await patch(url, 0, content.subarray(0, first))).toMatchObject({ status: 204 })
      expect(await patch(url, first, content.subarray(first))).toMatchObject({ status: 204 })
      const { body } = await send({ method: 'GET', url })
      expect(body.equals(content)).toBe(true)
    }),
  )
})
