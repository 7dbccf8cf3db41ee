import { createHash, randomBytes } from 'node:crypto'
import { Upload } from 'tus-js-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createUpload, offsetOf, patch, send, until } from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { CephGateway } from '../services.js'
import { serveS3 } from './serve-s3.js'

const MiB = 1_048_576

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ store: 'bluestore' })
})
afterAll(() => ceph.stop())

/** The events in the middle of an upload, and how they end. */
const outages = [
  {
    name: 'the gateway is killed',
    begin: () => ceph.kill('rgw'),
    end: () => ceph.restart('rgw'),
  },
  {
    name: 'the gateway hangs',
    begin: () => ceph.pause('rgw'),
    end: async () => ceph.resume('rgw'),
  },
  {
    name: 'the disk is killed',
    begin: () => ceph.kill('osd'),
    end: () => ceph.restart('osd'),
  },
  {
    name: 'the disk hangs',
    begin: () => ceph.pause('osd'),
    end: async () => ceph.resume('osd'),
  },
]

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test.each(outages)('tus-js-client finishes the same upload when $name', async ({ begin, end }) => {
  const client = ceph.client()
  const handler = { logger: silent, storeTimeout: 2_000, flushTimeout: 2_000, lockTimeout: 2_000 }
  const site = await serveS3({ client, bucket: await ceph.createBucket(), handler })
  const content = randomBytes(40 * MiB)
  const creations: string[] = []
  let [isBroken, ending] = [false, Promise.resolve()]
  const upload = new Upload(content, {
    endpoint: `${site.origin}/files`,
    chunkSize: 6 * MiB,
    retryDelays: Array.from({ length: 100 }, () => 200),
    onBeforeRequest: (request) => void (request.getMethod() === 'POST' && creations.push('POST')),
    onChunkComplete(_size, accepted) {
      if (isBroken || accepted < 12 * MiB) return
      isBroken = true
      // During the next request, or between two.
      ending = (async () => {
        await begin()
        await new Promise((resolve) => setTimeout(resolve, 3_000))
        await end()
      })()
    },
  })
  await new Promise<void>((resolve, reject) => {
    Object.assign(upload.options, { onSuccess: () => resolve(), onError: reject })
    upload.start()
  })
  await ending
  expect(isBroken).toBe(true)
  expect(creations).toHaveLength(1)
  const { status, body } = await send({ method: 'GET', url: upload.url! })
  expect(status).toBe(200)
  expect(sha256(body)).toBe(sha256(content))
})

test('a quota that is reached is 507, and the upload continues when there is space', async () => {
  const client = ceph.client()
  const handler = { logger: silent }
  const site = await serveS3({ client, bucket: await ceph.createBucket(), handler })
  const content = randomBytes(20 * MiB)
  const url = await createUpload(site, { 'upload-length': content.length })
  await patch(url, 0, content.subarray(0, 9 * MiB))
  const quota = (...args: readonly string[]) =>
    ceph.control('quota', ...args, '--quota-scope=user', '--uid=test')
  await quota('set', `--max-size=${MiB}`)
  await quota('enable')
  try {
    // A 503 only asks to try again.
    const { status, text } = await until(
      () => patch(url, 9 * MiB, content.subarray(9 * MiB)),
      (reply) => reply.status !== 503,
    )
    expect(`${status} ${text}`).toMatch(/^507 /)
    expect(await offsetOf(url)).toBe(String(9 * MiB))
  } finally {
    await quota('disable')
  }
  expect(await patch(url, 9 * MiB, content.subarray(9 * MiB))).toMatchObject({ status: 204 })
  const { body } = await send({ method: 'GET', url })
  expect(sha256(body)).toBe(sha256(content))
})
