import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { TcpProxy } from 'tuskit/store-kit'
import { createUpload, patch } from '../../../test/support/serve.js'
import { CephGateway } from '../services.js'
import { serveS3 } from './serve-s3.js'

const partSize = 65_536
const many = 12

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

/** Returns the messages of all warnings that Node emits while something is done. */
async function warningsOf(act: () => Promise<unknown>): Promise<readonly string[]> {
  const messages: string[] = []
  const take = ({ message }: Error) => void messages.push(message)
  process.on('warning', take)
  onTestFinished(() => void process.off('warning', take))
  await act()
  // They are emitted in the next tick.
  await setImmediate()
  return messages
}

test('many requests at the same time cause no warning', async () => {
  const [proxy, bucket] = [await TcpProxy.start({ port: ceph.port }), await ceph.createBucket()]
  onTestFinished(() => proxy.close())
  const client = ceph.client({ port: proxy.port })
  const store = { provider: { minPartSize: partSize }, partSize, parallel: many }
  const site = await serveS3({ client, bucket, store })
  const content = Buffer.alloc(many * partSize, 'x')
  const url = await createUpload(site, { 'upload-length': content.length })
  for (let other = 0; other < many; other++) await createUpload(site, { 'upload-length': 1 })
  // Long enough for all requests to be on their way.
  proxy.delay(100)
  expect(await warningsOf(() => patch(url, 0, content))).toEqual([])
  expect(await warningsOf(() => site.handler.uploads.removeExpired())).toEqual([])
})
