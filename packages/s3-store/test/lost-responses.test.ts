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
const atOnce = 8

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

const faults: readonly (readonly [name: string, fault: Fault, times: number])[] = [
  ['says that it is busy', 'busy', 1],
  ['says that it is busy to all attempts', 'busy', 3],
  ['carries a request out, and its response is lost', 'lost', 1],
  ['carries a request out, and its response never comes', 'late', 1],
]

describe.each(stories)('$name', ({ size, first, chunkSize }) => {
  const content = randomBytes(size)

  /** Runs the story with a fault from some request. Returns whether there was one. */
  async function survives(fault: Fault, from: number, times: number): Promise<boolean> {
    const bucket = await ceph.createBucket()
    let isHealthy = true
    const faultOf = (number: number) =>
      !isHealthy && number >= from && number < from + times ? fault : undefined
    const proxy = await startFaultProxy(ceph.port, faultOf)
    const requestHandler =
      fault === 'late' ? { requestTimeout: 2_000, throwOnRequestTimeout: true } : {}
    const client = ceph.client({ port: proxy.port, requestHandler })
    const site = await serveS3({ client, bucket, store, handler: { logger: silent } })
    await site.handler.open()
    const opened = proxy.requests()
    from += opened
    isHealthy = false
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
    await removeAll(site)
    await until(
      () => contentsOf(ceph.client(), bucket),
      (keys) => keys.length === 0,
    )
    return proxy.requests() >= from
  }

  test.each(faults)('when the service %s, nothing is lost or left', async (_, fault, times) => {
    let happened = 0
    for (let first = 1; happened === first - 1; first += atOnce) {
      const requests = Array.from({ length: atOnce }, (_, i) => first + i)
      const outcomes = await Promise.all(requests.map((from) => survives(fault, from, times)))
      happened += outcomes.filter(Boolean).length
    }
    expect(happened).toBeGreaterThan(5)
  })
})
