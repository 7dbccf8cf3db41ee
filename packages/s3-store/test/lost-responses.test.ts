import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send, until } from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { CephGateway } from '../services.js'
import { startFaultProxy, type Fault } from './fault-proxy.js'
import { contentsOf, serveS3 } from './serve-s3.js'
import { removeAll, removed, stories, Uploader } from './uploader.js'

const partSize = 65_536
const store = { provider: { minPartSize: partSize }, partSize }
/** How many uploads run at the same time. */
const atOnce = 16

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

const faults: readonly (readonly [name: string, fault: Fault, maxAttempts: number])[] = [
  ['is busy', 'busy', 2],
  ['is busy, and the client does not try again', 'busy', 1],
  ['carries a request out, and its response is lost', 'lost', 2],
  ['carries a request out, and its response never comes', 'late', 2],
]

describe.each(stories)('$name', ({ size, first, chunkSize }) => {
  const content = randomBytes(size)

  /** Runs the story with a fault from some request. Returns whether there was one. */
  async function survives(fault: Fault, at: number, maxAttempts: number): Promise<boolean> {
    const bucket = await ceph.createBucket()
    let faulty: number | undefined
    const faultOf = (number: number) => (number === faulty ? fault : undefined)
    const proxy = await startFaultProxy(ceph.port, faultOf)
    const requestHandler =
      fault === 'late' ? { requestTimeout: 2_000, throwOnRequestTimeout: true } : {}
    const client = ceph.client({ port: proxy.port, requestHandler, maxAttempts })
    const handler = { logger: silent, expiration: { after: 3_600_000 } }
    // A lock whose release has failed is free after that.
    const site = await serveS3({ client, bucket, store, handler, lease: 5_000 })
    await site.handler.open()
    faulty = proxy.requests() + at
    const uploader = new Uploader(content)
    // A client that gets no location begins again.
    while (uploader.path === undefined) await uploader.run(site, chunkSize, first).catch(() => {})
    await uploader.run(site, chunkSize, first)
    const { body } = await until(
      () => send({ method: 'GET', url: site.origin + uploader.path }),
      ({ status }) => status === 200,
    )
    expect(sha256(body)).toBe(sha256(content))
    await removed(site, uploader)
    const happened = proxy.requests() >= faulty
    faulty = undefined
    await removeAll(site)
    // A record whose removal has failed is removed by the next sweep.
    const swept = async () => {
      await site.handler.uploads.removeExpired()
      return contentsOf(ceph.client(), bucket)
    }
    await until(swept, (keys) => keys.length === 0)
    return happened
  }

  test.each(faults)(
    'when the service %s, nothing is lost or left',
    async (_, fault, maxAttempts) => {
      let happened = 0
      for (let first = 1; happened === first - 1; first += atOnce) {
        const requests = Array.from({ length: atOnce }, (_, i) => first + i)
        const outcomes = await Promise.all(requests.map((at) => survives(fault, at, maxAttempts)))
        happened += outcomes.filter(Boolean).length
      }
      expect(happened).toBeGreaterThan(5)
    },
  )
})
