import { createHash, randomBytes } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createUpload, head, patch, send, until, type Site } from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { CephGateway } from '../services.js'
import { dieAt } from './mortal-client.js'
import { contentsOf, serveS3 } from './serve-s3.js'
import { removeAll, removed, stories, Uploader } from './uploader.js'

const partSize = 65_536
const store = { provider: { minPartSize: partSize }, partSize }
// Long enough for a busy machine: nobody here may lose a lock while it is alive.
const lease = 10_000
/** How many servers live and die at the same time: most of the time they wait for a lease. */
const atOnce = 16

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe.each(stories)('$name', ({ size, first, chunkSize }) => {
  const content = randomBytes(size)

  /** Runs the story on a server that dies. Returns whether it did. */
  async function survives(request: number): Promise<boolean> {
    const bucket = await ceph.createBucket()
    const client = ceph.client()
    const uploader = new Uploader(content)
    const mortal = await serveS3({ client, bucket, store, lease, handler: { logger: silent } })
    await mortal.handler.open()
    const { died, isDead } = dieAt(client, request)
    const work = async () => {
      await uploader.run(mortal, chunkSize, first)
      await removed(mortal, uploader)
    }
    await Promise.race([work().catch(() => {}), died])
    const hasDied = isDead()
    // As the end of a process would.
    mortal.server.closeAllConnections()
    const handler = { logger: silent, expiration: { after: 3_600_000 } }
    const next = await serveS3({ client: ceph.client(), bucket, store, lease, handler })
    await finish(next, uploader)
    await removeAll(next)
    await next.handler.uploads.removeExpired()
    // Records follow when the events have been delivered.
    await until(
      () => contentsOf(ceph.client(), bucket),
      (keys) => keys.length === 0,
    )
    return hasDied
  }

  /** Completes the upload, unless it is gone, and removes it. */
  async function finish(site: Site, uploader: Uploader): Promise<void> {
    if (uploader.path === undefined) return
    const url = site.origin + uploader.path
    const { status } = await head(url)
    if (![404, 410].includes(status)) {
      await uploader.run(site, chunkSize, first)
      const { body } = await send({ method: 'GET', url })
      expect(sha256(body)).toBe(sha256(content))
    }
    await removed(site, uploader)
  }

  test('a server that dies after any of its requests loses nothing, and leaves nothing behind', async () => {
    let deaths = 0
    for (let first = 1; deaths === first - 1; first += atOnce) {
      const requests = Array.from({ length: atOnce }, (_, i) => first + i)
      const outcomes = await Promise.all(requests.map((request) => survives(request)))
      deaths += outcomes.filter(Boolean).length
    }
    expect(deaths).toBeGreaterThan(5)
  })
})

test('a server that dies with a gap between its parts leaves an upload that can be finished', async () => {
  const [client, bucket] = [ceph.client(), await ceph.createBucket()]
  const options = { bucket, lease, handler: { logger: silent } }
  const mortal = await serveS3({ ...options, client, store })
  const content = randomBytes(4 * partSize)
  const url = await createUpload(mortal, { 'upload-length': content.length })
  const died = dieWithGap(client)
  patch(url, 0, content.subarray(0, 2 * partSize)).catch(() => {})
  await died
  mortal.server.closeAllConnections()
  const next = await serveS3({ ...options, client: ceph.client(), store })
  const again = next.origin + new URL(url).pathname
  await until(
    () => patch(again, 0, content),
    ({ status }) => status !== 423,
  )
  const { status, body } = await send({ method: 'GET', url: again })
  expect(status).toBe(200)
  expect(sha256(body)).toBe(sha256(content))
})

/** Makes a process seem dead when its second part is stored, but not its first one. */
function dieWithGap(client: S3Client): Promise<void> {
  const forEver = new Promise<never>(() => {})
  let [parts, isDead] = [0, false]
  return new Promise((resolve) => {
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (isDead || (commandName === 'UploadPartCommand' && ++parts === 1)) return forEver
          const result = await next(args)
          if (parts < 2) return result
          isDead = true
          resolve()
          return forEver
        },
      { step: 'initialize' },
    )
  })
}
