import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { S3Locker } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'
import { keysOf } from './serve-s3.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

const hour = 3_600_000

/** Prunes with a clock that is ahead by so many milliseconds. */
async function pruneLater(place: { readonly bucket: string; readonly lease: number }, by: number) {
  // The service refuses requests whose time is wrong.
  const locker = new S3Locker({ ...place, client: ceph.client({ systemClockOffset: -by }) })
  const now = Date.now.bind(Date)
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + by)
  try {
    await locker.open()
    await locker.prune()
  } finally {
    clock.mockRestore()
    await locker.close()
  }
}

test.each([15_000, 5_001.5])(
  'a lock is removed an hour after its use, with a lease of %s',
  async (lease) => {
    const [client, bucket] = [ceph.client(), await ceph.createBucket()]
    const place = { bucket, lease }
    const locker = new S3Locker({ ...place, client })
    await locker.open()
    const { signal } = new AbortController()
    const acquire = (id: string) => locker.acquire(id, { signal, requestRelease: () => false })
    const [held, used] = [await acquire('held'), await acquire('used')]
    await used.release()
    await pruneLater(place, hour / 2)
    expect(await keysOf(client, bucket)).toEqual(['.tuskit/locks/held', '.tuskit/locks/used'])
    await pruneLater(place, 2 * hour)
    expect(await keysOf(client, bucket)).toEqual(['.tuskit/locks/held'])
    await held.release()
    await locker.close()
  },
)
