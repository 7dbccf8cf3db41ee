import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { StoreComposer } from 'tuskit'
import { S3Store } from '@tuskit/s3-store'
import { createUpload, head, patch, post, serve } from '../../../test/support/serve.js'
import { CephGateway } from '../services.js'
import { countRequests, type CountedRequest } from './counted-client.js'
import { serveS3 } from './serve-s3.js'

const MiB = 1_048_576

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

const namesOf = (requests: readonly CountedRequest[], of: CountedRequest['of']) =>
  requests.filter((request) => request.of === of).map(({ name }) => name)

async function counted() {
  const client = ceph.client()
  const since = countRequests(client)
  const site = await serveS3({ client, bucket: await ceph.createBucket() })
  await site.handler.open()
  since()
  return { site, since }
}

describe('requests to S3', () => {
  test('a small file in its creation: one for its data, two for its record, two for its lock', async () => {
    const { site, since } = await counted()
    expect(await post(site, { 'upload-length': '5' }, 'hello')).toMatchObject({ status: 201 })
    const requests = since()
    expect(namesOf(requests, 'data')).toEqual(['PutObject'])
    expect(namesOf(requests, 'records')).toEqual(['PutObject', 'PutObject'])
    expect(namesOf(requests, 'locks')).toEqual(['PutObject', 'PutObject'])
  })

  test('with other records, a small file costs one request', async () => {
    const client = ceph.client()
    const since = countRequests(client)
    const store = new S3Store({ client, bucket: await ceph.createBucket() })
    const composer = new StoreComposer().use(store, new MemoryInfoStore())
    const site = await serve({ composer })
    await site.handler.open()
    since()
    expect(await post(site, { 'upload-length': '5' }, 'hello')).toMatchObject({ status: 201 })
    expect(since().map(({ name }) => name)).toEqual(['PutObject'])
  })

  test('a PATCH of one full part: three for the data', async () => {
    const { site, since } = await counted()
    const url = await createUpload(site, { 'upload-length': String(40 * MiB) })
    const bytes = randomBytes(8 * MiB)
    for (const offset of [0, 8 * MiB, 16 * MiB, 24 * MiB]) {
      since()
      expect(await patch(url, offset, bytes)).toMatchObject({ status: 204 })
      const names = namesOf(since(), 'data').toSorted()
      expect(names).toEqual(['HeadObject', 'ListParts', 'UploadPart'])
    }
  })

  test('HEAD: two for the data, one for the record', async () => {
    const { site, since } = await counted()
    const large = await createUpload(site, { 'upload-length': String(40 * MiB) })
    const small = await createUpload(site, { 'upload-length': '5' })
    await patch(large, 0, randomBytes(9 * MiB))
    for (const [url, names] of [
      [large, ['HeadObject', 'ListParts']],
      [small, ['HeadObject', 'HeadObject']],
    ] as const) {
      since()
      expect(await head(url)).toMatchObject({ status: 200 })
      const requests = since()
      expect(namesOf(requests, 'data').toSorted()).toEqual(names)
      expect(namesOf(requests, 'records')).toEqual(['GetObject'])
      expect(namesOf(requests, 'locks')).toEqual(['GetObject'])
    }
  })
})
