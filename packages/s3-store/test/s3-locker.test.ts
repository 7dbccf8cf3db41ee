import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { S3Locker } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'
import { behindProxy, clientOf, unplug, type Behind } from './behind-proxy.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

const lease = 3_000
const compose = (behind: Behind) => {
  const options = { client: clientOf(behind), bucket: behind.bucket }
  return new StoreComposer().use(new S3Locker({ ...options, lease, pollInterval: 200 }))
}
conformanceSuite({
  test,
  slots: ['locker', 'lifecycles'],
  factory: () => behindProxy(ceph, compose),
  another: compose,
  unplug,
  lease,
  openHandles: ({ proxy }) => proxy.connections,
})
