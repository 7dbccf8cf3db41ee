import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { S3Store } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'
import { behindProxy, clientOf, unplug, type Behind } from './behind-proxy.js'

/** So small that the concatenations of the suite have several parts. */
const partSize = 700
let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

const compose = (behind: Behind) => {
  const provider = { minPartSize: partSize }
  const options = { client: clientOf(behind), bucket: behind.bucket, provider }
  return new StoreComposer().use(new S3Store({ ...options, partSize }))
}
conformanceSuite({
  test: (name, run, limit) => {
    if (name.startsWith('Concatenator: ')) test(name, run, limit)
  },
  slots: [
    ...(['dataStore', 'verifiedAppender', 'finisher', 'terminator'] as const),
    ...(['concatenator', 'contentReader', 'lifecycles'] as const),
  ],
  factory: () => behindProxy(ceph, compose),
  another: compose,
  unplug,
  openHandles: ({ proxy }) => proxy.connections,
})
