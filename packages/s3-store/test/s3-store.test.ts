import { afterAll, beforeAll, describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { S3Store } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'
import { behindProxy, clientOf, unplug, type Behind } from './behind-proxy.js'

const partSize = 65_536
let ceph: CephGateway

beforeAll(async () => {
  // Smaller than any part here.
  ceph = await CephGateway.start({ minPartSize: 700 })
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
  fenced: true,
  memory: 16 * partSize,
})

describe('concatenations of several parts', () => {
  const small = 700
  const compose = (behind: Behind) => {
    const provider = { minPartSize: small, omitsParts: false }
    const options = { client: clientOf(behind), bucket: behind.bucket, provider }
    return new StoreComposer().use(new S3Store({ ...options, partSize: small }))
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
})
