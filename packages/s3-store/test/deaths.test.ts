import { createHash, randomBytes } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isTusError } from 'tuskit'
import {
  chunk,
  createUpload,
  head,
  patch,
  send,
  tus,
  until,
  type Site,
} from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { CephGateway } from '../services.js'
import { dieAt } from './mortal-client.js'
import { contentsOf, serveS3 } from './serve-s3.js'

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

/** A client that knows what has been acknowledged, and continues with any server. */
class Uploader {
  path: string | undefined
  acknowledged = 0
  readonly #content: Buffer

  constructor(content: Buffer) {
    this.#content = content
  }

  /** Sends everything that is missing, in requests of so many bytes. */
  async run(site: Site, chunkSize: number, comesWithCreation: number): Promise<void> {
    const { length } = this.#content
    if (this.path === undefined) {
      const created = await send({
        method: 'POST',
        url: `${site.origin}/files`,
        headers: { ...chunk, 'upload-length': length },
        body: this.#content.subarray(0, comesWithCreation),
      })
      if (created.headers.location === undefined) throw new Error(`${created.status}`)
      this.path = new URL(created.headers.location, site.origin).pathname
    }
    const url = site.origin + this.path
    for (;;) {
      const found = await head(url)
      if (found.status === 423) continue
      expect(found.status).toBe(200)
      const offset = Number(found.headers['upload-offset'])
      expect(offset).toBeGreaterThanOrEqual(this.acknowledged)
      this.acknowledged = offset
      if (offset === length) return
      const reply = await send({
        method: 'PATCH',
        url,
        headers: { ...chunk, 'upload-offset': offset },
        body: this.#content.subarray(offset, offset + chunkSize),
      })
      if (reply.status === 204) this.acknowledged = Number(reply.headers['upload-offset'])
    }
  }
}

/** The stories of uploads: how large they are, and how they are sent. */
const stories = [
  { name: 'a small file in its creation', size: 1_000, first: 1_000, chunkSize: 1_000 },
  { name: 'a small file in two requests', size: 50_000, first: 20_000, chunkSize: 50_000 },
  { name: 'a large file in its creation', size: 150_000, first: 150_000, chunkSize: 150_000 },
  { name: 'a large file in short requests', size: 150_000, first: 0, chunkSize: 40_000 },
  { name: 'an empty file', size: 0, first: 0, chunkSize: 1 },
]

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
    const { uploads } = next.handler
    // One whose client never learnt its URL.
    for await (const { id } of uploads.list()) {
      await uploads.terminate(id).catch((error: unknown) => {
        // A removal that the dead server had begun has just been completed.
        if (!isTusError(error, 'ERR_UPLOAD_NOT_FOUND')) throw error
      })
    }
    await uploads.removeExpired()
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

/** Removes an upload. Its lock may be held until the lease of a dead process is over. */
async function removed(site: Site, { path }: Uploader): Promise<void> {
  const remove = () => send({ method: 'DELETE', url: site.origin + path, headers: tus })
  await until(remove, ({ status }) => [204, 404, 410].includes(status))
}

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
