import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { S3InfoStore } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'
import { behindProxy, clientOf, unplug, type Behind } from './behind-proxy.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

const compose = (behind: Behind) =>
  new StoreComposer().use(new S3InfoStore({ client: clientOf(behind), bucket: behind.bucket }))
conformanceSuite({
  test,
  slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
  factory: () => behindProxy(ceph, compose),
  another: compose,
  unplug,
  async damage(id, { bucket }) {
    const where = { Bucket: bucket, Key: `.tuskit/records/${id}` }
    await ceph.client().send(new PutObjectCommand({ ...where, Body: '{"format":1,"id"' }))
  },
  // An id can be used again only some time after a removal that was interrupted.
  caseTimeout: 300_000,
  openHandles: ({ proxy }) => proxy.connections,
})
