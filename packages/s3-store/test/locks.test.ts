import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TakenLock } from 'tuskit/store-kit'
import { CephGateway } from '../services.js'
import { Bucket } from '../src/bucket/bucket.js'
import { openBucket } from '../src/open-bucket.js'
import { S3Locks } from '../src/locks/s3-locks.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

const options = { signal: new AbortController().signal }

test('a holder that declines an earlier request later does not take the later one back', async () => {
  const closed = new Bucket(ceph.client(), await ceph.createBucket())
  const bucket = await openBucket('S3Locks', closed, '')
  const locks = new S3Locks(() => bucket, '', 60_000)
  const lock = (await locks.take('a', '', options)) as TakenLock
  expect(await locks.ask('a', lock.token, 'reader', options)).toBe(1)
  expect(await locks.ask('a', lock.token, 'reader', options)).toBe(2)
  await locks.decline('a', lock, 2, options)
  await locks.decline('a', lock, 1, options)
  expect(await locks.look('a', options)).toMatchObject({ readers: 2, declined: 2 })
})
