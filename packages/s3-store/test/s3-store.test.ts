import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { S3Store } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'
import { behindProxy, clientOf, unplug, type Behind } from './behind-proxy.js'

const partSize = 65_536
let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

const compose = (behind: Behind) => {
  const client = clientOf(behind)
  const provider = { minPartSize: partSize }
  const { bucket } = behind
  return new StoreComposer().use(new S3Store({ client, bucket, provider, partSize }))
}
conformanceSuite({
  test,
  slots: [
    ...(['dataStore', 'verifiedAppender', 'finisher', 'terminator'] as const),
    ...(['concatenator', 'contentReader', 'lifecycles'] as const),
  ],
  factory: () => behindProxy(ceph, compose),
  another: compose,
  unplug,
  cutAfter(bytes, { proxy }) {
    void proxy.cutAfter(bytes, 'upstream').then(() => proxy.restore())
    return () => proxy.restore()
  },
  places: {
    good: [{ key: 'a' }, { key: 'a/b' }, { key: 'ä ö+%?&=.txt' }],
    bad: [
      ...[{ key: '' }, { key: '/a' }, { key: '../a' }, { key: 'a/./b' }, { key: 'a\0' }],
      ...[{ key: '.tuskit/records/x' }, { key: 'a'.repeat(1000) }, { bucket: 'x', key: 'a' }],
    ],
  },
  openHandles: ({ proxy }) => proxy.connections,
  memory: 16 * partSize,
})
