import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { TcpProxy } from 'tuskit/store-kit'
import { S3InfoStore, S3Locker, S3Store } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'

const partSize = 65_536
let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

/** A client behind a proxy that can break its connections. */
interface Behind {
  readonly proxy: TcpProxy
  readonly bucket: string
  /** Whether requests go to a bucket that does not exist. */
  isGone?: boolean
}

/** An option of the suite: the ways in which the gateway can fail. */
const unplug = {
  down({ proxy }: Behind) {
    proxy.cut()
    return () => proxy.restore()
  },
  gone(behind: Behind) {
    behind.isGone = true
    return () => (behind.isGone = false)
  },
  async refused() {
    await ceph.control('user', 'suspend', '--uid=test')
    return () => ceph.control('user', 'enable', '--uid=test')
  },
  paused({ proxy }: Behind) {
    proxy.stall()
    return () => proxy.restore()
  },
}

async function behindProxy<Part>(compose: (behind: Behind) => Part) {
  const [proxy, bucket] = [await TcpProxy.start({ port: ceph.port }), await ceph.createBucket()]
  const behind: Behind = { proxy, bucket }
  return Object.assign(behind, { composer: compose(behind), dispose: () => proxy.close() })
}

// The connections of a client stay open after the end of a store, which does not own it.
const requestHandler = { httpAgent: { keepAlive: false } }
const clientOf = (behind: Behind) => {
  const client = ceph.client({ port: behind.proxy.port, maxAttempts: 2, requestHandler })
  client.middlewareStack.add(
    (next) => (args) => {
      const input = { ...args.input, ...(behind.isGone && { Bucket: 'missing-bucket' }) }
      return next({ ...args, input } as typeof args)
    },
    { step: 'initialize' },
  )
  return client
}

describe('S3Store', () => {
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
    factory: () => behindProxy(compose),
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
})

describe('S3InfoStore', () => {
  const compose = (behind: Behind) =>
    new StoreComposer().use(new S3InfoStore({ client: clientOf(behind), bucket: behind.bucket }))
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
    factory: () => behindProxy(compose),
    another: compose,
    unplug,
    async damage(id, { bucket }) {
      const where = { Bucket: bucket, Key: `.tuskit/records/${id}` }
      await ceph.client().send(new PutObjectCommand({ ...where, Body: '{"format":1,"id"' }))
    },
    openHandles: ({ proxy }) => proxy.connections,
  })
})

describe('S3Locker', () => {
  const lease = 3_000
  const compose = (behind: Behind) => {
    const options = { client: clientOf(behind), bucket: behind.bucket }
    return new StoreComposer().use(new S3Locker({ ...options, lease, pollInterval: 200 }))
  }
  conformanceSuite({
    test,
    slots: ['locker', 'lifecycles'],
    factory: () => behindProxy(compose),
    another: compose,
    unplug,
    lease,
    openHandles: ({ proxy }) => proxy.connections,
  })
})
