import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { S3InfoStore, S3Locker, S3Store } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'
import { later } from './later.js'
import { keysOf } from './serve-s3.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

const hour = 3_600_000

test.each([15_000, 5_001.5])(
  'a lock is removed an hour after its use, with a lease of %s',
  async (lease) => {
    const [client, bucket] = [ceph.client(), await ceph.createBucket()]
    const locker = new S3Locker({ client, bucket, lease })
    await locker.open()
    const { signal } = new AbortController()
    const acquire = (id: string) => locker.acquire(id, { signal, requestRelease: () => false })
    const [held, used] = [await acquire('held'), await acquire('used')]
    await used.release()
    const prune = async (client: S3Client) => {
      const other = new S3Locker({ client, bucket, lease })
      await other.open()
      await other.prune()
      await other.close()
    }
    await later(ceph, hour / 2, prune)
    expect(await keysOf(client, bucket)).toEqual(['.tuskit/locks/held', '.tuskit/locks/used'])
    await later(ceph, 2 * hour, prune)
    expect(await keysOf(client, bucket)).toEqual(['.tuskit/locks/held'])
    await held.release()
    await locker.close()
  },
)

test('objects of a process that was killed while it opened are removed an hour later', async () => {
  const [client, bucket] = [ceph.client(), await ceph.createBucket()]
  const left = ['', 'locks/', 'records/'].map((prefix) => `.tuskit/${prefix}.probe/killed`)
  for (const Key of left)
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: '1' }))
  const open = async (client: S3Client) => {
    const place = { client, bucket }
    for (const part of [new S3Store(place), new S3Locker(place), new S3InfoStore(place)]) {
      await part.open()
      await part.close()
    }
  }
  // They may be in use.
  await later(ceph, hour / 2, open)
  expect(await keysOf(client, bucket)).toEqual(left)
  await later(ceph, 2 * hour, open)
  expect(await keysOf(client, bucket)).toEqual([])
})
